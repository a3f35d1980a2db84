"""Calendars as declared: `calendars/<id>.yaml`, the days they lean on, and `calendars/deadlines/<id>.yaml`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, field_validator

from schemas.calendar import WEEKDAYS, Window, WorkingCalendar
from schemas.day_tables import day_table, load_day_rows
from schemas.days import COUNTRIES
from schemas.deadline import DeadlineDeclaration, Deadlines
from schemas.declaration import BilingualText, MisdeclaredError, Section, misdeclared, parse, read_yaml, unknown_key
from schemas.errors import DeclarationError
from schemas.text import Text
from schemas.time import minute_of, zone_called

OFFICE = "office"
"""The calendar of whoever names none."""
ID = r"^[a-z0-9][a-z0-9-]{0,62}$"
_SPAN = re.compile(r"\s*(\S+?)\s*[-–]\s*(\S+)\s*").fullmatch

Hours = tuple[tuple[Window, ...], ...]


@dataclass(frozen=True, slots=True)
class Calendars:
    """All calendars and deadlines by id."""

    calendars: Mapping[str, WorkingCalendar]
    deadlines: Mapping[str, Deadlines]


class _CalendarFile(Section):
    """`hours`: windows `HH:MM-HH:MM` by weekday (`mon`) or span of weekdays (`mon-fri`).

    `country`: whose public holidays (ISO 3166; none: no holidays); `days`: the table of announced days.
    """

    id: str = Field(pattern=ID)
    name: BilingualText
    timezone: str
    country: str | None = None
    days: str | None = None
    day_hours: float = Field(8, gt=0, le=24)
    hours: dict[str, tuple[str, ...]]

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        zone_called(value)
        return value

    @field_validator("country")
    @classmethod
    def _known_country(cls, value: str | None) -> str | None:
        if value is not None and value not in COUNTRIES:
            raise MisdeclaredError("không phải mã nước ISO 3166; Việt Nam là VN", "is no ISO 3166 code; Vietnam is VN")
        return value

    @field_validator("hours")
    @classmethod
    def _hours(cls, value: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        hours_of(value)
        return value


def hours_of(declared: Mapping[str, Sequence[str]]) -> Hours:
    """The windows of Monday to Sunday; MisdeclaredError names the first wrong one."""
    week: dict[str, tuple[Window, ...]] = {}
    for key, texts in declared.items():
        windows = tuple(_window(text, (key, str(number))) for number, text in enumerate(texts))
        for number, (one, other) in enumerate(pairwise(windows), start=1):
            if other[0] < one[1]:
                raise MisdeclaredError(
                    f"chồng lên «{texts[number - 1]}» hoặc không theo thứ tự",
                    f"overlaps “{texts[number - 1]}” or is out of order",
                    (key, str(number)),
                )
        for day in _weekdays(key):
            if day in week:
                raise MisdeclaredError(f"ngày «{day}» đã có giờ", f"the day “{day}” has hours already", (key,))
            week[day] = windows
    if not any(week.values()):
        raise MisdeclaredError("không có giờ làm việc nào", "holds no working hours at all")
    return tuple(week.get(day, ()) for day in WEEKDAYS)


def _weekdays(key: str) -> tuple[str, ...]:
    first, _, last = key.partition("-")
    for name in filter(None, (first, last)):
        if name not in WEEKDAYS:
            raise MisdeclaredError(*unknown_key(name, WEEKDAYS, "ngày", "day"), at=(key,))
    start, end = WEEKDAYS.index(first), WEEKDAYS.index(last or first)
    if end < start:
        raise MisdeclaredError("khoảng ngày đi ngược", "the span of days runs backwards", (key,))
    return WEEKDAYS[start : end + 1]


def _window(text: str, at: tuple[str, ...]) -> Window:
    match = _SPAN(text)
    try:
        window = (minute_of(match[1]), minute_of(match[2])) if match else None
    except MisdeclaredError:
        window = None
    if window is None or window[0] >= window[1]:
        raise MisdeclaredError(
            f"không phải khoảng giờ dạng 07:00-11:30: {text!r}", f"is no span of hours 07:00-11:30: {text!r}", at
        )
    return window


def package_root() -> Path:
    """The calendars that come with the hub."""
    return Path(str(files("schemas"))) / "calendars"


@cache
def package_calendars() -> Mapping[str, WorkingCalendar]:
    """The calendars that come with the hub, read once."""
    return load_calendars().calendars


def load_calendars(*roots: Path) -> Calendars:
    """Calendars and deadlines of the package, then of `roots`; a later file of the same name replaces an earlier one.

    Reads files. DeclarationError names file, line, path and cure.
    """
    places = (package_root(), *roots)
    rows = load_day_rows(places)
    calendars: dict[str, WorkingCalendar] = {}
    for path in _newest(places, "*.yaml"):
        raw, tree = read_yaml(path)
        declared = parse(_CalendarFile, raw, path.name, tree)
        _refuse_double(declared.id, calendars, path)
        calendars[declared.id] = _calendar(declared, rows, path.name, tree)
    deadlines: dict[str, Deadlines] = {}
    for path in _newest(places, "deadlines/*.yaml"):
        raw, tree = read_yaml(path)
        rules = parse(DeadlineDeclaration, raw, path.name, tree)
        _refuse_double(rules.id, deadlines, path)
        deadlines[rules.id] = rules.with_calendar(calendar_called(rules.calendar, calendars, path.name, tree))
    return Calendars(calendars, deadlines)


def calendar_called(
    name: str,
    calendars: Mapping[str, WorkingCalendar],
    file: str,
    tree: yaml.Node | None,
    loc: tuple[str, ...] = ("calendar",),
) -> WorkingCalendar:
    """The calendar of that id; DeclarationError with the nearest right one."""
    if name not in calendars:
        vi, en = unknown_key(name, calendars, "lịch", "calendar")
        raise misdeclared(file, tree, loc, Text(f"= «{name}»: {vi}", f"= “{name}” {en}"))
    return calendars[name]


def _newest(roots: Sequence[Path], pattern: str) -> list[Path]:
    found: dict[str, Path] = {}
    for root in roots:
        found |= {path.name: path for path in sorted(root.glob(pattern))}
    return [found[name] for name in sorted(found)]


def _refuse_double(name: str, known: Mapping[str, Any], path: Path) -> None:
    if name in known:
        raise DeclarationError(
            Text(
                f"{path.name}: mã «{name}» đã có ở tệp khác", f"{path.name}: the id “{name}” is in another file already"
            ),
            path="id",
        )


def _calendar(
    declared: _CalendarFile, rows: Mapping[str, Mapping[int, Any]], file: str, tree: yaml.Node
) -> WorkingCalendar:
    if declared.days is not None and declared.days not in rows:
        raise misdeclared(file, tree, ("days",), Text(*unknown_key(declared.days, rows, "bảng", "table")))
    table = None
    if declared.country is not None or declared.days is not None:
        name = declared.days or ""
        table = day_table(name, declared.country, rows.get(name, {}))
    return WorkingCalendar(
        id=declared.id,
        name=Text(declared.name.vi, declared.name.en),
        zone=zone_called(declared.timezone),
        hours=hours_of(declared.hours),
        day_length=timedelta(hours=declared.day_hours),
        days=table,
    )
