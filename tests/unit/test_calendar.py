"""The working calendar: cases reckoned by hand, laws that hold for every time, and what a wrong file is told."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.demo.worktime import WorkTime
from schemas.calendar import WorkingCalendar
from schemas.calendar_files import load_calendars
from schemas.deadline import Term, due_at
from schemas.errors import DeclarationError
from schemas.time import Interval
from tests.unit.working_days import FEEDBACK, OPENINGS, PAUSED, TERMS, WORKED, rows

DECLARED = load_calendars()
OFFICE = DECLARED.calendars["office"]

INSTANTS = st.integers(1_641_000_000, 1_798_000_000).map(lambda second: datetime.fromtimestamp(second, UTC))
AMOUNTS = st.integers(1, 400 * 3600).map(lambda seconds: timedelta(seconds=seconds))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=OFFICE.zone)


def shown(instant: datetime) -> str:
    return instant.astimezone(OFFICE.zone).strftime("%Y-%m-%d %H:%M")


def term(text: str) -> Term:
    unit, number, *roll = text.split()
    value = float(number) if "working" in unit else int(number)
    return Term.model_validate({unit: value, "roll": bool(roll)})


def test_there_are_enough_worked_cases() -> None:
    assert sum(len(rows(table)) for table in (TERMS, WORKED, OPENINGS, FEEDBACK, PAUSED)) >= 100


@pytest.mark.parametrize(("calendar", "start", "length", "due"), rows(TERMS))
def test_a_term_ends_when_it_should(calendar: str, start: str, length: str, due: str) -> None:
    assert shown(due_at(term(length), at(start), DECLARED.calendars[calendar])) == due


@pytest.mark.parametrize(("calendar", "start", "end", "hours"), rows(WORKED))
def test_working_time_between_two_times(calendar: str, start: str, end: str, hours: str) -> None:
    assert DECLARED.calendars[calendar].working_seconds(at(start), at(end)) == float(hours) * 3600


@pytest.mark.parametrize(("calendar", "start", "opening"), rows(OPENINGS))
def test_the_next_opening(calendar: str, start: str, opening: str) -> None:
    found = DECLARED.calendars[calendar].next_opening(at(start))
    assert shown(found) == opening
    assert DECLARED.calendars[calendar].is_working(found)


@pytest.mark.parametrize(("urgency", "received", "extensions", "due"), rows(FEEDBACK))
def test_field_feedback_is_due(urgency: str, received: str, extensions: str, due: str) -> None:
    found = DECLARED.deadlines["feedback"].due(urgency, at(received), int(extensions))
    assert found is not None
    assert shown(found) == due


def test_an_urgency_without_a_term_has_no_due_time() -> None:
    assert DECLARED.deadlines["feedback"].due("UNHEARD_OF", at("2022-08-22 10:00")) is None


@pytest.mark.parametrize(("start", "length", "paused", "until", "due"), rows(PAUSED))
def test_time_spent_waiting_for_papers_moves_the_due_time(
    start: str, length: str, paused: str, until: str, due: str
) -> None:
    pauses = [Interval(at(paused), at(until))]
    assert shown(due_at(term(length), at(start), OFFICE, pauses)) == due
    halves = [Interval(at(paused), at(until)), Interval(at(paused), at(until))]
    assert shown(due_at(term(length), at(start), OFFICE, halves)) == due


def test_noon_and_five_sharp_are_no_longer_working_time() -> None:
    works = {
        text: OFFICE.is_working(at(f"2022-08-22 {text}")) for text in ("06:59", "07:00", "11:29", "11:30", "16:59")
    }
    assert works == {"06:59": False, "07:00": True, "11:29": True, "11:30": False, "16:59": True}
    assert not OFFICE.is_working(at("2022-08-22 17:00"))


@pytest.mark.parametrize(
    ("year", "off"),
    [
        (2022, "01-03 01-31 02-01 02-02 02-03 02-04 04-11 05-02 05-03 09-01 09-02"),
        (2023, "01-02 01-20 01-23 01-24 01-25 01-26 05-01 05-02 05-03 09-01 09-04"),
        (2024, "01-01 02-08 02-09 02-12 02-13 02-14 04-18 04-29 04-30 05-01 09-02 09-03"),
        (2025, "01-01 01-27 01-28 01-29 01-30 01-31 04-07 04-30 05-01 05-02 09-01 09-02"),
        (2026, "01-01 01-02 02-16 02-17 02-18 02-19 02-20 04-27 04-30 05-01 08-31 09-01 09-02 11-24"),
    ],
)
def test_the_weekdays_off_of_a_year(year: int, off: str) -> None:
    days = [date(year, 1, 1) + timedelta(number) for number in range(365)]
    found = [day.strftime("%m-%d") for day in days if day.weekday() < 5 and not OFFICE.is_working_day(day)]
    assert " ".join(found) == off


def test_the_saturdays_that_are_worked() -> None:
    days = [date(2022, 1, 1) + timedelta(number) for number in range(5 * 365)]
    found = [day.isoformat() for day in days if day.weekday() > 4 and OFFICE.is_working_day(day)]
    assert found == ["2024-05-04", "2025-04-26", "2026-01-10", "2026-08-22"]


def test_a_year_that_was_not_announced_yet_says_so() -> None:
    assert OFFICE.is_announced(2026)
    assert not OFFICE.is_announced(2031)
    assert DECLARED.calendars["continuous"].is_announced(2031)
    assert not OFFICE.is_working_day(date(2031, 1, 23)), "Tết of a year without a table comes from the law"


def test_working_days_are_counted_both_ways() -> None:
    assert OFFICE.working_day(date(2024, 4, 26), 3) == date(2024, 5, 4)
    assert OFFICE.working_day(date(2024, 5, 4), -3) == date(2024, 4, 26)
    assert OFFICE.working_day(date(2022, 2, 1), 0) == date(2022, 2, 7)
    assert OFFICE.closing(date(2022, 2, 1)) is None
    assert shown(OFFICE.closing(date(2022, 8, 22)) or at("2022-01-01")) == "2022-08-22 17:00"


@settings(deadline=None)
@given(INSTANTS, AMOUNTS)
def test_what_was_added_has_been_worked(start: datetime, amount: timedelta) -> None:
    end = OFFICE.add(start, amount)
    assert OFFICE.elapsed(start, end) == amount
    assert OFFICE.elapsed(end, start) == -amount


@settings(deadline=None)
@given(INSTANTS, AMOUNTS)
def test_taking_away_what_was_added_leads_back_to_the_opening(start: datetime, amount: timedelta) -> None:
    assert OFFICE.add(OFFICE.add(start, amount), -amount) == OFFICE.next_opening(start)


@settings(deadline=None)
@given(INSTANTS, AMOUNTS, AMOUNTS)
def test_two_steps_lead_where_one_does(start: datetime, one: timedelta, other: timedelta) -> None:
    assert OFFICE.add(OFFICE.add(start, one), other) == OFFICE.add(start, one + other)


@settings(deadline=None)
@given(INSTANTS, INSTANTS, AMOUNTS)
def test_who_starts_later_does_not_end_earlier(one: datetime, other: datetime, amount: timedelta) -> None:
    first, last = sorted((one, other))
    assert OFFICE.add(first, amount) <= OFFICE.add(last, amount)
    assert OFFICE.elapsed(first, last) >= timedelta(0)


@settings(deadline=None)
@given(INSTANTS, INSTANTS, INSTANTS)
def test_working_time_adds_up(one: datetime, other: datetime, third: datetime) -> None:
    first, middle, last = sorted((one, other, third))
    assert OFFICE.elapsed(first, middle) + OFFICE.elapsed(middle, last) == OFFICE.elapsed(first, last)
    pieces = OFFICE.intervals(first, last)
    assert sum((piece.end - piece.start for piece in pieces), timedelta(0)) == OFFICE.elapsed(first, last)


@settings(deadline=None)
@given(
    st.integers(1_641_000_000, 1_671_000_000),
    st.integers(0, 500 * 3600),
)
def test_the_simulators_own_reckoning_agrees_for_2022(start: int, worked: int) -> None:
    """An independent layout of the same year: the simulated systems never ask the product."""
    other = WorkTime(start, 1_672_000_000)
    end = int(other.at(np.array([worked + 1]))[0])
    begin = datetime.fromtimestamp(start, UTC)
    if end < 1_672_000_000:
        assert OFFICE.working_seconds(begin, datetime.fromtimestamp(end, UTC)) == worked + 1
        assert OFFICE.add(begin, timedelta(seconds=worked + 1)) == datetime.fromtimestamp(end, UTC)


def test_an_instant_without_a_zone_is_refused() -> None:
    with pytest.raises(TypeError, match="zone"):
        OFFICE.add(datetime(2022, 8, 22, 7), timedelta(hours=1))  # noqa: DTZ001


def test_a_time_beyond_all_years_is_refused() -> None:
    with pytest.raises(ValueError, match="outside the calendar's years"):
        OFFICE.add(datetime(2199, 12, 31, tzinfo=UTC), timedelta(days=3650))


MINE = """id: mine
name: {vi: Của tôi, en: Mine}
timezone: Asia/Ho_Chi_Minh
country: VN
days: vn
hours:
  mon-fri: ["08:00-12:00", "13:00-17:00"]
