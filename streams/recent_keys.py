"""What a worker remembers of facts: the keys of the last days only, so that its memory stays flat for ever.

A fact's time is in its key, so all assertions of a key have one event time, and its day tells where the key would be
remembered. All keys of the days from `floor` on are remembered; of the days before it none is. Hence, for a key that
is not remembered:

- its day is `floor` or later: it was never written. It has no state and costs no query. (Only an UPSERT says so: a
  correction or a deletion speaks of something earlier, and is looked up.)
- its day is before `floor`: nothing is known, and it is looked up.

Whatever the floor is, no key is taken for new that is not, and none is counted twice; how high it is only decides how
many queries there are. It rises with the Kafka timestamps of what was written, never with a clock, and never falls.
`streams.fact_times` refuses a record whose event time differs from that of its fact.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
import polars as pl

from streams.states import Hashes, KnownKeys, key_hashes

Days = npt.NDArray[np.int32]
"""Days since 1970-01-01, UTC."""

NEVER = 2**31 - 1
"""A floor above all days: nothing is known yet, every key is looked up."""

ALWAYS = -(2**31)
"""A floor below all days: no key was ever written that is not remembered."""


@dataclass(frozen=True, slots=True)
class _View:
    """Replaced as a whole, so that who asks sees the floor together with the days it speaks of."""

    floor: int
    days: Mapping[int, KnownKeys] = field(default_factory=lambda: MappingProxyType({}))


class RecentKeys:
    """Keys by day, 8 bytes each, of at most `span` days before the newest arrival and those after it.

    All partitions of an entity share one. One thread adds; any thread may ask meanwhile.
    """

    def __init__(self, span: int, floor: int = ALWAYS) -> None:
        self._span = span
        self._view = _View(floor)
        self._waiting: list[tuple[Hashes, Days]] = []
        """What was written while the rest is being loaded."""

    def __len__(self) -> int:
        return sum(len(keys) for keys in self._view.days.values())

    @property
    def floor(self) -> int:
        """The first day of which all keys are remembered."""
        return self._view.floor

    def add(self, hashes: Hashes, days: Days) -> None:
        """Remember keys that were written. Those of days before the floor are not kept."""
        view = self._view
        if view.floor == NEVER:
            self._waiting.append((hashes, days))
            return
        grown = dict(view.days)
        for day in np.unique(days):
            if day >= view.floor:
                known = grown.setdefault(int(day), KnownKeys())
                mine = hashes[days == day]
                known.add(mine[~known.contains(mine)])
        self._view = _View(view.floor, MappingProxyType(grown))

    def complete_with(self, loaded: RecentKeys) -> None:
        """Take over all keys that were written before this set was begun: from now on an unknown one may be new."""
        self._view = loaded._view
        for hashes, days in self._waiting:
            self.add(hashes, days)
        self._waiting = []

    def arrived(self, newest: int) -> None:
        """Something of this day (by Kafka's timestamp) was written: forget what lies `span` days and more before."""
        if self._view.floor != NEVER:
            self._keep(max(self._view.floor, newest - self._span + 1))

    def _keep(self, floor: int) -> None:
        kept = {day: keys for day, keys in self._view.days.items() if day >= floor}
        self._view = _View(floor, MappingProxyType(kept))

    def may_exist(self, hashes: Hashes, days: Days) -> npt.NDArray[np.bool_]:
        """Mask of the keys that may have a state: remembered, or of a day that is not."""
        view = self._view
        found: npt.NDArray[np.bool_] = days < view.floor
        for day in np.unique(days[~found]):
            known = view.days.get(int(day))
            if known is not None:
                mine = days == day
                found[mine] = known.contains(hashes[mine])
        return found

    def to_look_up(self, records: pl.DataFrame) -> pl.Series:
        """The keys of a batch that may have a state. `records`: `entity_key`, `event_time`, `op`."""
        keys = records.group_by("entity_key", maintain_order=True).agg(
            first=days_of(pl.col("event_time")).min(), refers=(pl.col("op") != "UPSERT").any()
        )
        maybe = self.may_exist(key_hashes(keys["entity_key"]), keys["first"].to_numpy())
        return keys["entity_key"].filter(pl.Series(maybe) | keys["refers"])

    def written(self, states: pl.DataFrame, newest: int) -> None:
        """Remember the states of a written batch (`entity_key`, `event_time`) that arrived until the day `newest`."""
        days = states.select(days_of(pl.col("event_time"))).to_series().to_numpy()
        self.add(key_hashes(states["entity_key"]), days)
        self.arrived(newest)


def days_of(time: pl.Expr) -> pl.Expr:
    """Days since 1970-01-01 of a time, in UTC."""
    return time.dt.epoch("d").cast(pl.Int32)
