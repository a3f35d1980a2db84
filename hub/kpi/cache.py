"""A small cache of answers: many viewers cost one query, and nobody waits for another's key."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, TypeVar

Value = TypeVar("Value")

TTL = timedelta(milliseconds=200)
"""Shorter than the second within which an event has to be visible, longer than a burst of viewers."""

LONGEST = timedelta(seconds=5)

ENTRIES = 256


@dataclass(frozen=True, slots=True)
class _Held(Generic[Value]):
    """A value, when its computation began, and until when it is given."""

    asked_at: datetime
    until: datetime
    value: Value


class AnswerCache(Generic[Value]):
    """Values by key, each at most `ttl` old; concurrent askers of one key wait for one computation.

    What took longer than `ttl` to compute is kept as long as it took, `LONGEST` at most: on a busy warehouse the askers
    of one thing use half of its time and not all of it. A value says itself of what time it is. Whoever keeps such
    pauses himself asks for a value that was computed `since` his own moment.
    """

    def __init__(self, clock: Callable[[], datetime], ttl: timedelta = TTL, entries: int = ENTRIES) -> None:
        self._clock = clock
        self._ttl = ttl
        self._entries = entries
        self._lock = threading.Lock()
        self._values: OrderedDict[Hashable, _Held[Value]] = OrderedDict()
        self._flights: dict[Hashable, threading.Lock] = {}

    def get(self, key: Hashable, compute: Callable[[], Value], since: datetime | None = None) -> Value:
        """The cached value, if its computation began at or after `since`, or `compute()`; its errors reach the caller
        and are not cached."""
        found = self._fresh(key, since)
        if found is not None:
            return found.value
        with self._lock:
            flight = self._flights.setdefault(key, threading.Lock())
        try:
            with flight:
                found = self._fresh(key, since)
                if found is not None:
                    return found.value
                asked_at = self._clock()
                value = compute()
                took = self._clock() - asked_at
                kept = self._ttl if took <= self._ttl else took + min(took, LONGEST)
                self._put(key, _Held(asked_at, asked_at + kept, value))
                return value
        finally:
            with self._lock:
                self._flights.pop(key, None)

    def held(self, key: Hashable) -> Value | None:
        """The value if there is a fresh one; never computes or waits."""
        found = self._fresh(key, None)
        return None if found is None else found.value

    def _fresh(self, key: Hashable, since: datetime | None) -> _Held[Value] | None:
        with self._lock:
            found = self._values.get(key)
        if found is None or self._clock() >= found.until or (since is not None and found.asked_at < since):
            return None
        return found

    def _put(self, key: Hashable, held: _Held[Value]) -> None:
        with self._lock:
            self._values[key] = held
            self._values.move_to_end(key)
            while len(self._values) > self._entries:
                self._values.popitem(last=False)
