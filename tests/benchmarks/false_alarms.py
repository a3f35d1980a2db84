"""Eight weeks of fourteen departments by a clock that runs ahead: what the monitor would have alarmed about.

The weeks are those around Tết 2026, with a working Saturday, weekends, declared maintenance, and the noise of every
day: quiet hours, a poll that fails once, a webhook that is silent at night, data that come in bursts. The rules are
the monitor's own; only time and sources are simulated.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

from hub.health.flow import CALM
from hub.health.incident import Incident, Judgement, Ledger, fold
from hub.kpi.feed import Feed, Written
from hub.kpi.freshness import freshness
from schemas.calendar_files import package_calendars
from schemas.sla import Sla
from tests.unit.many_datasets import status as status_of

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
BEGIN = datetime(2026, 1, 5, 0, 0, tzinfo=ZONE)
WEEKS = 8
STEP = timedelta(minutes=5)
"""Between two judgements of the simulated weeks."""

PROMISES = (
    ("rest", {"cadence_s": 300, "error_s": 900}),
    ("webhook", {"cadence_s": 600, "error_s": 1200}),
    ("mqtt", {"cadence_s": 600, "error_s": 1800}),
    ("rest", {"cadence_s": 3600, "clock": "working", "error_s": 7200}),
    ("sql", {"cadence_s": 900, "error_s": 1800}),
    ("rest", {"cadence_s": 900, "clock": "working", "error_s": 3600}),
    ("files", {"cut_off": "16:30", "grace_s": 1800}),
    ("sql", {"cut_off": "08:00", "period": "previous_working_day", "grace_s": 3600}),
    ("sql", {"cut_off": "17:00", "period": "same_day", "grace_s": 1800}),
    ("files", {"cadence_s": 900, "error_s": 2700}),
    ("files", {"cut_off": "10:00", "period": "previous_day", "grace_s": 1800}),
    ("rest", {"cron": "0 10,16 * * *", "clock": "working", "grace_s": 3600}),
    ("sql", {"cadence_s": 3600, "error_s": 7200}),
    ("files", {"cut_off": "16:00", "grace_s": 3600}),
)
"""One promise for each of the fourteen systems."""
MAINTENANCE = ({"from": "2026-01-21T08:00+07:00", "to": "2026-01-21T20:00+07:00", "reason": "nâng cấp"},)


@dataclass
class Source:
    """One department's system: when it is asked, what it has, and what is broken from when to when."""

    feed: Feed
    chance: random.Random
    broken: tuple[datetime, datetime] | None = None
    told: dict[str, Any] = field(default_factory=dict)

    def step(self, now: datetime) -> None:
        at = _ms(now)
        if not self.told:
            self.told = vars(status_of(now)) | {"counted_since": at, "received": 0, "published": 0}
        self.told["at"] = at
        rule = self.feed.rule
        assert rule is not None
        if self.broken is not None and self.broken[0] <= now < self.broken[1]:
            self._fail(at)
            return
        if rule.maintenance.at(now) is not None and self.chance.random() < 0.8:
            self._fail(at)
            return
        if self.feed.kind != "webhook":
            if self.chance.random() < 0.002:  # one poll in five hundred fails, and the next is well
                self._fail(at - 1000)
            self.told["last_poll_ok"] = at
        if self._has_data(now):
            records = self.chance.randint(1, 200)
            refused = self.chance.random() < 0.01
            event = at - self.chance.randint(0, 60_000)
            self.told.update(last_ingest=at, last_event_time=max(event, self.told["last_event_time"]), last_advance=at)
            self.told["received"] += records
            self.told["published"] += records - refused
            self.told["last_published"] = at

    def _has_data(self, now: datetime) -> bool:
        """People make data while their office works; a cut-off's arrive in its last hours."""
        assert self.feed.rule is not None
        works = self.feed.rule.calendar.is_working(now)
        return works and self.chance.random() < 0.4

    def _fail(self, at: int) -> None:
        self.told["errors"] += 1
        self.told["last_error"] = {"code": "source_down", "at": at, "message_vi": "", "message_en": ""}

    def status(self) -> Any:
        return SimpleNamespace(**self.told)


def sources(seed: int = 1) -> list[Source]:
    """The fourteen systems."""
    calendars = package_calendars()
    found = []
    for number, (kind, promise) in enumerate(PROMISES):
        sla = Sla.model_validate({**promise, "maintenance": MAINTENANCE if number % 3 == 0 else ()})
        rule = sla.promise(calendars)
        feed = Feed(f"d{number}", kind, f"Sở {number}", "", f"e{number}", "s", f"H53.{number}", rule=rule)
        found.append(Source(feed, random.Random(seed * 100 + number)))
    return found


def times(begin: datetime, weeks: float, step: timedelta) -> Iterator[datetime]:
    """The instants at which all are judged."""
    now = begin
    while now < begin + timedelta(weeks=weeks):
        yield now
        now += step


def simulate(
    systems: list[Source], begin: datetime = BEGIN, weeks: float = WEEKS, step: timedelta = STEP
) -> tuple[list[Incident], int]:
    """The incidents of these weeks, and how many judgements were made."""
    ledger, found, judged = Ledger(), [], 0
    for now in times(begin, weeks, step):
        judgements = []
        for source in systems:
            source.step(now)
            status = source.status()
            written = Written("e", "s", 1, 0, 0, 0, 0, now, now, now)
            state = freshness(source.feed, status, written, now, CALM).state
            judgements.append(Judgement(source.feed.connector, source.feed.org, source.feed.entity, state, now))
        judged += len(judgements)
        ledger, changed = fold(ledger, judgements, now)
        found += [one for one in changed if one.ended is None]
    return found, judged


def _ms(time: datetime) -> int:
    return int(time.timestamp() * 1000)


def measure(note: Any = print) -> dict[str, Any]:
    """0 incidents wanted, over three seeds."""
    found, judged = [], 0
    for seed in (1, 2, 3):
        incidents, count = simulate(sources(seed))
        found += incidents
        judged += count
    note(
        f"{judged:,} judgements of {len(PROMISES)} data sets in 3 × {WEEKS} simulated weeks: {len(found)} false alarms"
    )
    return {"judgements": judged, "false_alarms": len(found)}
