"""`connectors.convert_time` for whole columns of times that all have one width, digits at fixed places. Pure.

What is not of that form, or not within the century, gives None: then every value is looked at by itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from functools import cache, lru_cache
from typing import Any, NamedTuple
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


@cache
def column_times(pattern: str, zone: ZoneInfo) -> Times | None:
    """For `iso` or a strptime pattern, as `convert_time.time_by`; None for patterns that are read one by one alone.

    Two fields of one column, as a time and the code set of its day, have it read once.
    """
    times = _iso(zone) if pattern == "iso" else _patterned(pattern, zone)
    if times is None:
        return None
    last: tuple[Sequence[str], Numbers | None] = (), None

    def convert(texts: Sequence[str]) -> Numbers | None:
        nonlocal last
        known = last
        if known[0] is not texts:
            known = last = texts, times(texts)
        return known[1]

    return convert


def _patterned(pattern: str, zone: ZoneInfo) -> Times | None:
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


def _written_offset(octets: npt.NDArray[np.uint8]) -> Numbers | int | None:
    """Of each row, or of all: they mostly have the same."""
    if (octets == octets[0]).all():
        return _offset_of(octets[0].tobytes())
    found = [_offset_of(row.tobytes()) for row in octets]
    return None if None in found else np.array(found, dtype=np.int64)


@lru_cache(maxsize=256)
def _offset_of(written: bytes) -> int | None:
    found = re.fullmatch(rb"([+-])(\d\d):(\d\d)", written)
    if found is None or int(found[2]) > 23 or int(found[3]) > 59:
        return None
    offset = int(found[2]) * HOUR_MS + int(found[3]) * MINUTE_MS
    return -offset if found[1] == b"-" else offset


class _Part(NamedTuple):
    """Two digits of a time: their bounds, and what one of them adds to the place in `_days` and to the milliseconds."""

    low: int
    high: int
    place: int = 0
    millis: int = 0


_PAIRS = {
    "Y": (_Part(20, 20), _Part(0, 99, place=12 * 31)),
    "m": (_Part(1, 12, place=31),),
    "d": (_Part(1, 31, place=1),),
    "H": (_Part(0, 23, millis=HOUR_MS),),
    "M": (_Part(0, 59, millis=MINUTE_MS),),
    "S": (_Part(0, 59, millis=SECOND_MS),),
}
_FIRST_PLACE = 31 + 1
"""What the first month and day add, which are numbered from 1."""


class _Shape:
    """Reads local times whose digits stand at fixed places: `YYYY`, `mm`, `dd`, `HH`, `MM`, `SS`, and marks.

    Two digits at a time, all of them at once: each call of NumPy costs a small batch 3 µs.
    """

    def __init__(self, shape: str) -> None:
        self._marks = [place for place, letter in enumerate(shape) if letter not in _PAIRS]
        self._expected = np.array([ord(shape[place]) for place in self._marks], dtype=np.uint8)
        self._tens = [place for letter in "YmdHMS" for place in _places(shape, letter)[::2]]
        self._ones = [place + 1 for place in self._tens]
        parts = [part for letter in "YmdHMS" if letter in shape for part in _PAIRS[letter]]
        self._low, self._high = (
            np.array([bound], dtype=np.int16) for bound in zip(*(part[:2] for part in parts), strict=True)
        )
        self._adds = np.array([part[2:] for part in parts], dtype=np.int64)

    def __call__(self, octets: npt.NDArray[np.uint8]) -> Numbers | None:
        """Milliseconds since 1970, local; of years from 2000 to 2099."""
        if not (octets[:, self._marks] == self._expected).all():
            return None
        pairs = _two_digits()[(octets[:, self._tens].astype(np.uint16) << 8) | octets[:, self._ones]]
        if ((pairs < self._low) | (pairs > self._high)).any():
            return None
        # Of whole numbers: of floats the linear algebra behind NumPy would set all cores to work.
        found = pairs.astype(np.int64) @ self._adds
        days: Numbers = _days()[found[:, 0] - _FIRST_PLACE]
        if (days < 0).any():
            return None
        local: Numbers = days * (24 * HOUR_MS) + found[:, 1]
        return local


def _places(shape: str, letter: str) -> list[int]:
    return [place for place, each in enumerate(shape) if each == letter]


@cache
def _two_digits() -> npt.NDArray[np.int16]:
    """The number that two characters are, by the first times 256 and the second; -1 for what is none."""
    table = np.full(1 << 16, -1, dtype=np.int16)
    for number in range(100):
        table[int.from_bytes(b"%02d" % number, "big")] = number
    return table


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
