"""The audit's comparison: pure. Readings of a derived table and of `<entity>_changes` in, differences out.

A rollup has no offsets, so it cannot be read "as of" a batch while the flow goes on. What holds is this:

- A partition's batches are written one after the other, and a batch is confirmed by a commit only when its block and
  all rows the views derived from it are in. So with commits read *before* the derived table, everything below them
  is in it, and of the batches above them it holds, per partition, the first n for some n: a few possibilities.
- All checked figures are sums over rows (counts, signed measures, and the same multiplied by a hash of the row's
  place), so the difference between "derived" and "changes" is the same whichever batches were in flight, once their
  part is taken off. No difference is right for one of the possibilities; a real one is what *all* of several readings
  can explain, each with batches of its own in flight.

Arithmetic is modulo 2^64, as the warehouse's.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

Key = tuple[Hashable, ...]
Vector = tuple[int, ...]
Sums = Mapping[Key, Vector]
"""Sums by place: a day, a day and its dimensions, a bucket of entities. A place not named is all zeros."""

MODULUS = 2**64

MAX_POSSIBILITIES = 65_536
"""Combinations of batches in flight that are tried; beyond, the reading says nothing. Eight batches in each of four
partitions are 6,561."""

READINGS = 3
"""Readings that must agree on a difference before it is one."""

NOTED = frozenset(("gone", "untraced", "equal", "surplus", "waiting"))
"""Findings that are told and not held against the figures: nothing can or need be done now."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it should be. `rows`: how many rows, offsets or entities differ; `expected` and
    `found` are totals where the check has them."""

    entity: str
    check: str
    code: str
    place: str
    rows: int
    expected: int | None = None
    found: int | None = None

    @property
    def noted(self) -> bool:
        return self.code in NOTED


@dataclass(frozen=True, slots=True)
class Reading:
    """One look at a derived table.

    `seen`: what it holds. `confirmed`: what it holds at least, by the changes of the batches confirmed before it was
    read. `in_flight`: per topic partition the batches above, in order; a first part of them is in `seen`.
    """

    seen: Sums
    confirmed: Sums
    in_flight: tuple[tuple[Sums, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """`differences`: seen minus right, by place; empty if all is right, None if the readings do not settle it.
    `wrong`: the newest reading cannot be explained without a difference, whichever it is."""

    differences: Mapping[Key, Vector] | None
    wrong: bool = False

    @property
    def settled(self) -> bool:
        return self.differences is not None

    @property
    def clean(self) -> bool:
        return self.differences is not None and not self.differences


CLEAN = Verdict({})
UNSETTLED = Verdict(None)
WRONG = Verdict(None, wrong=True)


@lru_cache(maxsize=200_000)
def _weights(key: Key, width: int) -> Vector:
    """Random-looking odd multipliers, so that a whole set of sums is told from another by one number."""
    digest = hashlib.shake_128(repr(key).encode()).digest(8 * width)
    return tuple(int.from_bytes(digest[8 * i : 8 * i + 8], "little") | 1 for i in range(width))


def _fingerprint(sums: Sums) -> int:
    total = 0
    for key, vector in sums.items():
        total += sum(weight * value for weight, value in zip(_weights(key, len(vector)), vector, strict=True))
    return total % MODULUS


def _possibilities(reading: Reading) -> dict[int, tuple[int, ...]] | None:
    """Fingerprints of the differences the reading allows, each with the number of batches taken per partition."""
    count = 1
    for batches in reading.in_flight:
        count *= len(batches) + 1
    if count > MAX_POSSIBILITIES:
        return None
    rest = (_fingerprint(reading.seen) - _fingerprint(reading.confirmed)) % MODULUS
    steps = [
        list(itertools.accumulate((_fingerprint(batch) for batch in batches), initial=0))
        for batches in reading.in_flight
    ]
    found: dict[int, tuple[int, ...]] = {}
    for taken in itertools.product(*(range(len(options)) for options in steps)):
        parts = sum(options[number] for options, number in zip(steps, taken, strict=True))
        found.setdefault((rest - parts) % MODULUS, taken)
    return found


def signed(value: int) -> int:
    """A number modulo 2^64 as the signed one it stands for."""
    value %= MODULUS
    return value - MODULUS if value >= MODULUS // 2 else value


def added(sums: dict[Key, Vector], more: Sums, times: int = 1) -> dict[Key, Vector]:
    """Add `more`, `times` over, to `sums` in place; places that come to nothing are dropped."""
    for key, vector in more.items():
        before = sums.get(key)
        after = tuple(signed(a + times * b) for a, b in zip(before or (0,) * len(vector), vector, strict=True))
        if any(after):
            sums[key] = after
        else:
            sums.pop(key, None)
    return sums


def _difference(reading: Reading, taken: tuple[int, ...]) -> dict[Key, Vector]:
    rest = added(added({}, reading.seen), reading.confirmed, -1)
    for batches, number in zip(reading.in_flight, taken, strict=True):
        for batch in batches[:number]:
            added(rest, batch, -1)
    return rest


def settle(readings: Sequence[Reading]) -> Verdict:
    """What the readings, oldest first, amount to.

    Right if the newest can be explained without a difference. Else a difference that `READINGS` consecutive readings
    all allow, if it is the only such; else not settled: read again.
    """
    newest = _possibilities(readings[-1])
    if newest is None:
        return UNSETTLED
    if 0 in newest:
        return CLEAN
    if len(readings) < READINGS:
        return WRONG
    common = set(newest)
    for reading in readings[-READINGS:-1]:
        common &= set(_possibilities(reading) or ())
    if len(common) != 1:
        return WRONG
    return Verdict(_difference(readings[-1], newest[common.pop()]), wrong=True)


@dataclass(frozen=True, slots=True)
class Window:
    """Primary rows of one partition with offsets from `first` to `end` (excluded): their number, the sum of
    `offset − first` and of its square, and how many lie outside their batch's bounds or in two batches' bounds."""

    partition: int
    first: int
    end: int
    rows: int
    sum: int
    squares: int
    misplaced: int


def whole(window: Window) -> bool:
    """Whether every offset of the window is there once: as many rows as offsets, with the sums of just these."""
    n = window.end - window.first
    return (
        window.misplaced == 0
        and window.rows == n
        and window.sum == n * (n - 1) // 2
        and window.squares == (n - 1) * n * (2 * n - 1) // 6
    )


def missing_ranges(present: Sequence[tuple[int, int]], first: int, end: int) -> list[tuple[int, int]]:
    """Inclusive ranges of `first`–`end` (excluded) that no inclusive, ascending range of `present` covers."""
    missing: list[tuple[int, int]] = []
    expected = first
    for low, high in present:
        if low > expected:
            missing.append((expected, min(low, end) - 1))
        expected = max(expected, high + 1)
    if expected < end:
        missing.append((expected, end - 1))
    return [(low, high) for low, high in missing if low <= high]


def split_at(ranges: Sequence[tuple[int, int]], start: int) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Parts of inclusive ranges below `start`, and from it on: what the log no longer holds, and what it does."""
    below = [(low, min(high, start - 1)) for low, high in ranges if low < start]
    above = [(max(low, start), high) for low, high in ranges if high >= start]
    return below, above


def spans(first: int, end: int, width: int) -> Iterator[tuple[int, int]]:
    """`first`–`end` (excluded) cut at multiples of `width`."""
    while first < end:
        stop = min(end, (first // width + 1) * width)
        yield first, stop
        first = stop
