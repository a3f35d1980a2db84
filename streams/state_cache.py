"""The states that a worker remembers: the newest of all its partitions, in bounded room.

They do not matter for correctness: a state that is not there costs a query. Thrown away when partitions change hands.
"""

from __future__ import annotations

import polars as pl

CACHED_STATES = 50_000
"""Of a worker. A dossier's state of 16 fields takes 0.6 kB, a fifth of it for finding it by its key; 40,000 of the
largest batch may come on top before older ones are forgotten."""

MAX_FRAMES = 64
"""Frames a cache holds before it merges them: more cost time at each look-up, fewer at each merge."""


def compact(states: pl.DataFrame) -> pl.DataFrame:
    """The same rows with memory of their own: a part of a frame holds all of the frame it was taken from."""
    copied = pl.from_arrow(states.to_arrow(compat_level=pl.CompatLevel.oldest()))
    assert isinstance(copied, pl.DataFrame)
    return copied.cast(states.schema)


class StateRoom:
    """What the caches of a worker hold together: at least the `capacity` rows written last, and fewer than twice as
    many. Whichever partition is busy has the room: with a fixed share of each, a twelfth, sixty partitions could
    remember two million.

    Frames are forgotten as a whole, the oldest first. On one event loop.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._frames: dict[tuple[StateCache, int], int] = {}
        """The rows of each, the oldest frame first."""
        self._rows = 0

    def __len__(self) -> int:
        return self._rows

    def take(self, cache: StateCache, number: int, rows: int) -> None:
        """A cache got a frame, of `capacity` rows at most; caches forget what has no room beside it."""
        self._frames[cache, number] = rows
        self._rows += rows
        while True:
            (oldest, its_number), its_rows = next(iter(self._frames.items()))
            if self._rows - its_rows < self.capacity:
                return
            oldest.forget(its_number)

    def give_back(self, cache: StateCache, number: int) -> None:
        """A cache has no longer this frame."""
        self._rows -= self._frames.pop((cache, number))


class StateCache:
    """The newest states of one partition, as far as there is room. One thread puts, for all caches of the room;
    another may get meanwhile, for the batch whose states are put next."""

    def __init__(self, room: StateRoom) -> None:
        self._room = room
        self._frames: dict[int, pl.DataFrame] = {}
        self._number = 0
        self._where: dict[str, int] = {}
        """Frame and row of a key, as `frame × 2^32 + row`: integers from a range cost less than tuples."""

    def __len__(self) -> int:
        return len(self._where)

    def get(self, keys: list[str]) -> tuple[list[pl.DataFrame], list[str]]:
        """States of the keys that are cached, as frames, and the keys that are not."""
        frames = self._frames.copy()  # before any key is looked for: see `forget`
        wanted: dict[int, list[int]] = {}
        missing: list[str] = []
        for key in keys:
            place = self._where.get(key)
            if place is None:
                missing.append(key)
            else:
                wanted.setdefault(place >> 32, []).append(place & 0xFFFF_FFFF)
        return [frames[frame][rows] for frame, rows in wanted.items()], missing

    def put(self, states: pl.DataFrame) -> None:
        """Remember states, one row a key; they replace what was known of these keys."""
        if states.height == 0:
            return
        if states.height > self._room.capacity:
            # Those that do not fit must not leave older states of theirs behind.
            for key in states["entity_key"].head(states.height - self._room.capacity):
                self._where.pop(key, None)
            states = compact(states.tail(self._room.capacity))
        self._add(states)
        if len(self._frames) >= MAX_FRAMES:
            merged = pl.concat(self._frames.values()).unique("entity_key", keep="last", maintain_order=True)
            self.clear()
            self._add(compact(merged.tail(self._room.capacity)))

    def clear(self) -> None:
        """Forget all."""
        for number in self._frames:
            self._room.give_back(self, number)
        self._frames, self._where = {}, {}

    def forget(self, number: int) -> None:
        """Forget a frame: first where its keys are, so that a key that is found has a frame."""
        for key in self._frames[number]["entity_key"]:
            if self._where.get(key, -1) >> 32 == number:
                del self._where[key]
        del self._frames[number]
        self._room.give_back(self, number)

    def _add(self, states: pl.DataFrame) -> None:
        first = self._number << 32
        self._frames[self._number] = states
        self._where.update(zip(states["entity_key"].to_list(), range(first, first + states.height), strict=True))
        self._number += 1
        self._room.take(self, self._number - 1, states.height)
