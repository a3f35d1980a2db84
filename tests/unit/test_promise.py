"""Promises: what is due when, through Tết, swapped Saturdays and maintenance; and what a wrong one is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.calendar_files import load_calendars
from schemas.declaration import parse
from schemas.errors import DeclarationError
from schemas.promise import Due, Promise
from schemas.sla import Sla
from tests.unit.working_days import rows

CALENDARS = load_calendars().calendars
ZONE = CALENDARS["office"].zone


def promise(text: str) -> Promise:
    raw = yaml.safe_load(text)
    tree = yaml.compose("sla:\n" + "".join(f"  {line}\n" for line in text.splitlines()))
    assert tree is not None
    return parse(Sla, raw, "mine.yaml", tree, ("sla",)).promise(CALENDARS, "mine.yaml", tree)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZONE)


def shown(instant: datetime) -> str:
    return instant.astimezone(ZONE).strftime("%Y-%m-%d %H:%M")


def line(due: Due | None) -> str:
    if due is None:
        return "–"
    times = f"{shown(due.warn_at)} {shown(due.due_at)} {shown(due.error_at)}"
    return times if due.period is None else f"{due.period.key} {times}"


CADENCES = """
# promise | last event | due soon, due, late after
cadence_s: 300                                 | 2022-08-22 10:00 | 2022-08-22 10:04 2022-08-22 10:05 2022-08-22 10:05
{cadence_s: 600, error_s: 1800}                | 2022-08-22 10:00 | 2022-08-22 10:08 2022-08-22 10:10 2022-08-22 10:30
{cadence_s: 600, grace_s: 600, warn_s: 60}     | 2022-08-22 10:00 | 2022-08-22 10:01 2022-08-22 10:10 2022-08-22 10:20
{cadence_s: 7200, clock: working}              | 2022-08-26 16:00 | 2022-08-29 07:36 2022-08-29 08:00 2022-08-29 08:00
{cadence_s: 7200, clock: working}              | 2022-01-28 16:30 | 2022-02-07 08:06 2022-02-07 08:30 2022-02-07 08:30
{cadence_s: 28800, clock: working}             | 2024-05-03 17:00 | 2024-05-04 15:24 2024-05-04 17:00 2024-05-04 17:00
{cadence_s: 86400}                             | 2022-01-28 16:30 | 2022-01-29 11:42 2022-01-29 16:30 2022-01-29 16:30
{cadence_s: 3600, clock: working, calendar: continuous} | 2022-02-01 23:30 | 2022-02-02 00:18 2022-02-02 00:30 2022-02-02 00:30
"""  # noqa: E501


@pytest.mark.parametrize(("text", "last_event", "expected"), rows(CADENCES))
def test_a_cadence_runs_from_the_last_event(text: str, last_event: str, expected: str) -> None:
    found = promise(text).expectation(at(last_event), at(last_event))
    assert (found.last, line(found.next)) == (None, expected)
    later = promise(text).expectation(found.next.due_at, at(last_event))
    assert later.last == later.next == found.next


CUT_OFFS = """
# promise | now | last: period, due soon, due, late after | next
# An ordinary Tuesday at noon: four fifths of the 8 hours since 16:30 are over at 14:54.
{cut_off: "16:30", grace_s: 1800} | 2022-08-23 12:00 | 2022-08-22 2022-08-22 14:54 2022-08-22 16:30 2022-08-22 17:00 | 2022-08-23 2022-08-23 14:54 2022-08-23 16:30 2022-08-23 17:00
{cut_off: "16:30"}                | 2022-08-23 16:30 | 2022-08-23 2022-08-23 14:54 2022-08-23 16:30 2022-08-23 16:30 | 2022-08-24 2022-08-24 14:54 2022-08-24 16:30 2022-08-24 16:30
# Within Tết nothing falls due between the Friday before and the Monday after.
{cut_off: "16:30"}                | 2022-02-01 12:00 | 2022-01-28 2022-01-28 14:54 2022-01-28 16:30 2022-01-28 16:30 | 2022-02-07 2022-02-07 14:54 2022-02-07 16:30 2022-02-07 16:30
# A swapped Saturday has its cut-off, the Monday off has none.
{cut_off: "16:30"}                | 2024-04-29 12:00 | 2024-04-26 2024-04-26 14:54 2024-04-26 16:30 2024-04-26 16:30 | 2024-05-02 2024-05-02 14:54 2024-05-02 16:30 2024-05-02 16:30
{cut_off: "16:30"}                | 2024-05-04 12:00 | 2024-05-03 2024-05-03 14:54 2024-05-03 16:30 2024-05-03 16:30 | 2024-05-04 2024-05-04 14:54 2024-05-04 16:30 2024-05-04 16:30
# On Monday morning yesterday's data are Sunday's, the working day before is Friday.
{cut_off: "08:00", period: previous_day}         | 2022-08-29 07:30 | 2022-08-25 2022-08-25 16:24 2022-08-26 08:00 2022-08-26 08:00 | 2022-08-28 2022-08-26 16:24 2022-08-29 08:00 2022-08-29 08:00
{cut_off: "08:00", period: previous_working_day} | 2022-08-29 07:30 | 2022-08-25 2022-08-25 16:24 2022-08-26 08:00 2022-08-26 08:00 | 2022-08-26 2022-08-26 16:24 2022-08-29 08:00 2022-08-29 08:00
# Midnight: the cut-off at the end of Monday is for Monday.
{cut_off: "24:00"}                | 2022-08-23 00:00 | 2022-08-22 2022-08-22 15:24 2022-08-23 00:00 2022-08-23 00:00 | 2022-08-23 2022-08-23 15:24 2022-08-24 00:00 2022-08-24 00:00
# The leap day.
{cut_off: "16:30"}                | 2024-02-29 16:00 | 2024-02-28 2024-02-28 14:54 2024-02-28 16:30 2024-02-28 16:30 | 2024-02-29 2024-02-29 14:54 2024-02-29 16:30 2024-02-29 16:30
"""  # noqa: E501

CRONS = """
# A yearly report is due soon a week before.
{cron: "30 16 10 1 *", grace_s: 86400} | 2026-11-26 12:00 | 2026-01-10T16:30 2026-01-03 16:30 2026-01-10 16:30 2026-01-11 16:30 | 2027-01-10T16:30 2027-01-03 16:30 2027-01-10 16:30 2027-01-11 16:30
# Monthly at 8:00 of the first; 1 May 2022 is a Sunday, 1 June a Wednesday.
{cron: "0 8 1 * *"}                 | 2022-05-10 12:00 | 2022-05-01T08:00 2022-04-25 08:00 2022-05-01 08:00 2022-05-01 08:00 | 2022-06-01T08:00 2022-05-26 03:12 2022-06-01 08:00 2022-06-01 08:00
{cron: "0 8 * * 1-5", clock: working} | 2022-02-01 12:00 | 2022-01-28T08:00 2022-01-27 16:24 2022-01-28 08:00 2022-01-28 08:00 | 2022-02-07T08:00 2022-01-28 16:24 2022-02-07 08:00 2022-02-07 08:00
"""  # noqa: E501


@pytest.mark.parametrize(("text", "now", "last", "following"), rows(CUT_OFFS) + rows(CRONS))
def test_a_cut_off_asks_for_its_period(text: str, now: str, last: str, following: str) -> None:
    found = promise(text).expectation(at(now), at(now))
    assert (line(found.last), line(found.next)) == (last, following)


def test_the_period_of_a_cut_off_is_its_local_day() -> None:
    due = promise('cut_off: "16:30"').expectation(at("2022-08-23 12:00"), at("2022-08-01 00:00")).last
    assert due is not None
    assert due.period is not None
    assert (shown(due.period.start), shown(due.period.end)) == ("2022-08-22 00:00", "2022-08-23 00:00")
    assert due.period.start.tzinfo is UTC


NIGHT = "maintenance: [{cron: '0 22 * * 6', duration_s: 14400, reason: sao lưu}]"
ONCE = "maintenance: [{from: 2022-08-23T15:00:00+07:00, to: 2022-08-24T09:00:00+07:00, reason: nâng cấp}]"


def test_maintenance_stops_a_cadence() -> None:
    weekly = promise(f"cadence_s: 3600\n{NIGHT}")
    assert line(weekly.expectation(at("2022-08-27 21:30"), at("2022-08-27 21:30")).next).endswith("2022-08-28 02:30")
    open_window = weekly.expectation(at("2022-08-28 01:59"), at("2022-08-27 21:30")).maintenance
    assert open_window is not None
    assert open_window[1].reason == "sao lưu"
    assert weekly.expectation(at("2022-08-28 02:00"), at("2022-08-27 21:30")).maintenance is None
    assert weekly.age(at("2022-08-27 21:30"), at("2022-08-28 02:15")) == timedelta(minutes=45)


def test_a_cut_off_within_maintenance_is_due_at_its_end() -> None:
    upgraded = promise(f'cut_off: "16:30"\ngrace_s: 1800\n{ONCE}')
    during = upgraded.expectation(at("2022-08-23 17:00"), at("2022-08-22 16:00"))
    assert line(during.last).startswith("2022-08-22")
    assert line(during.next) == "2022-08-23 2022-08-23 14:54 2022-08-24 09:00 2022-08-24 09:30"
    after = upgraded.expectation(at("2022-08-24 09:00"), at("2022-08-22 16:00"))
    assert line(after.last) == line(during.next)
    assert line(after.next).startswith("2022-08-24")


MINE = [promise(text) for text in ('cut_off: "16:30"', f'cut_off: "02:00"\n{NIGHT}', 'cron: "*/17 3,9 * * *"')]


@settings(deadline=None, max_examples=40)
@given(st.integers(1_641_000_000, 1_798_000_000).map(lambda second: datetime.fromtimestamp(second, UTC)))
def test_what_is_next_becomes_last(now: datetime) -> None:
    for mine in MINE:
        found = mine.expectation(now, now)
        assert found.last is not None
        assert found.last.due_at <= now < found.next.due_at
        assert found.next.warn_at <= found.next.due_at <= found.next.error_at
        assert mine.expectation(found.next.due_at, now).last == found.next


@pytest.mark.parametrize(
    ("text", "path", "message"),
    [
        ("grace_s: 5", "sla", "needs exactly one of cadence_s, cut_off, cron"),
        ("{cadence_s: 5, cut_off: '16:30'}", "sla", "needs exactly one of"),
        ("{cadence_s: '5m'}", "sla.cadence_s", "is a text; needed: an integer"),
        ("{cadence_s: 60, error_s: 30}", "sla.error_s", "must be at least cadence_s"),
        ("{cadence_s: 60, warn_s: 90}", "sla.warn_s", "must be at most cadence_s"),
        ("{cadence_s: 60, error_s: 90, grace_s: 9}", "sla.grace_s", "error_s says it already"),
        ("{cadence_s: 60, period: same_day}", "sla.period", "stands only beside cut_off"),
        ("{cut_off: '16h30'}", "sla.cut_off", "is no time of day HH:MM"),
        ("{cut_off: '16:30', error_s: 60}", "sla.error_s", "stands only beside cadence_s"),
        ("{cut_off: '16:30', period: yesterday}", "sla.period", "did you mean “same_day”"),
        ("{cron: 'every day'}", "sla.cron", "is no cron expression"),
        ("{cron: '0 0 31 2 *'}", "sla.cron", "cron expression"),
        ("{cadence_s: 60, objective: 93.1}", "sla.objective", "can never fire"),
        ("{cadence_s: 60, objective: 100}", "sla.objective", "must be above 93.1 and below 100"),
        ("{cadence_s: 60, calendar: ofice}", "sla.calendar", "did you mean “office”"),
        ("{cadence_s: 60, maintenance: [{reason: x}]}", "sla.maintenance.0", "needs “from” and “to”"),
        (
            "{cadence_s: 60, maintenance: [{reason: x, from: 2022-08-23T15:00:00+07:00}]}",
            "sla.maintenance.0",
            "needs “from” and “to”",
        ),
        (
            "{cadence_s: 60, maintenance: [{reason: x, from: 2022-08-23T15:00:00, to: 2022-08-24T15:00:00}]}",
            "sla.maintenance.0.from",
            "a time with its offset",
        ),
        (
            "{cadence_s: 6, maintenance: [{reason: x, from: 2022-08-24T15:00:00Z, to: 2022-08-23T15:00:00Z}]}",
            "sla.maintenance.0.to",
            "must be after “from”",
        ),
        (
            "{cadence_s: 60, maintenance: [{cron: '0 22 * * *', duration_s: 60}]}",
            "sla.maintenance.0.reason",
            "is missing",
        ),
    ],
)
def test_a_wrong_promise_is_refused_with_its_place(text: str, path: str, message: str) -> None:
    with pytest.raises(DeclarationError) as caught:
        promise(text)
    assert message in str(caught.value)
    assert caught.value.path.startswith(path)


OVERLAPPING = {
    "two single windows": (
        "{from: 2022-08-23T15:00:00+07:00, to: 2022-08-24T15:00:00+07:00, reason: a}",
        "{from: 2022-08-24T14:00:00+07:00, to: 2022-08-25T15:00:00+07:00, reason: b}",
    ),
    "a single and a weekly one": (
        "{cron: '0 22 * * 6', duration_s: 14400, reason: a}",
        "{from: 2031-03-16T01:00:00+07:00, to: 2031-03-16T03:00:00+07:00, reason: b}",
    ),
    "a daily and a monthly one": (
        "{cron: '0 22 * * *', duration_s: 3600, reason: a}",
        "{cron: '30 22 1 * *', duration_s: 3600, reason: b}",
    ),
}


@pytest.mark.parametrize("pair", OVERLAPPING.values(), ids=OVERLAPPING)
def test_overlapping_maintenance_is_refused(pair: tuple[str, str]) -> None:
    with pytest.raises(DeclarationError, match=r"“sla\.maintenance\.1” overlaps maintenance window 1 \(a\)"):
        promise(f"cadence_s: 60\nmaintenance: [{pair[0]}, {pair[1]}]")


def test_maintenance_that_lasts_into_its_next_window_is_refused() -> None:
    with pytest.raises(DeclarationError, match="into its own next window"):
        promise("cadence_s: 60\nmaintenance: [{cron: '0 * * * *', duration_s: 3601, reason: a}]")


def test_windows_that_touch_do_not_overlap() -> None:
    assert promise(
        "cadence_s: 60\nmaintenance: [{cron: '0 22 * * *', duration_s: 3600, reason: a},"
        " {cron: '0 23 * * *', duration_s: 3600, reason: b}]"
    )


def test_the_declared_calendars_are_in_the_package() -> None:
    root = Path(__file__).parents[2] / "schemas" / "calendars"
    assert {path.stem for path in root.glob("*.yaml")} == set(CALENDARS)
