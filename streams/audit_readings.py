"""The audit's eyes: readings of the warehouse and of Kafka, for `streams.audit` to compare. Blocking calls."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from schemas.contract import Contract
from streams import audit_sql as sql
from streams.audit import Key, Reading, Sums, Vector, Verdict, Window, added, settle, spans
from streams.audit_sql import Cut, Derived
from streams.errors import StreamError
from streams.warehouse.client import Warehouse

SLICE = 1 << 20
"""Offsets asked for at once: bounds the memory of a statement, and a statement takes a fraction of a second."""

STATEMENT_COST_S, OFFSET_COST_S = 0.02, 1e-7
"""Processor time of a statement, and more of it for each offset whose rows it reads: measured on a quiet machine."""

MOST_BATCHES = 64
"""Batches in flight that are looked at; when there are more, the audit waits for a calmer moment."""

PAUSE_S = 0.25
"""Between two readings of one table, so that other batches are in flight."""

Place = tuple[int, int]
"""A topic partition and its life."""

Progress = Callable[[str, int, int], None]
"""What is being done, how much of it is done, and out of how much."""


class TopicLog(Protocol):
    """What the audit asks of a topic. Calls block."""

    def committed(self) -> Mapping[int, int]:
        """Committed offset by partition."""

    def start(self, partition: int) -> int:
        """The first offset that is kept."""

    def existing(self, partition: int, first: int, last: int) -> list[tuple[int, int]]:
        """Inclusive ranges of offsets from `first` to `last` that hold a record."""


class AuditStoppedError(StreamError):
    """The worker stops, and its audit with it."""


@dataclass(frozen=True, slots=True)
class Extent:
    """Confirmed offsets of one place: `first` to `end` (excluded). `present`: Kafka's topic is still the same one, and
    what is before `first` and not below `begin` should be there too."""

    place: Place
    first: int
    end: int
    present: bool
    begin: int = 0


@dataclass(frozen=True, slots=True)
class Written:
    """What `_changes` holds of one place: offsets `first` to `end` (excluded) of a topic."""

    first: int
    end: int
    topic_id: str


class Confirmed:
    """Sums of one derived table over the confirmed changes, taken up slice by slice."""

    def __init__(self, derived: Derived) -> None:
        self.derived = derived
        self.sums: dict[Key, Vector] = {}
        self._done: dict[Place, int] = {}

    def advance(self, reader: EntityReader, extents: Sequence[Extent], slices: int | None = None) -> bool:
        """Take up what is confirmed now, at most so many slices; whether nothing is left."""
        for portion in self._portions(extents):
            if slices is not None:
                if slices == 0:
                    return False
                slices -= 1
            where = " OR ".join(f"({sql.within(*place, low, high)})" for place, low, high in portion)
            size = sum(high - low for _, low, high in portion)
            added(self.sums, reader.changes(self.derived, where, size))
            self._done |= {place: high for place, _, high in portion}
        return True

    def _portions(self, extents: Sequence[Extent]) -> Iterator[list[tuple[Place, int, int]]]:
        """What is to be taken up, in portions of at most about `SLICE` offsets over all places."""
        portion: list[tuple[Place, int, int]] = []
        size = 0
        for extent in extents:
            for low, high in spans(self._done.get(extent.place, extent.first), extent.end, SLICE):
                if portion and (size + high - low > SLICE or portion[-1][0] == extent.place):
                    yield portion
                    portion, size = [], 0
                portion.append((extent.place, low, high))
                size += high - low
        if portion:
            yield portion


class EntityReader:
    """Reads one entity's tables and the positions of its topic."""

    def __init__(
        self, warehouse: Warehouse, contract: Contract, log: TopicLog, stopped: threading.Event | None = None
    ) -> None:
        """With `stopped` statements take one thread each, and are refused once it is set: beside the flow."""
        self.contract = contract
        self.log = log
        self._warehouse = warehouse
        self._stopped = stopped
        self._places: dict[Place, Written] | None = None
        self.spent_s = 0.0
        """What the statements have cost, for the budget of whoever asks: their time, or what they would have taken on
        a machine with nothing else to do if that is less."""

    def rows(self, statement: str, offsets: int = 0) -> Sequence[Sequence[Any]]:
        """The answer to a statement that reads the rows of about so many offsets."""
        started = time.monotonic()
        try:
            if self._stopped is None:
                return self._warehouse.rows(statement)
            if self._stopped.is_set():
                raise AuditStoppedError("the worker stops")
            return self._warehouse.rows(statement, max_threads=1)
        finally:
            self.spent_s += min(time.monotonic() - started, STATEMENT_COST_S + offsets * OFFSET_COST_S)

    def seen(self, derived: Derived) -> dict[Key, Vector]:
        """What a derived table holds."""
        most = sum(written.end - written.first for written in (self._places or {}).values())
        return dict(_split(row, derived) for row in self.rows(derived.seen_sql(), most))

    def changes(self, derived: Derived, where: str, offsets: int) -> dict[Key, Vector]:
        """What it should hold by the changes for which `where` holds, of so many offsets."""
        return dict(_split(row, derived) for row in self.rows(derived.changes_sql(where), offsets))

    def cuts(self) -> dict[int, Cut]:
        """The confirmed offset of each partition, at this moment."""
        committed = self.log.committed()
        fences = self.rows(f"SELECT partition, life, topic_id FROM {self.contract.fence_table}")
        return {p: Cut(p, life, committed.get(p, 0), topic_id) for p, life, topic_id in fences}

    def forget_places(self) -> None:
        """Look for the lives and first offsets anew at the next `extents`."""
        self._places = None

    def extents(self, cuts: Mapping[int, Cut], where: str = "1") -> list[Extent]:
        """What is confirmed, by place: earlier lives whole, the present one up to its cut."""
        if where != "1":
            return _extents(self._written(where), cuts, bounded=True)
        if self._places is None or any(
            cut.offset and (cut.partition, cut.life) not in self._places for cut in cuts.values()
        ):
            self._places = self._written(where)
        return _extents(self._places, cuts, bounded=False)

    def _written(self, where: str) -> dict[Place, Written]:
        rows = self.rows(
            "SELECT partition, life, min(`offset`), max(`offset`) + 1, any(topic_id) "
            f"FROM {self.contract.changes_table} WHERE {where} GROUP BY partition, life ORDER BY partition, life"
        )
        return {(partition, life): Written(*written) for partition, life, *written in rows}

    def reading(self, derived: Derived, confirmed: Confirmed) -> Reading | None:
        """One look at a derived table; None if too many batches are in flight to tell them apart."""
        cuts = self.cuts()
        seen = self.seen(derived)
        batches = self.rows(sql.unconfirmed_batches(self.contract, cuts, MOST_BATCHES + 1))
        if len(batches) > MOST_BATCHES:
            return None
        in_flight = self._in_flight(derived, cuts, batches)
        confirmed.advance(self, self.extents(cuts))
        return Reading(seen, dict(confirmed.sums), in_flight)

    def _in_flight(
        self, derived: Derived, cuts: Mapping[int, Cut], batches: Sequence[Sequence[Any]]
    ) -> tuple[tuple[Sums, ...], ...]:
        if not batches:
            return ()
        parts = [
            derived.batch_sql(p, first, f"{sql.within(p, cuts[p].life, first, last + 1)} AND `first` = {first}")
            for p, first, last in batches
        ]
        found: dict[tuple[int, int], dict[Key, Vector]] = {(p, first): {} for p, first, _ in batches}
        for row in self.rows(" UNION ALL ".join(parts)):
            key, vector = _split(row[2:], derived)
            found[row[0], row[1]][key] = vector
        by_partition: dict[int, list[Sums]] = {}
        for p, first, _ in batches:
            by_partition.setdefault(p, []).append(found[p, first])
        return tuple(tuple(sums) for sums in by_partition.values())

    def verdict(
        self,
        derived: Derived,
        confirmed: Confirmed,
        attempts: int = 20,
        wrong: Callable[[], None] = lambda: None,
    ) -> Verdict:
        """Read until it is settled; not settled after so many readings at the latest.

        `wrong` is called as soon as two readings in a row cannot be right, before it is known by how much.
        """
        readings: list[Reading] = []
        verdict = Verdict(None)
        for attempt in range(attempts):
            if attempt:
                time.sleep(PAUSE_S)
            reading = self.reading(derived, confirmed)
            if reading is None:
                readings.clear()
                continue
            readings.append(reading)
            before, verdict = verdict, settle(readings)
            if before.wrong and verdict.wrong:
                wrong()
            if verdict.settled:
                break
        return verdict

    def windows(self, extents: Sequence[Extent]) -> Iterator[tuple[Extent, Window]]:
        """The confirmed primary rows, slice by slice."""
        for extent in extents:
            for low, high in spans(extent.first, extent.end, SLICE):
                yield extent, self.window(extent.place, low, high)

    def window(self, place: Place, low: int, high: int) -> Window:
        row = self.rows(sql.window(self.contract, *place, low, high), high - low)[0]
        return Window(place[0], low, high, *(int(value or 0) for value in row))


def _split(row: Sequence[Any], derived: Derived) -> tuple[Key, Vector]:
    count = len(derived.keys)
    return tuple(row[:count]), tuple(row[count:])


def _extents(places: Mapping[Place, Written], cuts: Mapping[int, Cut], *, bounded: bool) -> list[Extent]:
    out: list[Extent] = []
    ended: dict[int, int] = {}
    for (partition, life), written in sorted(places.items()):
        cut = cuts.get(partition)
        if cut is None or life < cut.life:
            same = cut is not None and written.topic_id == cut.topic_id
            begin = ended.get(partition, 0) if same else written.first
            out.append(Extent((partition, life), written.first, written.end, same, begin))
            if same:
                ended[partition] = max(ended.get(partition, 0), written.end)
    for cut in cuts.values():
        begin = ended.get(cut.partition, 0)
        there = places.get((cut.partition, cut.life))
        first = there.first if there is not None else begin
        upper = cut.offset if not bounded else min(there.end, cut.offset) if there is not None else first
        if first < upper:
            out.append(Extent((cut.partition, cut.life), first, upper, present=True, begin=begin))
    return out
