"""Live events: cases whose life cycles are compressed to a couple of minutes, in an order the seed determines.

Each turn emits one event: the step that is due longest, else the first step of a new case. Which it is
follows from the live log alone, so a restart goes on as if there had been none; only the moments differ.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Iterable
from typing import Protocol

from deploy.demo.ledger import LiveEvent, LiveLog, Raw

LEAST_GAP, MOST_GAP = 4, 30
"""Turns between two steps of a case; at one turn a second a case takes about a minute and a half."""


class Case(Protocol):
    """One dossier or report being lived through."""

    @property
    def length(self) -> int:
        """How many steps it has."""
        ...

    def play(self, step: int, now: int) -> Raw:
        """The record after step `step`, taken now; steps are played in order."""
        ...

    def restore(self, step: int, at: int, raw: Raw) -> None:
        """Take a step as played at an earlier time."""
        ...


class Performance:
    """Plays cases turn by turn and writes each event to the log before anybody sees it."""

    def __init__(self, log: LiveLog, seed: int, begin: Callable[[int], Case], past: Iterable[LiveEvent]) -> None:
        self._log = log
        self._seed = seed
        self._begin = begin
        self._open: dict[int, Case] = {}
        self._due: list[tuple[int, int, int]] = []
        self._turn = 0
        self._last = 0
        self._cases = 0
        for event in past:
            self._restore(event)

    @property
    def turns(self) -> int:
        return self._turn

    def _restore(self, event: LiveEvent) -> None:
        if event.step:
            heapq.heappop(self._due)
        self._case(event.case).restore(event.step, event.at, event.raw)
        self._advance(event)

    def _case(self, number: int) -> Case:
        if number not in self._open:
            self._open[number] = self._begin(number)
            self._cases = max(self._cases, number + 1)
        return self._open[number]

    def _advance(self, event: LiveEvent) -> None:
        following = event.step + 1
        if following < self._open[event.case].length:
            gap = random.Random(f"{self._seed}:{event.case}:{following}").randint(LEAST_GAP, MOST_GAP)
            heapq.heappush(self._due, (self._turn + gap, event.case, following))
        else:
            del self._open[event.case]
        self._turn += 1
        self._last = event.at

    def emit(self, now: int) -> LiveEvent:
        """Play one turn; time never goes back even if the clock does."""
        now = max(now, self._last)
        if self._due and self._due[0][0] <= self._turn:
            _, number, step = heapq.heappop(self._due)
        else:
            number, step = self._cases, 0
        event = LiveEvent(number, step, now, self._case(number).play(step, now))
        self._log.append(event)
        self._advance(event)
        return event
