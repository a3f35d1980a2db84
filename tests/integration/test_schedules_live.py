"""A schedule at work: a running connector reads when its manifest says, by the department's clock, and not before."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from connectors.clock import Clock
from connectors.manifest import load_manifest
from connectors.runtime import ConnectorRunner
from connectors.secrets import SecretResolver
from connectors.source import Surroundings
from hub.topics import ensure_topics
from tests.connect_world import CONTRACTS, manifest, without_login
from tests.connector_process import Death, alone
from tests.deadline import eventually
from tests.portal_server import LOOPBACK, Portal, portal_server, record

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
NEVER_S = 3_600.0
"""The source's own rest between reads: only a schedule reads within a test."""
AHEAD = timedelta(seconds=4)


def clock_before(tick: datetime) -> Clock:
    """The time as if the tick came in a moment."""
    shift = tick - AHEAD - datetime.now(UTC)
    return lambda: datetime.now(UTC) + shift


@asynccontextmanager
async def reading(
    kafka: str, portal: Portal, schedule: str, now: Clock, folder: Path
) -> AsyncIterator[ConnectorRunner]:
    ensure_topics(kafka, [CONTRACTS["dossier"]], 2, 1)
    file = folder / "m.yaml"
    name = f"scheduled-{uuid.uuid4().hex[:8]}"
    file.write_text(without_login(manifest(name, poll_s=NEVER_S)) + f"schedule: {schedule}\n", encoding="utf-8")
    around = Surroundings(SecretResolver({"IOC_PORTAL_URL": portal.url}), hosts=LOOPBACK)
    around = dataclasses.replace(around, now=now)
    async with alone(load_manifest(file), kafka, CONTRACTS, around, Death("", 0)) as runner:
        yield runner


async def test_every_so_often_is_kept_in_place_of_the_sources_own_rest(kafka: str, tmp_path: Path) -> None:
    with portal_server([record(0)]) as portal:
        portal.open = True
        async with reading(kafka, portal, "{every_s: 0.2}", lambda: datetime.now(UTC), tmp_path) as runner:
            await eventually(lambda: runner.tally.published == 1)
            for number in (1, 2, 3):
                portal.feed.append(record(number, f"2022-08-23T1{number}:00:00+07:00"))
                await eventually(lambda: runner.tally.published >= number + 1)  # noqa: B023


@pytest.mark.parametrize(
    ("schedule", "tick"),
    [
        ("{cron: '30 7 * * *'}", datetime(2022, 8, 23, 7, 30, tzinfo=ZONE)),
        ('{at: ["07:30", "16:00"]}', datetime(2022, 8, 23, 16, 0, tzinfo=ZONE)),
    ],
)
async def test_nothing_is_read_before_its_time_and_all_of_it_then(
    schedule: str, tick: datetime, kafka: str, tmp_path: Path
) -> None:
    now = clock_before(tick)
    with portal_server([record(0)]) as portal:
        portal.open = True
        async with reading(kafka, portal, schedule, now, tmp_path) as runner:
            await eventually(lambda: runner.tally.published == 1)
            assert now() < tick, "the first read took too long for this test to say anything"
            portal.feed.append(record(1, "2022-08-23T10:00:00+07:00"))
            await eventually(lambda: runner.tally.published == 2)
            assert now() >= tick
