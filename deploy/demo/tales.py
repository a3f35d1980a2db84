"""Lives of small systems' entities: the same steps make the history (drawn times) and live events (now). Pure."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from deploy.demo.ledger import Raw
from deploy.demo.worktime import LOCAL

MINUTE, HOUR, DAY = 60, 3600, 86_400

Change = Callable[[Raw, int], Raw]
"""(state, now in seconds since 1970) → the fields that change."""


@dataclass(frozen=True, slots=True)
class Beat:
    """A step of a life: what changes, and how long after the step before (seconds, drawn between both)."""

    change: Change
    least_s: float = 0
    most_s: float = 0
    op: str = "UPSERT"
    in_place: bool = False
    """Keeps the revision: a correction or deletion of what was just said."""


@dataclass(frozen=True, slots=True)
class Assertion:
    """The whole state after step `step`."""

    step: int
    revision: int
    op: str
    at: int
    state: Raw


class Tale:
    """One entity being lived through. Steps are played in order; the same times give the same states."""

    def __init__(self, beats: Sequence[Beat]) -> None:
        self._beats = beats
        self._state: Raw = {}
        self._revision = 0

    @property
    def length(self) -> int:
        return len(self._beats)

    def play(self, step: int, now: int) -> Assertion:
        beat = self._beats[step]
        self._revision += 0 if beat.in_place else 1
        self._state = self._state | beat.change(self._state, now)
        return Assertion(step, self._revision, beat.op, now, self._state)

    def told(self, rng: random.Random, begun: int, end: int) -> list[Assertion]:
        """The steps up to `end`, the first at `begun`, the others after drawn waits."""
        found, now = [], begun
        for step, beat in enumerate(self._beats):
            now += round(rng.uniform(beat.least_s, beat.most_s)) if step else 0
            if now > end:
                break
            found.append(self.play(step, now))
        return found


Render = Callable[[Assertion], Raw]
"""From an assertion to the record as the system sends it."""


class TaleCase:
    """A tale as a live case; see `deploy.demo.live.Case`."""

    def __init__(self, tale: Tale, render: Render) -> None:
        self._tale = tale
        self._render = render

    @property
    def length(self) -> int:
        return self._tale.length

    def play(self, step: int, now: int) -> Raw:
        return self._render(self._tale.play(step, now))

    def restore(self, step: int, at: int, raw: Raw) -> None:
        self._tale.play(step, at)


def told_between(
    make: Callable[[random.Random, int], Tale], count: int, seed: str, start: int, end: int
) -> list[Assertion]:
    """The assertions of `count` tales that begin between `start` and `end`, in the order of time.

    `make(rng, number)`: the tale with this number.
    """
    rng = random.Random(seed)
    found: list[Assertion] = []
    for number in range(count):
        tale = make(rng, number)
        found += tale.told(rng, rng.randint(start, end), end)
    return sorted(found, key=lambda assertion: assertion.at)


def rendered(assertions: Iterable[Assertion], render: Render) -> list[Raw]:
    """As the system sends them."""
    return [render(assertion) for assertion in assertions]


def plain(second: int, pattern: str = "%Y-%m-%d %H:%M:%S") -> str:
    """Local time without an offset, as many systems write it."""
    return datetime.fromtimestamp(second, tz=UTC).astimezone(LOCAL).strftime(pattern)


def state_of(**fields: Any) -> Change:
    """A change to fixed values."""
    return lambda state, now: fields
