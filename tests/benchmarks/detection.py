"""How soon each fault is named as what it is: on a clock of our own, many times, and on a real stack.

On our own clock the connector's count of its deliveries, the group's health and the rules are the product's own; the
source, Kafka and the warehouse are what they would report. Polls, reports, readings and judgements come as often as in
the product, each at a phase of its own.
"""

from __future__ import annotations

import logging
import random
import signal
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog

from connectors import status as status_module
from connectors.errors import CredentialsError, SourceUnavailableError, Text
from connectors.status import Subject, Tally
from hub.health.commits import Commit
from hub.health.flow import Flow, stuck
from hub.health.group import ALLOWED, PartitionHealth, Reading
from hub.health.group import fold as fold_group
from hub.health.writing import WriteReport, slow
from hub.kafka_watch import INTERVAL_S
from hub.kpi.feed import Feed, Written
from hub.kpi.freshness import freshness
from hub.monitor import EVERY_S
from hub.topics import PartitionLag
from hub.way import AWAY_AFTER
from schemas.calendar_files import package_calendars
from schemas.sla import Sla
from tests.conftest import warehouse_process
from tests.faults.wire import Insert

AWAY, REFUSED = SourceUnavailableError(Text("", "")), CredentialsError(Text("", ""))
STEP_S = 0.1
POLL_S, READING_S, COMMIT_S, REPORT_S = 1.0, INTERVAL_S, 5.0, 10.0
PROMISE_S = 30.0
SESSION_S = 6.0
"""As `streams.app.StreamSettings` and `connectors.worker`: the group lets a worker go that it has not heard from for so
long."""
TWO = 2 * POLL_S + 2 * EVERY_S + 1.0
"""Two answers, two judgements, and the second in which a changed report is written."""
NEVER_S = 400.0

FAULTS: dict[str, tuple[str, float]] = {
    "answers 500": ("source_down", TWO),
    "times out": ("source_down", 30.0 + TWO),
    "refuses the login": ("credentials", TWO),
    "no rows": ("quiet", PROMISE_S + TWO),
    "yesterday's rows, new ids": ("late", TWO),
    "yesterday's rows, the same ids": ("late", TWO),
    "another schema": ("rejected", TWO),
    "connector worker killed": ("stuck_connector", 30.0),
    "stream worker stopped": ("stuck_stream", 30.0),
    "stream worker alive, not moving": ("stuck_stream", 90.0),
    "warehouse slow": ("stuck_warehouse", 180.0),
    "warehouse down": ("stuck_warehouse", 30.0),
    "clock an hour ahead": ("clock_skew", TWO),
    "clock a day behind": ("clock_skew", TWO),
}
"""Named as what, within how long: a time-out is known once the patience of 30 s is over, and that nothing new comes
once the promise of 30 s is."""


