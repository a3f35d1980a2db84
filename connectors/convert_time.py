"""Converters of times: to UTC epoch milliseconds, and to the code set in force. Pure; see `connectors/convert.py`."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from connectors.clock import EPOCH
from connectors.convert import Convert
from connectors.errors import MappingError
from connectors.memo import Memo
from connectors.misfit import TYPES, bad_time, out_of_range, wrong_type

MILLISECOND = timedelta(milliseconds=1)
EARLIEST_MS = (datetime(2000, 1, 1, tzinfo=UTC) - EPOCH) // MILLISECOND
LATEST_MS = (datetime(2100, 1, 1, tzinfo=UTC) - EPOCH) // MILLISECOND
MINUTES = {f":{minute:02d}": minute * 60_000 for minute in range(60)}
SECONDS = {f":{second:02d}": second * 1000 for second in range(60)}


def _within_a_century(millis: int) -> int:
    if EARLIEST_MS <= millis < LATEST_MS:
        return millis
    raise out_of_range("2000", "2099")


def iso_time(zone: ZoneInfo) -> Convert:
    """RFC 3339 → UTC epoch milliseconds; a time without an offset is local in `zone`."""
    parse = datetime.fromisoformat

    def convert(value: Any) -> int:
        if value.__class__ is not str:
            raise wrong_type(value, TYPES[str])
        try:
            moment = parse(value)
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=zone)
            millis = (moment - EPOCH) // MILLISECOND
        except (ValueError, OverflowError):
            raise bad_time("2022-08-23T08:15:00+07:00") from None
        return _within_a_century(millis)

    return convert


_DIGITS = {"%d": ("day", 2), "%m": ("month", 2), "%Y": ("year", 4), "%H": ("hour", 2), "%M": ("minute", 2)}


def _reader(pattern: str) -> Callable[[str], datetime]:
    """strptime for `pattern`; where it has only plain numbers, a regular expression five times as fast."""
    directives = re.findall(r"%.", pattern)
    if not set(directives) <= set(_DIGITS) or len(directives) != len(set(directives)):
        return lambda value: datetime.strptime(value, pattern)  # noqa: DTZ007 - the caller adds the zone
    expression = re.escape(pattern)
    for directive, (name, width) in _DIGITS.items():
        expression = expression.replace(re.escape(directive), rf"(?P<{name}>[0-9]{{1,{width}}})")
    fullmatch = re.compile(expression).fullmatch

    def read(value: str) -> datetime:
        match = fullmatch(value)
        if match is None:
            raise ValueError
        parts = {"year": 1900, "month": 1, "day": 1} | {name: int(part) for name, part in match.groupdict().items()}
        return datetime(**parts)  # type: ignore[arg-type]  # noqa: DTZ001 - the caller adds the zone

    return read


def local_time(pattern: str, zone: ZoneInfo) -> Convert:
    """Local time by a strptime pattern → UTC epoch milliseconds. Whole hours are parsed once and remembered."""
    by_hour = pattern.endswith(":%M:%S")
    head = pattern[:-6] if by_hour else pattern

    read = _reader(head)

    def parse(value: str) -> int:
        try:
            moment = read(value).replace(tzinfo=zone)
        except ValueError:
            raise bad_time(pattern) from None
        return _within_a_century((moment - EPOCH) // MILLISECOND)

    memo = Memo(parse)

    def convert(value: Any) -> int:
        if value.__class__ is not str:
            raise wrong_type(value, TYPES[str])
        if not by_hour:
            return memo[value]
        try:
            return memo[value[:-6]] + MINUTES[value[-6:-3]] + SECONDS[value[-3:]]
        except KeyError:
            raise bad_time(pattern) from None

    return convert


def time_by(pattern: str, zone: ZoneInfo) -> Convert:
    """`iso` or a strptime pattern."""
    return iso_time(zone) if pattern == "iso" else local_time(pattern, zone)


def time_by_any(patterns: tuple[str, ...], zone: ZoneInfo) -> Convert:
    """The first of several forms that fits; the error names the last one."""
    readers = [time_by(pattern, zone) for pattern in patterns]
    if len(readers) == 1:
        return readers[0]

    def convert(value: Any) -> int:
        for reader in readers[:-1]:
            try:
                found: int = reader(value)
            except MappingError:
                continue
            return found
        last: int = readers[-1](value)
        return last

    return convert


def codeset(moment: Convert, steps: tuple[tuple[date | None, str], ...], zone: ZoneInfo) -> Convert:
    """The code set in force at a time: of the first step whose day (local midnight) has not begun."""
    bounds = tuple(
        (
            (datetime(day.year, day.month, day.day, tzinfo=zone) - EPOCH) // MILLISECOND if day else LATEST_MS,
            value,
        )
        for day, value in steps
    )

    def convert(value: Any) -> str:
        millis = moment(value)
        for bound, name in bounds:
            if millis < bound:
                return name
        return bounds[-1][1]

    return convert
