"""One question to the warehouse for the states that several partitions miss.

States of random keys cost a pass over all of an entity's states, however few are asked for: of 10 million, 40,000 keys
take 2.4 s on two cores and 160,000 take 2.9. So who asks while a question is being answered is asked for in the next
one, and that waits a while for as many as have asked lately.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import polars as pl

from streams.places import BATCHES_AT_ONCE

LINGER = 0.75
"""How long a question waits for company at most, as a share of the time that the last answer took: a batch is computed
and inserted in less than that."""

LONGEST_S = 3.0
"""That it waits at most, however long the last answer took."""

WORTH_COMPANY = 2_000
"""Keys of a question that may wait: 2,000 of 10 million are in a fifth of the marks, and small batches, which miss no
more, are worked on one after the other: nobody would come."""


@dataclass(slots=True, eq=False)
class _Asked:
    """What one asker wants to know, and is told."""

    asker: int
    keys: list[str]
    answered: bool = False
    states: pl.DataFrame = field(default_factory=pl.DataFrame)
    error: Exception | None = None


class SharedLookUp:
    """Askers are numbers, each asks once at a time. Safe from several threads; blocks until the answer is there."""

    def __init__(
        self, ask: Callable[[list[str]], pl.DataFrame], monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """`ask` gives the states of keys, with the column `entity_key`; what it raises is told to all that asked."""
        self._ask = ask
        self._monotonic = monotonic
        self._turn = threading.Lock()
        self._changed = threading.Condition()
        self._waiting: list[_Asked] = []
        self._lately: tuple[frozenset[int], ...] = ()
        self._took_s = 0.0

    def states(self, asker: int, keys: list[str]) -> pl.DataFrame:
        """The states of these keys; none for a key that has no state."""
        mine = _Asked(asker, keys)
        with self._changed:
            self._waiting.append(mine)
            self._changed.notify_all()
        with self._turn:
            if not mine.answered:
                self._answer(self._together())
        if mine.error is not None:
            raise mine.error
        return mine.states

    def _together(self) -> list[_Asked]:
        """Those that are asked for now: as many as have asked lately and are worked on at once, or came while it was
        worth waiting."""
        with self._changed:
            company = min(len(frozenset().union(*self._lately)), BATCHES_AT_ONCE)
            if sum(len(one.keys) for one in self._waiting) < WORTH_COMPANY:
                company = 0
            self._changed.wait_for(lambda: len(self._waiting) >= company, min(LINGER * self._took_s, LONGEST_S))
            asked, self._waiting = self._waiting, []
        return asked

    def _answer(self, asked: list[_Asked]) -> None:
        began = self._monotonic()
        self._took_s = 0.0
        try:
            states = self._ask([key for one in asked for key in one.keys])
            self._took_s = self._monotonic() - began
            for one in asked:
                one.states = states if len(asked) == 1 else states.filter(pl.col("entity_key").is_in(one.keys))
        except Exception as error:  # noqa: BLE001 – told to everyone who asked
            for one in asked:
                one.error = error
        for one in asked:
            one.answered = True
        self._lately = (*self._lately[-1:], frozenset(one.asker for one in asked))
