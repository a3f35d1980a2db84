"""Probes: what is on its way, what came out, what is lost; and that nothing of the province sees them."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from hub.canary.canary import Canary
from hub.canary.declared import ENTITY
from hub.canary.probes import LOST_AFTER, Probes, accepted, given_up, refused, seen
from hub.config import MonitorSettings, Settings
from hub.declarations import load_declarations

NOW = datetime(2026, 3, 2, tzinfo=UTC)


def test_a_probe_that_came_out_is_counted_once_with_its_time() -> None:
    probes = accepted(accepted(Probes(), 1, NOW), 2, NOW)
    probes, took = seen(probes, [1, 7], NOW + timedelta(seconds=2))
    assert took == [timedelta(seconds=2)]
    probes, took = seen(probes, [1], NOW + timedelta(seconds=3))
    assert took == []
    assert (probes.produced, probes.received, probes.lost, probes.oldest) == (2, 1, 0, 2)


def test_what_does_not_come_out_within_a_minute_is_lost_and_what_was_not_accepted_is_not() -> None:
    probes = refused(accepted(Probes(), 1, NOW))
    assert given_up(probes, NOW + LOST_AFTER - timedelta(seconds=1)).lost == 0
    probes = given_up(probes, NOW + LOST_AFTER)
    assert (probes.lost, probes.failed, probes.oldest) == (1, 1, None)


@given(st.lists(st.tuples(st.sampled_from(["send", "see", "wait", "refuse"]), st.integers(1, 20))))
def test_every_accepted_probe_is_waiting_received_or_lost(story: list[tuple[str, int]]) -> None:
    probes, now, number = Probes(), NOW, 0
    for act, count in story:
        if act == "send":
            number += 1
            probes = accepted(probes, number, now)
        elif act == "see":
            probes, _ = seen(probes, [count], now)
        elif act == "refuse":
            probes = refused(probes)
        now += timedelta(seconds=count)
        probes = given_up(probes, now)
        assert probes.produced == len(probes.waiting) + probes.received + probes.lost


def test_it_is_declared_only_where_it_is_at_work() -> None:
    assert ENTITY not in load_declarations(Settings()).contracts
    declared = load_declarations(Settings(monitor=MonitorSettings(canary_s=5)))
    assert declared.in_use[ENTITY].topic == "ioc.platform.canary"
    assert declared.manifests[ENTITY].kind == "webhook"
    assert declared.plans[ENTITY].kpis == ()


async def test_it_pushes_asks_and_measures() -> None:
    class Pipe:
        """A way that takes a moment; every third probe falls out."""

        sent: list[int] = []  # noqa: RUF012 - one test's own

        def push(self, run: str, number: int, at: datetime) -> None:
            if number == 2:
                raise OSError("away")
            self.sent.append(number)

        def seen(self, run: str, least: int) -> list[int]:
            return [number for number in self.sent if number % 3 and number >= least]

    clock = [NOW]

    def tick() -> datetime:
        clock[0] += timedelta(seconds=0.5)
        return clock[0]

    registry = CollectorRegistry()
    canary = Canary(Pipe(), 2.0, tick, registry)  # type: ignore[arg-type]
    stopping = asyncio.Event()
    running = asyncio.create_task(canary.run(stopping))
    async with asyncio.timeout(60):
        while canary.probes.lost == 0 or canary.probes.received < 2:
            await asyncio.sleep(0.01)
    stopping.set()
    await running
    assert canary.probes.failed == 1
    assert registry.get_sample_value("ioc_probe_roundtrip_seconds_count") == canary.probes.received
