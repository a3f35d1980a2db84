"""`connectors.convert_time` for whole columns of times that all have one width, digits at fixed places. Pure.

What is not of that form, or not within the century, gives None: then every value is looked at by itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from connectors.clock import EPOCH
from connectors.convert_time import EARLIEST_MS, LATEST_MS, MILLISECOND

Numbers = npt.NDArray[np.int64]
Times = Callable[[Sequence[str]], Numbers | None]
"""From texts to UTC epoch milliseconds."""

HOUR_MS, MINUTE_MS, SECOND_MS = 3_600_000, 60_000, 1_000
_PARTS = {"%Y": "YYYY", "%m": "mm", "%d": "dd", "%H": "HH", "%M": "MM", "%S": "SS"}
_ISO = "YYYY-mm-ddTHH:MM:SS"
_FIRST_DAY, _LAST_DAY = date(2000, 1, 1), date(2100, 1, 1)
_UNKNOWN, _CHANGING = np.iinfo(np.int64).min, np.iinfo(np.int64).max
"""In the place of a day's offset: not asked for yet, and not the same all day."""


def column_times(pattern: str, zone: ZoneInfo) -> Times | None:
    """For `iso` or a strptime pattern, as `convert_time.time_by`; None for patterns that are read one by one alone."""
    if pattern == "iso":
        return _iso(zone)
    directives = re.findall(r"%.", pattern)
    by_hour = pattern.endswith(":%M:%S")
    allowed = set(_PARTS) if by_hour else set(_PARTS) - {"%S"}
    if not {"%Y", "%m", "%d"} <= set(directives) <= allowed or len(directives) != len(set(directives)):
        return None
    if re.search(r"[YmdHMS]", re.sub(r"%.", "", pattern)) or not pattern.isascii():
        return None
    shape = re.sub(r"%.", lambda match: _PARTS[match[0]], pattern)
    read, offsets = _shape(shape), _offsets(zone)

    def convert(texts: Sequence[str]) -> Numbers | None:
        octets = _octets(texts, len(shape))
        local = None if octets is None else read(octets)
        return None if local is None else _utc(local, offsets)

    return convert


def _iso(zone: ZoneInfo) -> Times:
    bare, offsets = _shape(_ISO), _offsets(zone)

    def convert(texts: Sequence[str]) -> Numbers | None:
        width = len(texts[0]) if texts else 0
        octets = _octets(texts, width)
        local = None if octets is None or width < len(_ISO) else bare(octets[:, : len(_ISO)])
        if octets is None or local is None:
            return None
        rest = octets[:, len(_ISO) :]
        if width == len(_ISO):
            return _utc(local, offsets)
        if width == len(_ISO) + 1:
            return _within(local) if (rest == ord("Z")).all() else None
        offset = _written_offset(rest)
        return None if offset is None else _within(local - offset)

    return convert


_OFFSET_WIDTH = len("+07:00")


def _written_offset(octets: npt.NDArray[np.uint8]) -> Numbers | None:
    if octets.shape[1] != _OFFSET_WIDTH or not (octets[:, 3] == ord(":")).all():
        return None
    signs = octets[:, 0]
    digits = octets[:, (1, 2, 4, 5)] - np.uint8(ord("0"))
    if (digits > 9).any() or not ((signs == ord("+")) | (signs == ord("-"))).all():
        return None
    hours, minutes = _number(digits, 0, 2), _number(digits, 2, 4)
    if (hours > 23).any() or (minutes > 59).any():
        return None
    offset = hours * HOUR_MS + minutes * MINUTE_MS
    return np.where(signs == ord("-"), -offset, offset)


class _Shape:
    """Reads local times whose digits stand at fixed places: `YYYY`, `mm`, `dd`, `HH`, `MM`, `SS`, and marks."""

    def __init__(self, shape: str) -> None:
        self._marks = [place for place, letter in enumerate(shape) if not re.match(r"[YmdHMS]", letter)]
        self._expected = np.array([ord(shape[place]) for place in self._marks], dtype=np.uint8)
        self._digits = [place for place, letter in enumerate(shape) if re.match(r"[YmdHMS]", letter)]
        letters = "".join(shape[place] for place in self._digits)
        self._parts = {letter: (letters.index(letter), letters.rindex(letter) + 1) for letter in set(letters)}

    def __call__(self, octets: npt.NDArray[np.uint8]) -> Numbers | None:
        """Milliseconds since 1970, local; of years from 2000 to 2099."""
        digits = octets[:, self._digits] - np.uint8(ord("0"))
        if (digits > 9).any() or not (octets[:, self._marks] == self._expected).all():
            return None
        part = {letter: _number(digits, *places) for letter, places in self._parts.items()}
        zero = np.zeros(1, dtype=np.int64)
        hours, minutes, seconds = (part.get(letter, zero) for letter in "HMS")
        year, month, day = part["Y"] - 2000, part["m"] - 1, part["d"] - 1
        fits = (year >= 0) & (year < 100) & (month >= 0) & (month < 12) & (day >= 0) & (day < 31)
        if not fits.all() or (hours > 23).any() or (minutes > 59).any() or (seconds > 59).any():
            return None
        days: Numbers = _days()[(year * 12 + month) * 31 + day]
        if (days < 0).any():
            return None
        local: Numbers = days * (24 * HOUR_MS) + hours * HOUR_MS + minutes * MINUTE_MS + seconds * SECOND_MS
        return local


