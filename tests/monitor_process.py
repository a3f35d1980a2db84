"""A monitor with its alert engine as a process of its own, for tests of several that watch the same.

One of its three data sets is broken. Every delivery is a line of the file, and so is each turn that it takes.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from connectors.compacted import CompactedTopic
from hub.alerts.book import AlertBook
from hub.alerts.engine import AlertEngine, Seen
from hub.alerts.notifier import Notifier
from hub.alerts.sending import Delivery
from hub.clock import utc_now
from hub.health.states import STATES
from hub.incident_book import IncidentBook
from hub.monitor import Monitor
from hub.turn import GroupTurn
from tests.unit.alert_worlds import FiguresByHand, rules
from tests.unit.many_datasets import Service, status

EVERY_S = 0.2
SESSION_S = 1.0
CHANNEL = {"id": "file", "default": True, "webhook": {"url": "http://127.0.0.1:1/", "secret": "${env:IOC_SECRET_A}"}}
RULE = {"id": "any", "severity": "page", "when": {"health": {"states": ["source_down"]}}}
assert "source_down" in STATES


@dataclass
class Lines:
    """A channel: a line for each delivery."""

    file: Path

    def say(self, *words: str) -> None:
        with self.file.open("a", encoding="utf-8") as out:
            out.write(" ".join((str(os.getpid()), *words)) + "\n")

    async def send(self, delivery: Delivery) -> None:
        self.say("told", delivery.kind, *(one.subject for one in delivery.alerts))


class Broken(Service):
    """Time goes on, and the first data set's source is away."""

    def __init__(self) -> None:
        super().__init__(3, utc_now())

    def turn_on(self) -> None:
        self.now = utc_now()
        at = int(self.now.timestamp() * 1000)
        error = {"code": "http_500", "at": at, "message_vi": "", "message_en": ""}
        told = {feed.connector: status(self.now) for feed in self.feeds}
        told["d0"] = status(self.now, last_error=error, last_poll_ok=at - 60_000)
        self.statuses = told


async def watch(bootstrap: str, incidents: str, alerts: str, group: str, file: str) -> None:
    lines, service = Lines(Path(file)), Broken()
    topics = [CompactedTopic(bootstrap, name, keep_values=False) for name in (incidents, alerts)]
    book, told = IncidentBook(topics[0]), AlertBook(topics[1])
    for topic in topics:
        await topic.start()
    turn = GroupTurn(bootstrap, incidents, group, SESSION_S)
    monitor = Monitor(service, book, None, turn, EVERY_S)  # type: ignore[arg-type]
    loaded = rules(Path(tempfile.mkdtemp()), RULE, channels=[CHANNEL])
    notifier = Notifier(told, loaded.channels, {"file": lines}, utc_now)
    feeds: Any = service.feeds
    seen = Seen(
        lambda: [replace(feed) for feed in feeds], monitor.open_incidents, lambda now: FiguresByHand(now), utc_now
    )
    engine = AlertEngine(loaded, told, notifier, seen, turn)
    stopping = asyncio.Event()

    async def keep_on() -> None:
        known: int | None = None
        while True:
            service.turn_on()
            async with turn.work() as number:
                if number is not None:
                    lines.say("turn" if number != known else "goes-on")
                known = number
            await asyncio.sleep(EVERY_S)

    await asyncio.gather(turn.run(stopping), monitor.run(stopping), engine.run(stopping), keep_on())


if __name__ == "__main__":
    asyncio.run(watch(*sys.argv[1:6]))
