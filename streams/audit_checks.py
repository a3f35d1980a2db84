"""The audit of one entity: every check in order, and what each found. Blocking calls."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from schemas.contract import Contract
from streams import audit_sql as sql
from streams.audit import CLEAN, Finding, Key, Vector, Verdict, Window, missing_ranges, split_at, whole
from streams.audit_readings import Confirmed, EntityReader, Extent, Place, TopicLog
from streams.audit_sql import Derived, LiveRollup
from streams.warehouse.catalogue import Catalogue
from streams.warehouse.client import Warehouse

MOST_ENTITIES = 100_000
"""Different entities that are named at once; after these are healed the next audit names the others."""

Progress = Callable[[str, int, int], None]
"""What is being done, how much of it is done, and out of how much."""


def quiet(what: str, done: int, total: int) -> None:
    """Progress told to nobody."""


@dataclass(slots=True)
class Faults:
    """What a healing needs to know. Ranges are inclusive."""

    missing: list[tuple[Place, int, int]] = field(default_factory=list)
    doubled: list[tuple[Place, int, int]] = field(default_factory=list)
    entities: list[str] = field(default_factory=list)
    rollups: dict[str, Mapping[Key, Vector]] = field(default_factory=dict)
    ledger: Mapping[Key, Vector] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Days:
    """A range of days, both included; None is open."""

    first: date | None = None
    last: date | None = None

    @property
    def bounded(self) -> bool:
        return self.first is not None or self.last is not None

    def holds(self, day: date) -> bool:
        return (self.first is None or day >= self.first) and (self.last is None or day <= self.last)

    def kafka_condition(self) -> str:
        """Rows whose records came to Kafka on these days (UTC)."""
        parts = ["1"]
        if self.first is not None:
            parts.append(f"kafka_time >= toDateTime64('{self.first} 00:00:00', 3, 'UTC')")
        if self.last is not None:
            parts.append(f"kafka_time < toDateTime64('{self.last + timedelta(days=1)} 00:00:00', 3, 'UTC')")
        return " AND ".join(parts) if self.bounded else "1"


class EntityAudit:
    """Audits one entity. Keeps what it found for a healing."""

    def __init__(
        self,
        warehouse: Warehouse,
        contract: Contract,
        log: TopicLog,
        days: Days | None = None,
        progress: Progress = quiet,
        stopped: threading.Event | None = None,
    ) -> None:
        self.contract = contract
        self.reader = EntityReader(warehouse, contract, log, stopped)
        self.faults = Faults()
        self.gaps: list[tuple[Place, int, int]] = []
        """Inclusive ranges of offsets that Kafka has no record for (compaction, transactions), as last seen."""
        self._catalogue = Catalogue(warehouse)
        self._days = days or Days()
        self._progress = progress

    def run(self) -> list[Finding]:
        """All checks; the order is that of healing: first the changes, then what is derived from them."""
        self.faults = Faults()
        self.gaps = []
        self.reader.forget_places()
        found = self.offsets()
        found += self.states()
        for rollup in self.rollups():
            found += self.rollup(rollup)
        return found + self.ledger()

    def offsets(self) -> list[Finding]:
        """Every confirmed offset once as a primary row."""
        extents = self.reader.extents(self.reader.cuts(), self._days.kafka_condition())
        total = sum(extent.end - extent.first for extent in extents)
        done = 0
        suspicious: list[tuple[Extent, Window]] = []
        for extent, window in self.reader.windows(extents):
            if not whole(window):
                suspicious.append((extent, window))
            done += window.end - window.first
            self._progress(self.contract.changes_table, done, total)
        found: list[Finding] = []
        if not self._days.bounded:
            for extent in extents:
                if extent.present and extent.first > extent.begin:
                    found += self._missing(extent.place, [(extent.begin, extent.first - 1)], present=True)
        for extent, window in suspicious:
            found += self.explain(extent, window)
        return found

    def explain(self, extent: Extent, window: Window) -> list[Finding]:
        """What is wrong with a window that is not whole: nothing, if Kafka has the same gaps."""
        place = extent.place
        asked = (self.contract, *place, window.first, window.end)
        doubled = [(int(offset), int(rows)) for offset, rows in self.reader.rows(sql.doubled_offsets(*asked))]
        present = [(int(low), int(high)) for low, high in self.reader.rows(sql.present_ranges(*asked))]
        found = self._missing(place, missing_ranges(present, window.first, window.end), extent.present)
        if doubled:
            low, high = doubled[0][0], doubled[-1][0]
            self.faults.doubled.append((place, low, high))
            too_many = sum(abs(rows - 1) for _, rows in doubled)
            found.append(self._finding("offsets", "doubled", _at(place, low, high), too_many))
        if not found and window.misplaced:
            found.append(
                self._finding(
                    "offsets", "overlapping", _at(place, window.first, window.end - 1), window.misplaced
                )
            )  # fmt: skip
        return found

    def _missing(self, place: Place, ranges: Sequence[tuple[int, int]], present: bool) -> list[Finding]:
        if not present:
            return [self._finding("offsets", "untraced", _at(place, low, high), high - low + 1) for low, high in ranges]
        log = self.reader.log
        gone, kept = split_at(ranges, log.start(place[0])) if ranges else ([], [])
        found = [self._finding("offsets", "gone", _at(place, low, high), high - low + 1) for low, high in gone]
        for low, high in kept:
            existing = log.existing(place[0], low, high)
            self.gaps += [(place, first, last) for first, last in missing_ranges(existing, low, high + 1)]
            for first, last in self._still_confirmed(place, existing):
                self.faults.missing.append((place, first, last))
                found.append(self._finding("offsets", "missing", _at(place, first, last), last - first + 1))
        return found

    def _still_confirmed(self, place: Place, ranges: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
        """Of ranges that look lost, what the group's commit, asked again, still says is written: just after a topic was
        made anew the commit is of the old one."""
        cut = self.reader.cuts().get(place[0]) if ranges else None
        if cut is None or cut.life != place[1]:
            return list(ranges)
        return split_at(ranges, cut.offset)[0]

    def gaps_within(self, partition: int, low: int, high: int) -> int:
        """How many of the offsets from `low` to `high` (excluded) Kafka has no record for."""
        return sum(
            max(0, min(high, last + 1) - max(low, first)) for place, first, last in self.gaps if place[0] == partition
        )

    def states(self) -> list[Finding]:
        """The living states by the signs are the ones that `<entity>_current` shows."""
        return self.entities(self._settled(sql.current(self.contract, deep=True)))

    def entities(self, verdict: Verdict) -> list[Finding]:
        """The entities that differ, given the verdict on their buckets."""
        table = self.contract.current_table
        if verdict.differences is None:
            return [self._finding("states", "unsettled", table, 0)]
        if verdict.clean:
            return []
        buckets = [int(str(key[0])) for key in verdict.differences]
        statement = sql.different_entities(self.contract, buckets, self.reader.cuts(), MOST_ENTITIES)
        rows = self.reader.rows(statement)
        self.faults.entities = [str(row[0]) for row in rows]
        living, shown = sum(int(row[1]) for row in rows), sum(int(row[2]) for row in rows)
        return [self._finding("states", "differs", table, len(rows), living, shown)] if rows else []

    def rollups(self) -> tuple[LiveRollup, ...]:
        """The rollups that are served now."""
        return sql.live_rollups(self._catalogue.entries(), self.contract)

    def rollup(self, rollup: LiveRollup) -> list[Finding]:
        """A rollup is the signed sums of the changes: by day first, then the rows of the days that differ."""
        return self.days_of(rollup, self._settled(sql.rollup_days(rollup)))

    def days_of(self, rollup: LiveRollup, verdict: Verdict) -> list[Finding]:
        """The days and rows that differ, given the verdict on the days."""
        if verdict.differences is None:
            return [self._finding("rollup", "unsettled", rollup.table, 0)]
        days = sorted(day for day in (_day(key[0]) for key in verdict.differences) if self._days.holds(day))
        return self.rollup_rows(rollup, days) if days else []

    def rollup_rows(self, rollup: LiveRollup, days: Sequence[date]) -> list[Finding]:
        """The rows of some days that differ."""
        verdict = self._settled(sql.rollup_cells(rollup, [day.isoformat() for day in days]))
        if verdict.differences is None:
            return [self._finding("rollup", "unsettled", rollup.table, 0)]
        self.faults.rollups[rollup.table] = verdict.differences
        by_day: dict[date, int] = {}
        for key in verdict.differences:
            by_day[_day(key[0])] = by_day.get(_day(key[0]), 0) + 1
        return [
            self._finding("rollup", "differs", f"{rollup.table} {day}", count) for day, count in sorted(by_day.items())
        ]

    def ledger(self) -> list[Finding]:
        """The ledger is the counts of the primary rows."""
        return self.ledger_rows(self._settled(sql.ledger(self.contract)))

    def ledger_rows(self, verdict: Verdict) -> list[Finding]:
        """The rows of the ledger that differ, given the verdict."""
        if verdict.differences is None:
            return [self._finding("ledger", "unsettled", "ledger", 0)]
        kept = {key: value for key, value in verdict.differences.items() if self._days.holds(_day(key[2]))}
        self.faults.ledger = kept
        return [
            self._finding("ledger", "differs", f"{source} p{partition} {day}", sum(map(abs, vector)))
            for (source, partition, day), vector in sorted(kept.items(), key=repr)
        ]

    def _settled(self, derived: Derived) -> Verdict:
        confirmed = Confirmed(derived)
        extents = self.reader.extents(self.reader.cuts())
        if not extents:
            return CLEAN
        for done, extent in enumerate(extents, start=1):
            confirmed.advance(self.reader, [extent])
            self._progress(derived.name, done, len(extents))
        return self.reader.verdict(derived, confirmed)

    def _finding(
        self, check: str, code: str, place: str, rows: int, expected: int | None = None, found: int | None = None
    ) -> Finding:
        return Finding(self.contract.entity, check, code, place, rows, expected, found)


def _day(value: object) -> date:
    assert isinstance(value, date)
    return value


def _at(place: Place, low: int, high: int) -> str:
    partition, life = place
    where = f"p{partition} {low}-{high}"
    return f"{where} (life {life})" if life else where
