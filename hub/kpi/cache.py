"""A small cache of answers: many viewers cost one query, and nobody waits for another's key."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from datetime import datetime, timedelta
from typing import Generic, TypeVar

Value = TypeVar("Value")

TTL = timedelta(milliseconds=200)
"""Shorter than the second within which an event has to be visible, longer than a burst of viewers."""

LONGEST = timedelta(seconds=5)

ENTRIES = 256


class AnswerCache(Generic[Value]):
    """Values by key, each at most `ttl` old; concurrent askers of one key wait for one computation.

    What took longer than `ttl` to compute is kept as long as it took, `LONGEST` at most: on a busy warehouse the askers
    of one thing use half of its time and not all of it. A value says itself of what time it is.
    """

    def __init__(self, clock: Callable[[], datetime], ttl: timedelta = TTL, entries: int = ENTRIES) -> None:
        self._clock = clock
        self._ttl = ttl
        self._entries = entries
        self._lock = threading.Lock()
        self._values: OrderedDict[Hashable, tuple[datetime, Value]] = OrderedDict()
        self._flights: dict[Hashable, threading.Lock] = {}

    def get(self, key: Hashable, compute: Callable[[], Value]) -> Value:
        """The cached value, or `compute()`; its errors reach the caller and are not cached."""
        found = self._fresh(key)
        if found is not None:
            return found[1]
        with self._lock:
            flight = self._flights.setdefault(key, threading.Lock())
        try:
            with flight:
                found = self._fresh(key)
                if found is not None:
                    return found[1]
                asked_at = self._clock()
                value = compute()
                took = self._clock() - asked_at
                self._put(key, asked_at + (self._ttl if took <= self._ttl else took + min(took, LONGEST)), value)
                return value
        finally:
            with self._lock:
                self._flights.pop(key, None)

    def _fresh(self, key: Hashable) -> tuple[datetime, Value] | None:
        with self._lock:
            found = self._values.get(key)
        return found if found is not None and self._clock() < found[0] else None

    def _put(self, key: Hashable, until: datetime, value: Value) -> None:
        with self._lock:
            self._values[key] = (until, value)
            self._values.move_to_end(key)
            while len(self._values) > self._entries:
                self._values.popitem(last=False)
