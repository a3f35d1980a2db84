"""Generations of derived tables and their cut-over: pure.

A rollup is served by one physical table at a time, its live generation. A new one is made beside it: its view
takes rows beyond a cut (per topic partition an offset ahead of the flow), a back-fill adds the rows up to the cut
in chunks, then the catalogue names it live. A row counts once, by the view or by the back-fill, whatever is
retried: which of the two depends on its offset alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from streams.plan import Rollup, expand


class State(StrEnum):
    """Of a generation. Only `live` and `broken` ones are looked at by readers."""

    CUTTING = "cutting"
    """Its view is made and waits until all partitions are past the cut."""
    FILLING = "filling"
    """The back-fill runs: `done` of its chunks are in."""
    LIVE = "live"
    BROKEN = "broken"
    """Its view threw and was dropped: the figures stand still."""
    RETIRED = "retired"
    """Not read any more; its view and table are to be dropped."""
    DROPPED = "dropped"


BUILDING = (State.CUTTING, State.FILLING)


@dataclass(frozen=True, slots=True)
class Cut:
    """Of a topic partition: rows of the topic's `life` up to `offset` come by the back-fill, later ones by the view."""

    partition: int
    life: int
    offset: int
    topic_id: str = ""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows of one topic partition that are back-filled by one insert; both ends included."""

    partition: int
    life: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Definition:
    """What a derived table holds. `select`: its whole definition; `measures`: each column's expression."""

    select: str
    timezone: str = ""
    dimensions: tuple[str, ...] = ()
    measures: tuple[tuple[str, str], ...] = ()

    def json(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Definition:
        raw = json.loads(text)
        measures = tuple((name, sql) for name, sql in raw["measures"])
        return cls(raw["select"], raw["timezone"], tuple(raw["dimensions"]), measures)

    def lacks(self, wanted: Definition, measures: Iterable[str], dimensions: Iterable[str]) -> tuple[str, ...]:
        """Of the columns asked for those that this table does not hold as `wanted` defines them."""
        if self.timezone != wanted.timezone:
            return (*measures, *dimensions)
        mine, theirs = dict(self.measures), dict(wanted.measures)
        missing = [name for name in measures if name not in mine or mine[name] != theirs.get(name)]
        return (*missing, *(name for name in dimensions if name not in self.dimensions))


@dataclass(frozen=True, slots=True)
class Entry:
    """One generation of one derived table, as the catalogue holds it; `seq` is the number of the write."""

    rollup: str
    entity: str
    generation: int
    table: str
    state: State
    definition: Definition
    cuts: tuple[Cut, ...] = ()
    chunks: tuple[Chunk, ...] = ()
    done: int = 0
    reason: str = ""
    seq: int = 0


def definition_of(rollup: Rollup, select: str, timezone: str) -> Definition:
    """`select`: the rollup's one definition, over `<entity>_changes`."""
    measures = tuple((measure.name, expand(measure.sql, timezone)) for measure in rollup.measures)
    return Definition(select, timezone, rollup.dimensions, measures)


def serving(entries: Iterable[Entry], rollup: str) -> Entry | None:
    """The generation that is read: the live or broken one."""
    found = [entry for entry in entries if entry.rollup == rollup and entry.state in (State.LIVE, State.BROKEN)]
    return max(found, key=lambda entry: entry.generation, default=None)


def building(entries: Iterable[Entry], rollup: str) -> Entry | None:
    """The newest generation that is under way."""
    found = [entry for entry in entries if entry.rollup == rollup and entry.state in BUILDING]
    return max(found, key=lambda entry: entry.generation, default=None)


def table_of(rollup: str, generation: int) -> str:
    """The first generation has the rollup's own name."""
    return rollup if generation == 0 else f"{rollup}_g{generation}"


def next_generation(entries: Iterable[Entry], rollup: str) -> int:
    """A number that no generation of the rollup ever had, so that its tokens are new too."""
    return max((entry.generation for entry in entries if entry.rollup == rollup), default=0) + 1


def beyond(cuts: Sequence[Cut]) -> str:
    """Condition over `<entity>_changes`: rows past the cut. Partitions that the cut does not know are all past it,
    and so are later lives of the topic."""
    if not cuts:
        return "1"
    order = sorted(cuts, key=lambda cut: cut.partition)
    partitions = ", ".join(f"toInt32({cut.partition})" for cut in order)
    starts = ", ".join(f"toUInt64({(cut.life << 40) + cut.offset + 1})" for cut in order)
    return (
        "bitShiftLeft(toUInt64(life), 40) + toUInt64(offset) >= "
        f"transform(partition, [{partitions}], [{starts}], toUInt64(0))"
    )


def inside(chunk: Chunk) -> str:
    """Condition over `<entity>_changes`: rows of one chunk."""
    return f"partition = {chunk.partition} AND life = {chunk.life} AND offset BETWEEN {chunk.first} AND {chunk.last}"


def chunks_of(ranges: Iterable[tuple[int, int, int, int, int]], cuts: Sequence[Cut], rows: int) -> tuple[Chunk, ...]:
    """Chunks of about `rows` rows each that hold exactly what `beyond(cuts)` leaves out.

    `ranges`: (partition, life, first offset, last offset, count of rows) of what is written.
    """
    by_partition = {cut.partition: cut for cut in cuts}
    found: list[Chunk] = []
    for partition, life, first, last, count in sorted(ranges):
        cut = by_partition.get(partition)
        if cut is None or life > cut.life:
            continue
        end = last if life < cut.life else min(last, cut.offset)
        step = max(1, rows * (last - first + 1) // max(1, count))
        found += [Chunk(partition, life, start, min(start + step - 1, end)) for start in range(first, end + 1, step)]
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Position:
    """What a partition's commit says. `bound`: no block in flight goes further; `done`: all up to here is written."""

    topic_id: str
    bound: int
    done: int


@dataclass(frozen=True, slots=True)
class Reach:
    """How far a partition is written: the topic's life and the last offset."""

    life: int
    offset: int
    topic_id: str


def choose_cuts(
    positions: Mapping[int, Position], reached: Mapping[int, Reach], margins: Mapping[int, int]
) -> tuple[Cut, ...]:
    """Cuts that nothing in flight passes, `margins` further for partitions that move."""
    cuts = []
    for partition in sorted({*positions, *reached}):
        reach = reached.get(partition, Reach(0, -1, ""))
        position = positions.get(partition)
        same = position is not None and position.topic_id in ("", reach.topic_id)
        bound = max(reach.offset, position.bound if position is not None and same else -1)
        cuts.append(Cut(partition, reach.life, bound + margins.get(partition, 0), reach.topic_id))
    return tuple(cuts)


def overtaken(cuts: Sequence[Cut], positions: Mapping[int, Position], reached: Mapping[int, Reach]) -> dict[int, int]:
    """Partitions whose flow had passed the cut by the time the view was there, and by how much."""
    fresh = {cut.partition: cut for cut in choose_cuts(positions, reached, {})}
    known = {cut.partition: cut for cut in cuts}
    late: dict[int, int] = {}
    for partition, cut in fresh.items():
        old = known.get(partition)
        if old is None or cut.life > old.life:
            if cut.offset >= 0:
                late[partition] = cut.offset + 1
        elif cut.offset > old.offset:
            late[partition] = cut.offset - old.offset
    return late


def waiting_for(
    cuts: Sequence[Cut], positions: Mapping[int, Position], reached: Mapping[int, Reach]
) -> tuple[Cut, ...]:
    """Cuts up to which not all is written yet. A life that is over gets nothing more."""
    return tuple(cut for cut in cuts if not _passed(cut, positions.get(cut.partition), reached.get(cut.partition)))


def _passed(cut: Cut, position: Position | None, reach: Reach | None) -> bool:
    if reach is not None and (reach.life > cut.life or (reach.life == cut.life and reach.offset >= cut.offset)):
        return True
    if position is None:
        return cut.offset < 0
    return position.topic_id in ("", cut.topic_id) and position.done >= cut.offset


def from_row(row: Mapping[str, Any]) -> Entry:
    """An entry as the catalogue's table has it."""
    return Entry(
        row["rollup"],
        row["entity"],
        int(row["generation"]),
        row["table"],
        State(row["state"]),
        Definition.from_json(row["definition"]),
        tuple(Cut(*item) for item in json.loads(row["cuts"])),
        tuple(Chunk(*item) for item in json.loads(row["chunks"])),
        int(row["done"]),
        row["reason"],
        int(row["seq"]),
    )


def to_row(entry: Entry) -> dict[str, Any]:
    """The opposite of `from_row`."""
    cuts = [[cut.partition, cut.life, cut.offset, cut.topic_id] for cut in entry.cuts]
    chunks = [[chunk.partition, chunk.life, chunk.first, chunk.last] for chunk in entry.chunks]
    return {
        "rollup": entry.rollup,
        "entity": entry.entity,
        "generation": entry.generation,
        "table": entry.table,
        "state": str(entry.state),
        "definition": entry.definition.json(),
        "cuts": json.dumps(cuts),
        "chunks": json.dumps(chunks),
        "done": entry.done,
        "reason": entry.reason,
    }