@cache
def _shape(shape: str) -> _Shape:
    return _Shape(shape)


@cache
def _days() -> Numbers:
    """Days since 1970 by (year from 2000, month, day), each from 0; -1 where there is no such day."""
    days = np.arange(np.datetime64(_FIRST_DAY), np.datetime64(_LAST_DAY))
    months = days.astype("datetime64[M]")
    number, month = days.astype(np.int64), months.astype(np.int64)
    table = np.full(100 * 12 * 31, -1, dtype=np.int64)
    table[(month - month[0]) * 31 + number - months.astype(days.dtype).astype(np.int64)] = number
    return table


class _Offsets:
    """A zone's offsets at local times, in milliseconds, day by day."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._by_day = np.full((_LAST_DAY - _FIRST_DAY).days, _UNKNOWN, dtype=np.int64)

    def __call__(self, local: Numbers) -> Numbers | None:
        """None if the clock is changed on one of the days."""
        days = local // (24 * HOUR_MS) - (_FIRST_DAY - EPOCH.date()).days
        offsets = self._by_day[days]
        if (offsets == _UNKNOWN).any():
            for day in np.unique(days[offsets == _UNKNOWN]).tolist():
                self._by_day[day] = self._of(day)
            offsets = self._by_day[days]
        return None if (offsets == _CHANGING).any() else offsets

    def _of(self, day: int) -> int:
        begin = datetime.combine(_FIRST_DAY + timedelta(days=day), time(), self._zone)
        end = begin + timedelta(days=1)
        offset, then = begin.utcoffset(), end.utcoffset()
        return offset // MILLISECOND if offset is not None and offset == then else _CHANGING


@cache
def _offsets(zone: ZoneInfo) -> _Offsets:
    """One for all columns of all connectors: each has 300 kB."""
    return _Offsets(zone)


def _octets(texts: Sequence[str], width: int) -> npt.NDArray[np.uint8] | None:
    """The characters of texts that are ASCII and all of one width, at least one; None if they are not."""
    joined = "".join(texts)
    if not joined or not joined.isascii() or set(map(len, texts)) != {width}:
        return None
    return np.frombuffer(joined.encode(), dtype=np.uint8).reshape(-1, width)


def _number(digits: npt.NDArray[np.uint8], first: int, end: int) -> Numbers:
    value = digits[:, first].astype(np.int64)
    for place in range(first + 1, end):
        value = value * 10 + digits[:, place]
    return value


def _utc(local: Numbers, offsets: _Offsets) -> Numbers | None:
    offset = offsets(local)
    return None if offset is None else _within(local - offset)


def _within(millis: Numbers) -> Numbers | None:
    """None near the century's bounds too, where a whole hour may be judged by its start."""
    return millis if ((millis >= EARLIEST_MS + HOUR_MS) & (millis < LATEST_MS)).all() else None


def column_codesets(times: Times, steps: tuple[tuple[date | None, str], ...], zone: ZoneInfo) -> Callable[..., Any]:
    """As `convert_time.codeset`: the names of the sets in force, or None."""
    # The first step whose day has not begun, in whatever order they stand.
    bounds = np.maximum.accumulate(np.array([_midnight(day, zone) for day, _ in steps], dtype=np.int64))
    names = [name for _, name in steps]

    def convert(texts: Sequence[str]) -> list[str] | None:
        millis = times(texts)
        if millis is None:
            return None
        return [names[place] for place in np.searchsorted(bounds, millis, side="right").tolist()]

    return convert


def _midnight(day: date | None, zone: ZoneInfo) -> int:
    if day is None:
        return LATEST_MS
    return (datetime(day.year, day.month, day.day, tzinfo=zone) - EPOCH) // MILLISECOND