"""
HEADER = "date,kind,pair,name_vi,name_en,source\n"


def calendar(root: Path, text: str) -> WorkingCalendar:
    (root / "mine.yaml").write_text(text, encoding="utf-8")
    return load_calendars(root).calendars["mine"]


def test_a_department_declares_its_own_hours(tmp_path: Path) -> None:
    mine = calendar(tmp_path, MINE)
    assert shown(mine.add(at("2022-01-28 16:30"), timedelta(hours=1))) == "2022-02-07 08:30"


def test_a_year_is_announced_by_a_file_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "days").mkdir()
    rows_2027 = "2027-02-11,off,2027-02-20,Nghỉ,Off,Dự kiến\n2027-02-20,work,2027-02-11,Làm bù,Worked,Dự kiến\n"
    (tmp_path / "days" / "vn-2027.csv").write_text(HEADER + rows_2027, encoding="utf-8")
    office = load_calendars(tmp_path).calendars["office"]
    assert office.is_announced(2027)
    assert not office.is_working_day(date(2027, 2, 11))
    assert office.is_working_day(date(2027, 2, 20))


@pytest.mark.parametrize(
    ("right", "wrong", "path", "message"),
    [
        ("Asia/Ho_Chi_Minh", "Asia/Tay_Ninh", "timezone", "line 3: “timezone” is no time zone: 'Asia/Tay_Ninh'"),
        ("hours:", "hous:", "hous", "did you mean “hours”"),
        ("mon-fri", "mon-fry", "hours.mon-fry", "line 7: “hours.mon-fry” is no known day; did you mean “fri”"),
        ("mon-fri", "fri-mon", "hours.fri-mon", "runs backwards"),
        ("08:00-12:00", "08:00-13:30", "hours.mon-fri.1", "“hours.mon-fri.1” overlaps “08:00-13:30”"),
        ("08:00-12:00", "12:00-08:00", "hours.mon-fri.0", "is no span of hours"),
        ("08:00-12:00", "8h-12h", "hours.mon-fri.0", "is no span of hours"),
        ("13:00-17:00", "13:00-25:00", "hours.mon-fri.1", "is no span of hours"),
        ("days: vn", "days: vnn", "days", "“days” is no known table; did you mean “vn”"),
        ("country: VN", "country: VNN", "country", "is no ISO 3166 code"),
        ("country: VN", "country: VN\nday_hours: 25", "day_hours", "at most 24"),
        ('["08:00-12:00", "13:00-17:00"]', "[]", "hours", "no working hours"),
        ("id: mine", "id: mine\nid: mine", "id", "stands twice"),
        ("id: mine", "id: office", "id", "in another file already"),
    ],
)
def test_a_wrong_calendar_is_refused_with_its_place(
    tmp_path: Path, right: str, wrong: str, path: str, message: str
) -> None:
    with pytest.raises(DeclarationError) as caught:
        calendar(tmp_path, MINE.replace(right, wrong, 1))
    assert message in str(caught.value)
    assert caught.value.path == path
    assert caught.value.text.vi.startswith(("mine.yaml", "office.yaml"))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("2027-02-30,off,,a,b,c", "line 2: “date” is no date such as 2026-02-17: '2027-02-30'"),
        ("2026-02-11,off,,a,b,c", "line 2: “date” 2026-02-11 is not in 2027"),
        ("2027-02-11,of,,a,b,c", "“kind” must be off or work; did you mean “off”?"),
        ("2027-02-11,off,,,b,c", "“name_vi” is missing"),
        ("2027-02-11,off,,a,b,", "“source” is missing"),
        ("2027-02-11,off,a,b,c", "5 values, not 6"),
        ("2027-02-11,off,,a,b,c\n2027-02-11,off,,a,b,c", "line 3: “date” 2027-02-11 stands in line 2 already"),
        ("2027-03-10,work,,a,b,c", "is a working day anyway"),
        ("2027-02-11,off,2027-02-20,a,b,c", "the table lacks the row “2027-02-20,work,2027-02-11”"),
    ],
)
def test_a_wrong_day_is_refused_with_its_place(tmp_path: Path, row: str, message: str) -> None:
    (tmp_path / "days").mkdir()
    (tmp_path / "days" / "vn-2027.csv").write_text(HEADER + row + "\n", encoding="utf-8")
    with pytest.raises(DeclarationError) as caught:
        load_calendars(tmp_path)
    assert message in str(caught.value)
    assert "vn-2027.csv" in caught.value.text.vi


def test_a_table_with_a_wrong_name_or_heading_is_refused(tmp_path: Path) -> None:
    (tmp_path / "days").mkdir()
    (tmp_path / "days" / "vn-2027.csv").write_text("date,kin\n", encoding="utf-8")
    with pytest.raises(DeclarationError, match="“kin” is no known key; did you mean “kind”"):
        load_calendars(tmp_path)
    (tmp_path / "days" / "vn-2027.csv").unlink()
    (tmp_path / "days" / "2027.csv").write_text(HEADER, encoding="utf-8")
    with pytest.raises(DeclarationError, match="must be <table>-<year>"):
        load_calendars(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("terms: {A: {hours: 1, days: 2}}", "“terms.A” needs exactly one of minutes, hours, days"),
        ("terms: {A: {hour: 1}}", "“terms.A.hour” is no known key; did you mean “hours”"),
        ("terms: {}", "“terms” must have at least 1 items"),
        ("terms: {A: {hours: 1}}\ncalendar: offce", "“calendar” = “offce” is no known calendar; did you mean “office”"),
    ],
)
def test_wrong_deadlines_are_refused_with_their_place(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "deadlines").mkdir()
    body = f"id: mine\nname: {{vi: a, en: b}}\nby: urgency\n{text}\n"
    (tmp_path / "deadlines" / "mine.yaml").write_text(body, encoding="utf-8")
    with pytest.raises(DeclarationError) as caught:
        load_calendars(tmp_path)
    assert message in str(caught.value)
