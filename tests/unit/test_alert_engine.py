"""The engine over a topic in memory: what it finds is kept first and told then, through outages and restarts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog

from connectors.compacted import WriteUncertainError
from connectors.errors import Text
from hub.alerts.book import AlertBook
from hub.alerts.channels import NotDeliveredError
from hub.alerts.engine import KPIS_EVERY, AlertEngine, Seen
from hub.alerts.figures import Figure
from hub.alerts.metrics import AlertCollector
from hub.alerts.notifier import Notifier
from hub.alerts.sending import Delivery
from hub.health.incident import Incident
from hub.kpi.errors import WarehouseAwayError
from tests.unit.alert_worlds import NOW, FiguresByHand, TopicInMemory, rules

CHANNEL = {"id": "hook", "default": True, "webhook": {"url": "http://127.0.0.1:1/", "secret": "${env:IOC_SECRET_A}"}}
DECLARED: tuple[Mapping[str, Any], ...] = (
    {
        "id": "late",
        "severity": "page",
        "when": {"health": {"states": ["late"]}},
        "escalate": [{"after_s": 600, "to": "lead"}],
    },
    {"id": "kpi", "when": {"threshold": {"kpi": "dossier.on_time_share", "below": 70}}},
)


@dataclass
class Recorded:
    """A channel that keeps what it was given. `refuses`: it takes nothing."""

    taken: list[Delivery] = field(default_factory=list)
    refuses: bool = False

    async def send(self, delivery: Delivery) -> None:
        if self.refuses:
            raise NotDeliveredError("http_503")
        self.taken.append(delivery)

    def told(self) -> list[tuple[str, str]]:
        return [(one.kind, alert.rule) for one in self.taken for alert in one.alerts]


class World:
    """An engine by hand: `now`, open incidents and figures are set by tests."""

    def __init__(self, folder: Path, topic: TopicInMemory | None = None) -> None:
        self.folder = folder
        self.topic = topic or TopicInMemory()
        self.now = NOW
        self.incidents: list[Incident] = []
        self.figures: Any = FiguresByHand(figure=Figure(90.0, 100.0))
        self.channel = Recorded()
        self.engine = self._engine()

    def _engine(self) -> AlertEngine:
        loaded = rules(self.folder, *DECLARED, channels=[CHANNEL])
        book = AlertBook(self.topic)
        notifier = Notifier(book, loaded.channels, {"hook": self.channel}, lambda: self.now)
        seen = Seen(lambda: (), lambda: self.incidents, self._figures, lambda: self.now)
        return AlertEngine(loaded, book, notifier, seen)

    def _figures(self, now: datetime) -> Any:
        self.figures.at = now
        return self.figures

    def restart(self) -> None:
        self.engine = self._engine()

    async def rounds(self, seconds: float, every: float = 2.5) -> None:
        until = self.now + timedelta(seconds=seconds)
        while self.now < until:
            await self.engine.round()
            self.now += timedelta(seconds=every)

    def break_source(self) -> None:
        self.incidents = [Incident("i", "portal", "H53.14", "dossier", "late", self.now)]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


async def test_an_incident_is_told_once_escalated_and_its_end_told(world: World) -> None:
    world.break_source()
    await world.rounds(660)
    assert world.channel.told() == [("opened", "late"), ("escalated-1", "late")]
    world.incidents = []
    await world.rounds(180)
    assert world.channel.told()[2:] == [("ended", "late")]
    (alert,) = world.engine.book.all()
    assert (alert.subject, alert.owner, alert.org, alert.escalated) == ("portal", "H53.14", "H53.14", 1)


async def test_a_restart_tells_nothing_again(world: World) -> None:
    world.break_source()
    await world.rounds(30)
    world.restart()
    await world.rounds(30)
    assert world.channel.told() == [("opened", "late")]
    assert len(world.engine.book.all()) == 1


async def test_while_kafka_is_away_nothing_is_told_and_nothing_is_lost(world: World) -> None:
    world.topic.away = WriteUncertainError(Text("", ""))
    world.break_source()
    await world.rounds(30)
    assert world.channel.told() == []
    world.topic.away = None
    await world.rounds(30)
    assert world.channel.told() == [("opened", "late")]


async def test_a_channel_that_is_away_for_an_hour_is_told_once_then(world: World) -> None:
    world.channel.refuses = True
    world.break_source()
    await world.rounds(3_600, 30)
    failed = world.engine.notifier.counts["hook", "failed"]
    assert 10 < failed < 40
    world.channel.refuses = False
    await world.rounds(600, 30)
    assert world.channel.told().count(("opened", "late")) == 1


async def test_figures_are_judged_each_minute_and_left_as_they_were_while_the_warehouse_is_away(world: World) -> None:
    world.figures.figure = Figure(50.0, 100.0)
    await world.rounds(KPIS_EVERY.total_seconds() + 10)
    assert world.channel.told() == [("opened", "kpi")]

    class Away:
        at = NOW

        def reading(self, *_: Any) -> Any:
            raise WarehouseAwayError("no_connection")

    world.figures = Away()
    await world.rounds(600)
    assert [one.ended for one in world.engine.book.all()] == [None]


async def test_a_rule_that_breaks_is_logged_without_its_words_and_the_engine_goes_on(world: World) -> None:
    import asyncio

    class Broken:
        at = NOW

        def reading(self, *_: Any) -> Any:
            raise RuntimeError("a citizen's name")

    world.figures = Broken()
    stopping = asyncio.Event()
    with structlog.testing.capture_logs() as logged:
        running = asyncio.create_task(world.engine.run(stopping))
        async with asyncio.timeout(60):
            while not logged:
                await asyncio.sleep(0.01)
        stopping.set()
        await running
    (line,) = [one for one in logged if one["event"] == "alert_round_failed"]
    assert line["reason"] == "RuntimeError"
    assert "citizen" not in str(logged)


async def test_what_it_says_to_prometheus_counts_severities_states_and_channels(world: World) -> None:
    world.break_source()
    await world.rounds(30)
    samples = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in AlertCollector(world.engine).collect()
        for sample in family.samples
    }
    assert samples["ioc_alerts", "open", "page"] == 1
    assert samples["ioc_alerts", "open", "ticket"] == 0
    assert samples["ioc_alerts_opened_total", "page"] == 1
    assert samples["ioc_alert_deliveries_total", "hook", "sent"] == 1
    assert samples["ioc_alerts_last_evaluation_timestamp_seconds",] > 0
