"""What a worker remembers of entities: a compact set of known keys, and a bounded cache of states.

Neither matters for correctness: a key not known has no state, a known key not cached costs a query. Both are
thrown away when partitions change hands.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt
import polars as pl
import polars_hash

Hashes = npt.NDArray[np.uint64]

HASH_SQL = "xxHash64(entity_key)"
"""The same hash in the warehouse, which computes those of all it holds: 8 bytes a key to be sent, and none to be made
here. 10 million took 2 s instead of 5."""

_HASH = polars_hash.col("key").nchash.xxhash64()

MAX_FRAMES = 64
"""Frames a cache holds before it merges them: more cost time at each look-up, fewer at each merge."""


def key_hashes(keys: pl.Series) -> Hashes:
    """64-bit hashes of key strings, as `HASH_SQL`; two keys that collide only cost a needless query."""
    return keys.to_frame("key").select(_HASH).to_series().to_numpy()


class Known(Protocol):
    """Which keys may have a state. A key that has one is never left out."""

    def __len__(self) -> int: ...

    def to_look_up(self, records: pl.DataFrame) -> pl.Series:
        """The keys of a batch (`entity_key`, `event_time`, `op`) that may have a state, each once."""

    def written(self, states: pl.DataFrame, newest: int) -> None:
        """Remember the keys of states that were written (`entity_key`, `event_time`) and had none before; `newest` is
        the day, since 1970 and in UTC, of the newest Kafka timestamp."""


class KnownKeys:
    """A set of 64-bit hashes in sorted runs that grow geometrically: 8 bytes a key, cheap to add in batches.

    All partitions of an entity share one. One thread adds; any thread may ask meanwhile, and sees every hash whose
    `add` has returned: the runs are replaced as a whole, never changed in place.
    """

    def __init__(self, complete: bool = True) -> None:
        """While it is not `complete`, every hash is taken as known: at worst that costs a look-up."""
        self._runs: tuple[Hashes, ...] = ()
        self._complete = complete

    def __len__(self) -> int:
        return sum(len(run) for run in self._runs)

    @property
    def complete(self) -> bool:
        """Whether it can tell that a key was never written."""
        return self._complete

    def add(self, hashes: Hashes) -> None:
        """Add hashes that are not there yet; one that is costs its 8 bytes again."""
        if len(hashes) == 0:
            return
        runs = list(self._runs)
        run: Hashes = np.sort(hashes)
        while runs and len(runs[-1]) < 2 * len(run):
            run = merged_run([runs.pop(), run])
        self._runs = (*runs, run)

    def complete_with(self, run: Hashes) -> None:
        """Add one sorted run of all keys written before this set was begun: from now on it can say no."""
        self._runs = (run, *self._runs) if len(run) else self._runs
        self._complete = True

    def contains(self, hashes: Hashes) -> npt.NDArray[np.bool_]:
        """Mask of the hashes that are in the set."""
        if not self._complete:
            return np.ones(len(hashes), dtype=np.bool_)
        # In their order neighbours are looked for in the same place: 50,000 among 10 million took 24 instead of 66 ms.
        order = np.argsort(hashes)
        ordered = hashes[order]
        among = np.zeros(len(hashes), dtype=np.bool_)
        for run in self._runs:
            at = np.searchsorted(run, ordered)
            among |= run[np.minimum(at, len(run) - 1)] == ordered
        found = np.empty(len(hashes), dtype=np.bool_)
        found[order] = among
        return found

    def to_look_up(self, records: pl.DataFrame) -> pl.Series:
        keys = records["entity_key"].unique(maintain_order=True)
        return keys.filter(pl.Series(self.contains(key_hashes(keys)), dtype=pl.Boolean))

    def written(self, states: pl.DataFrame, newest: int) -> None:
        self.add(key_hashes(states["entity_key"]))


def merged_run(runs: list[Hashes]) -> Hashes:
    """One sorted run of several; the stable sort finds the runs and merges them in linear time."""
    return np.sort(np.concatenate(runs), kind="stable") if runs else np.empty(0, dtype=np.uint64)


def compact(states: pl.DataFrame) -> pl.DataFrame:
    """The same rows with memory of their own: a part of a frame holds all of the frame it was taken from."""
    copied = pl.from_arrow(states.to_arrow(compat_level=pl.CompatLevel.oldest()))
    assert isinstance(copied, pl.DataFrame)
    return copied.cast(states.schema)


class StateCache:
    """The newest states of one partition: at least the `capacity` written last, and fewer than twice as many rows.

    Whole frames are forgotten, the oldest first; only small ones, of a trickle of events, are ever copied together.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._frames: dict[int, pl.DataFrame] = {}
        self._rows = 0
        self._number = 0
        self._where: dict[str, int] = {}
        """Frame and row of a key, as `frame × 2^32 + row`: integers from a range cost less than tuples."""

    def __len__(self) -> int:
        return len(self._where)

    def get(self, keys: list[str]) -> tuple[list[pl.DataFrame], list[str]]:
        """States of the keys that are cached, as frames, and the keys that are not."""
        wanted: dict[int, list[int]] = {}
        missing: list[str] = []
        for key in keys:
            place = self._where.get(key)
            if place is None:
                missing.append(key)
            else:
                wanted.setdefault(place >> 32, []).append(place & 0xFFFF_FFFF)
        return [self._frames[frame][rows] for frame, rows in wanted.items()], missing

    def put(self, states: pl.DataFrame) -> None:
        """Remember states, one row a key; they replace what was known of these keys."""
        if states.height == 0:
            return
        if states.height > self._capacity:
            # Those that do not fit must not leave older states of theirs behind.
            for key in states["entity_key"].head(states.height - self._capacity):
                self._where.pop(key, None)
            states = compact(states.tail(self._capacity))
        self._add(states)
        while self._rows - (oldest := next(iter(self._frames.values())).height) >= self._capacity:
            self._forget(next(iter(self._frames)), oldest)
        if len(self._frames) >= MAX_FRAMES:
            merged = pl.concat(self._frames.values()).unique("entity_key", keep="last", maintain_order=True)
            self._frames, self._where, self._rows = {}, {}, 0
            self._add(merged.rechunk())

    def _add(self, states: pl.DataFrame) -> None:
        first = self._number << 32
        self._frames[self._number] = states
        self._where.update(zip(states["entity_key"].to_list(), range(first, first + states.height), strict=True))
        self._rows += states.height
        self._number += 1

    def _forget(self, number: int, rows: int) -> None:
        for key in self._frames.pop(number)["entity_key"]:
            if self._where.get(key, -1) >> 32 == number:
                del self._where[key]
        self._rows -= rows
