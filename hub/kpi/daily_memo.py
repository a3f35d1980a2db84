"""Sums by day that are kept until their table is written to, and when it pays to ask for them. Safe from threads."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from hub.kpi.by_day import ByDay, DailySums

ENTRIES = 128
"""Of 20,000 days and two sums each at most, that is 60 MB; a province's units by day of a year are a tenth of it."""
LEAST_DAYS = 90
"""A question counts as so many days at least, most of it being planning: of short ones the fifth asks for the year."""


@dataclass(slots=True)
class _Years:
    """The years of one question, as long as their table has the versions `stamp`: the days that were asked for one by
    one, then the sums. `too_many`: there are more than can be kept."""

    stamp: Hashable
    days_asked: int = 0
    sums: DailySums | None = None
    too_many: bool = False


class DailyMemo:
    """`key`: a question's sql and parameters; `stamp`: the versions of the tables that it reads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._years: OrderedDict[Hashable, _Years] = OrderedDict()

    def recall(self, key: Hashable, stamp: Hashable, source: str, asked: ByDay) -> list[Sequence[Any]] | None:
        """The rows of the select `source`, if the sums of its years are kept."""
        with self._lock:
            held = self._years.get(key)
            if held is None or held.stamp != stamp or held.sums is None:
                return None
            self._years.move_to_end(key)
        return list(held.sums.rows(source, asked))

    def pays(self, key: Hashable, stamp: Hashable, asked: ByDay) -> bool:
        """Whether to ask for whole years now: since the last write more days were asked for than they have, this
        question's among them."""
        with self._lock:
            held = self._held(key, stamp)
            held.days_asked += max(LEAST_DAYS, asked.years.days if asked.until else asked.period.days)
            return not held.too_many and held.days_asked > asked.years.days

    def keep(self, key: Hashable, stamp: Hashable, sums: DailySums | None) -> None:
        """What was answered, of the versions `stamp`; None: more than can be had."""
        with self._lock:
            held = self._held(key, stamp)
            held.sums, held.too_many = sums, sums is None

    def _held(self, key: Hashable, stamp: Hashable) -> _Years:
        held = self._years.get(key)
        if held is None or held.stamp != stamp:
            # A table that had too many days has them after the next write as well.
            held = self._years[key] = _Years(stamp, too_many=held is not None and held.too_many)
        self._years.move_to_end(key)
        while len(self._years) > ENTRIES:
            self._years.popitem(last=False)
        return held