@dataclass
class Simulated:
    """One connector, its topic and the warehouse, at `now`; what is wrong is `fault`."""

    chance: random.Random
    now: float = 1_800_000_000.0
    fault: str = ""
    tally: Tally = field(default_factory=lambda: Tally(Subject("of-the-benchmark", "rest", "Sở A", "H53"), "w"))
    end: int = 100
    committed: int = 100
    health: dict[tuple[str, int], PartitionHealth] = field(default_factory=dict)
    commits: list[Commit] = field(default_factory=list)
    waits: dict[int, datetime] = field(default_factory=dict)
    written: datetime | None = None
    writes: WriteReport | None = None
    away_since: datetime | None = None
    fixed: float = 0.0
    due: dict[str, float] = field(default_factory=dict)
    report: Any = None
    told: int = -1
    answers_at: float = 0.0

    def time(self) -> datetime:
        return datetime.fromtimestamp(self.now, UTC)

    def step(self) -> bool:
        """A moment on; whether a judgement is due in it."""
        self.now += STEP_S
        for name, every, act in (
            ("poll", POLL_S, self.poll), ("read", READING_S, self.read), ("commit", COMMIT_S, self.commit),
            ("report", 1.0, self.tell), ("write", COMMIT_S, self.tell_writes),
        ):  # fmt: skip
            if self._is_due(name, every):
                act()
        return self._is_due("judge", EVERY_S)

    def _is_due(self, name: str, every: float) -> bool:
        at = self.due.setdefault(name, self.now + self.chance.uniform(0, every))
        if self.now < at:
            return False
        self.due[name] = at + every
        return True

    def poll(self) -> None:
        if self.fault == "connector worker killed":
            return
        if self.fault == "times out":
            self.answers_at = self.answers_at or self.now + 30.0
            if self.now < self.answers_at:
                return
        ms, fixed_ms = round(self.now * 1000), round(self.fixed * 1000)
        acts: dict[str, Callable[[], None]] = {
            "answers 500": lambda: self.tally.failed(AWAY, "source", retry=True),
            "times out": lambda: self.tally.failed(AWAY, "source", retry=True),
            "refuses the login": lambda: self.tally.failed(REFUSED, "source", retry=True),
            "no rows": self.tally.succeeded,
            "yesterday's rows, the same ids": lambda: self.tally.succeeded(fixed_ms),
            "yesterday's rows, new ids": lambda: self._deliver(1, 0, fixed_ms, fixed_ms),
            "another schema": lambda: self._deliver(0, 1, ms, None),
            "clock an hour ahead": lambda: self._deliver(1, 0, ms + 3_600_000, None),
            "clock a day behind": lambda: self._deliver(1, 0, ms - 86_400_000, ms - 86_400_000),
        }
        acts.get(self.fault, lambda: self._deliver(1, 0, ms - 200, None))()

    def _deliver(self, published: int, refused: int, newest_ms: int, outdated_ms: int | None) -> None:
        ms = round(self.now * 1000)
        self.tally.delivered(published + refused, published, refused, newest_ms, ms)
        self.tally.succeeded(outdated_ms)
        for _ in range(published):
            self.waits[self.end] = self.time()
            self.end += 1

    def _moves(self) -> bool:
        return not self.fault.startswith(("stream worker", "warehouse down"))

    def read(self) -> None:
        if self._moves() and (self.fault != "warehouse slow" or self.chance.random() < 0.2):
            self.committed, self.written = self.end, self.time()
        oldest = {("t", 0): self.waits[self.committed]} if self.committed in self.waits else {}
        partition = PartitionLag("t", 0, self.committed, 0, self.end)
        gone = self.fault == "stream worker stopped" and self.now - self.fixed - 86_400 > SESSION_S
        reading = Reading([partition], oldest, self.commits, 0 if gone else 1)
        self.health, self.commits = fold_group(self.health, reading, ALLOWED, self.time()), []

    def commit(self) -> None:
        if self.fault != "stream worker stopped":
            self.commits = [*self.commits, Commit("t", 0, self.committed, self.time())]

    def tell(self) -> None:
        """A changed report is written each second, an unchanged one every ten."""
        if self.fault == "connector worker killed":
            return
        if self.tally.changes != self.told or self.now - self.report.at / 1000 >= REPORT_S:
            self.report, self.told = self.tally.snapshot(round(self.now * 1000)), self.tally.changes

    def tell_writes(self) -> None:
        if self.fault == "warehouse down":
            return
        seconds = 5.0 if self.fault == "warehouse slow" else 0.05
        # The mean of the last half minute: writes from before the fault are in it at first.
        old = max(0.0, 30.0 - (self.now - self.fixed - 86_400)) if self.fault else 30.0
        slow_writes = (30.0 - old) / 5.0 if self.fault == "warehouse slow" else 0.0
        writes = max(1, round(old / 1.0 + slow_writes))
        self.writes = WriteReport("w", round(self.now * 1000), writes, old * 0.05 + slow_writes * seconds, 0)

    def state(self) -> str:
        """As a monitor would judge it now."""
        now = self.time()
        if self.fault == "warehouse down":
            self.away_since = self.away_since or now
        away = self.away_since is not None and now - self.away_since >= AWAY_AFTER
        writing = "slow" if self.writes is not None and slow([self.writes], now) else None
        gone = self.fault == "connector worker killed" and self.now - self.fixed - 86_400 > SESSION_S + READING_S
        since = datetime.fromtimestamp(self.fixed + 86_400 + SESSION_S + READING_S, UTC)
        flow = Flow(
            stream=stuck(self.health.values()),
            connect_gone_since=since if gone else None,
            warehouse="away" if away else writing,  # type: ignore[arg-type]
        )
        rule = Sla(cadence_s=20, error_s=int(PROMISE_S)).promise(package_calendars())
        feed = Feed("of-the-benchmark", "rest", "Sở A", "", "e", "s", "H53", rule=rule)
        written = None if self.away_since else Written("e", "s", 1, 0, 0, 0, 0, now, self.written or now, now)
        return freshness(feed, self.report, written, now, flow).state


