"""A feed's state by its promise and calendar: days off are not late, and a back-fill makes nothing good."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.health.due import expected
from hub.kpi.feed import Feed
from hub.kpi.freshness import deadline, freshness
from schemas.calendar_files import package_calendars
from schemas.sla import Sla

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text if text.startswith("20") and "-" in text else f"2022-08-{text}").replace(
        tzinfo=ZONE
    )


def millis(text: str | None) -> int | None:
    return None if text is None else round(at(text).timestamp() * 1000)


@dataclass
class Told:
    at: int
    last_poll_ok: int | None
    last_event_time: int | None
    last_ingest: int | None
    state: str = "running"
    received: int = 0
    published: int = 0
    quarantined: int = 0
    errors: int = 0
    last_error: Any = None
    last_published: int | None = None
    last_refused: int | None = None
    last_advance: int | None = None
    lag_steady_since: int | None = None
    counted_since: int | None = None
    last_lag_ms: int | None = None
    outdated: int = 0
    outdated_from: int | None = None
    outdated_to: int | None = None


def state(sla: str, now: str, polled: str | None, event: str | None, ingested: str | None, kind: str = "sql") -> str:
    promise = Sla(**yaml.safe_load(sla)).promise(package_calendars())
    feed = Feed("c", kind, "Sở A", "", "dossier", "s", "H53", rule=promise)
    told = Told(millis(now) or 0, millis(polled), millis(event), millis(ingested))
    return freshness(feed, told, None, at(now)).state


DAILY = '{cut_off: "16:30", grace_s: 1800}'
OFFICE = "{cadence_s: 3600, clock: working, error_s: 7200}"
PLAIN = "{cadence_s: 300, error_s: 900}"
# August 2022: the 23rd is a Tuesday, the 28th a Sunday. Now; last poll; newest event; last arrival.
CASES = """
daily, in time            | DAILY  | 23 17:10 | 23 17:09 | 23 15:00 | 23 15:01 | on_time
daily, within grace       | DAILY  | 23 16:50 | 23 16:49 | 22 15:00 | 22 15:01 | due_soon
daily, nothing of today   | DAILY  | 23 17:10 | 23 17:09 | 22 15:00 | 22 15:01 | late
daily, a back-fill        | DAILY  | 23 17:10 | 23 17:09 | 22 15:00 | 23 17:00 | late
daily, the morning after  | DAILY  | 24 08:00 | 24 07:59 | 23 15:00 | 23 15:01 | on_time
daily, Sunday             | DAILY  | 28 12:00 | 28 11:59 | 26 15:00 | 26 15:01 | on_time
daily, Monday morning     | DAILY  | 29 08:00 | 29 07:59 | 26 15:00 | 26 15:01 | on_time
daily, Friday was missed  | DAILY  | 28 12:00 | 28 11:59 | 25 15:00 | 25 15:01 | late
office hours, Sunday      | OFFICE | 28 12:00 | 26 16:55 | 26 16:50 | 26 16:50 | on_time
office hours, Monday      | OFFICE | 29 09:30 | 26 16:55 | 26 16:50 | 26 16:50 | late
answered, nothing new     | PLAIN  | 23 12:00 | 23 11:59 | 23 09:00 | 23 09:00 | quiet
a cadence, soon           | PLAIN  | 23 12:00 | 23 11:55:30 | 23 11:55 | 23 11:55 | due_soon
a cadence, late           | PLAIN  | 23 12:00 | 23 11:40 | 23 11:40 | 23 11:40 | late
"""
PROMISES = {"DAILY": DAILY, "OFFICE": OFFICE, "PLAIN": PLAIN}
ROWS = [[cell.strip() for cell in line.split("|")] for line in CASES.strip().splitlines()]


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_a_feed_is_judged_by_its_promise(row: list[str]) -> None:
    _, sla, now, polled, event, ingested, expected = row
    assert state(PROMISES[sla], now, polled, event, ingested) == expected


def test_nothing_is_late_at_tet() -> None:
    times = ("2022-02-02 12:00", "2022-02-02 11:59", "2022-01-28 15:00", "2022-01-28 15:01")
    assert state(DAILY, *times) == "on_time"


def test_a_pushed_feed_is_asked_for_its_cut_off_too_but_its_silence_breaks_no_cadence() -> None:
    assert state(DAILY, "23 17:10", None, "22 15:00", "22 15:00", "webhook") == "late"
    assert state(PLAIN, "23 12:00", None, "23 09:00", "23 09:00", "webhook") == "quiet"


def test_what_was_due_before_a_connector_began_is_not_asked_for_though_it_brought_older_data() -> None:
    feed = Feed("c", "sql", "Sở A", "", "dossier", "s", "H53", rule=Sla(cut_off="16:30").promise(package_calendars()))

    def told(now: str) -> Told:
        polled, event = millis(now), millis("22 15:00")
        return Told(polled or 0, polled, event, polled, counted_since=millis("23 17:00"))

    assert freshness(feed, told("23 18:00"), None, at("23 18:00")).state == "on_time"
    next_due = deadline(feed, told("23 18:00"), at("23 18:00"))
    assert next_due is not None and next_due.due_at == at("24 16:30"), "no date that is over is told beside it"
    assert freshness(feed, told("24 16:31"), None, at("24 16:31")).state == "late"


def test_a_declared_maintenance_is_a_pause() -> None:
    window = (
        "{cadence_s: 300, maintenance: [{from: '2022-08-23T11:00:00+07:00', "
        "to: '2022-08-23T13:00:00+07:00', reason: bảo trì}]}"
    )
    assert state(window, "23 12:00", "23 10:00", "23 10:00", "23 10:00") == "paused"


@given(st.integers(0, 40 * 288), st.lists(st.integers(0, 900), min_size=1, max_size=30))
@settings(max_examples=60, deadline=None)
@pytest.mark.parametrize("name", ["DAILY", "NIGHTLY", "STOPS"])
def test_what_is_remembered_of_a_promise_is_what_it_says(name: str, first: int, steps: list[int]) -> None:
    texts = {
        "DAILY": DAILY,
        "NIGHTLY": '{cron: "0 2 * * *", grace_s: 600, clock: working}',
        "STOPS": '{cut_off: "16:30", grace_s: 60, maintenance: [{from: "2022-08-23T15:00+07:00",'
        ' to: "2022-08-23T18:00+07:00", reason: r}]}',
    }
    rule = Sla(**yaml.safe_load(texts[name])).promise(package_calendars())
    now = at("2022-08-01T00:00") + timedelta(minutes=5 * first)
    for step in steps:
        now += timedelta(minutes=step)
        asked, whole = expected(rule, now), rule.expectation(now, now)
        assert (asked.last, asked.next) == (whole.last, whole.next)
