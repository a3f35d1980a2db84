"""How long a small batch's turn takes, and for how long what is fetched meanwhile would only wait.

At 20,000 events/s a turn takes 60 to 80 ms and records arrive 100 times a second. To fetch each of them at once cost
the worker and the broker processor time that the warehouse needed, while nothing could be done with them before the
turn was over. So a turn's first part goes by without a fetch, and its end with one for every arrival, as before: the
next turn has the newest. Half of all events were visible after 101 instead of 106 ms (nineteen pairs in turn).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

REMEMBERED = 8
"""Turns that tell how long one takes: the shortest of them, so that hardly any is over before it is expected to be."""

SHARE = 0.65
"""Of that, without a fetch. With 0.8 some turns were over before the first answer was there: the next began with one
partition alone, and the newest records were 2 ms older at the beginning of one (three pairs)."""

LONGEST_S = 0.1
"""Without a fetch, however long turns take: a warehouse that is slow is a reason to have the more ready."""


class Turns:
    """Turns of small batches that are worked on alone. `monotonic` is a clock in seconds. Told on the event loop; any
    thread may ask `put_off_s`."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._took: deque[float] = deque(maxlen=REMEMBERED)
        self._begun: float | None = None
        self._put_off_until = 0.0

    def begin(self) -> None:
        """A small batch is worked on, and nothing else."""
        self._begun = self._monotonic()
        if len(self._took) == REMEMBERED:
            self._put_off_until = self._begun + min(LONGEST_S, SHARE * min(self._took))

    def end(self) -> None:
        """It is done; nothing if none was begun, or it was not alone."""
        if self._begun is not None:
            self._took.append(self._monotonic() - self._begun)
        self.disturb()

    def disturb(self) -> None:
        """Something else is worked on too, or much: what arrives may begin beside it."""
        self._begun = None
        self._put_off_until = 0.0

    def put_off_s(self) -> float:
        """Seconds until a fetch is worth its cost; 0 for now."""
        return max(0.0, self._put_off_until - self._monotonic())