@contextmanager
def virtual(world: Simulated) -> Iterator[None]:
    """The connector's count goes by the world's clock."""
    real = status_module.now_ms
    status_module.now_ms = lambda: round(world.now * 1000)
    try:
        yield
    finally:
        status_module.now_ms = real


def simulated(fault: str, seed: int) -> float:
    """Seconds of our own clock from the fault until it is named; NEVER_S if it is not."""
    world = Simulated(random.Random(seed))
    with virtual(world):
        state = ""
        for _ in range(round(60 / STEP_S)):
            if world.step() and world.report is not None:
                state = world.state()
        assert state == "on_time", (fault, state)
        begun = world.now
        world.fault, world.fixed = fault, world.now - 86_400
        wanted = FAULTS[fault][0]
        while world.now - begun < NEVER_S:
            if world.step() and world.state() == wanted:
                return world.now - begun
    return NEVER_S


def scaled(repeats: int = 20) -> dict[str, dict[str, Any]]:
    """Each fault so many times on our own clock."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    return {
        fault: _told(fault, [simulated(fault, seed) for seed in range(repeats)], FAULTS[fault][1]) for fault in FAULTS
    }


def _told(fault: str, taken: list[float], limit_s: float) -> dict[str, Any]:
    return {
        "named": FAULTS[fault][0],
        "limit_s": round(limit_s, 1),
        "median_s": round(statistics.median(taken), 1),
        "most_s": round(max(taken), 1),
        "times": len(taken),
        "within": sum(one <= limit_s for one in taken),
    }


MODES = {
    "answers 500": "answers_500",
    "times out": "times_out",
    "refuses the login": "refuses_login",
    "no rows": "no_rows",
    "yesterday's rows, new ids": "yesterday",
    "yesterday's rows, the same ids": "yesterday_again",
    "another schema": "other_schema",
    "clock an hour ahead": "hour_ahead",
    "clock a day behind": "day_behind",
}
PROCESSES = {"connector worker killed": "connect", "stream worker stopped": "stream"}


def real(repeats: int = 5, note: Callable[[str], None] = print) -> dict[str, dict[str, Any]]:
    """Each fault so many times on a real stack, in real time. Every tenth of a second the API is asked."""
    from tests.health_world import health_world, until

    found: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        (Path(folder) / "warehouse").mkdir()
        with warehouse_process(Path(folder) / "warehouse") as url, health_world(Path(folder), url) as world:
            for number in range(repeats):
                for fault in FAULTS:
                    until(lambda: world.state() == "on_time", 180)
                    end = _inject(world, fault)
                    begun = time.monotonic()  # finding the process to stop takes seconds
                    try:
                        until(lambda fault=fault: world.state() == FAULTS[fault][0], NEVER_S)  # type: ignore[misc]
                    finally:
                        found.setdefault(fault, []).append(time.monotonic() - begun)
                        end()
                    note(f"{number + 1}/{repeats} {fault}: {found[fault][-1]:.1f} s, limit {FAULTS[fault][1]:.0f} s")
    return {fault: _told(fault, taken, FAULTS[fault][1]) for fault, taken in found.items()}


def _inject(world: Any, fault: str) -> Callable[[], None]:
    """Break it; gives what mends it."""
    if fault in MODES:
        world.portal.turn(MODES[fault])
        return lambda: world.portal.turn("well")
    if fault in PROCESSES:
        world.signal(PROCESSES[fault], signal.SIGSTOP)
        return lambda: world.signal(PROCESSES[fault], signal.SIGCONT)
    if fault == "stream worker alive, not moving":
        world.stands.touch()
        return world.stands.unlink
    if fault == "warehouse down":
        world.relay.cut()
        return lambda: world.relay.mend()
    lose = world.relay.lose

    def slowly(_: Insert) -> bool:
        time.sleep(5)
        return False

    world.relay.lose = slowly
    return lambda: setattr(world.relay, "lose", lose)
