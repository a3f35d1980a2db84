"""What the audit asks of the warehouse: pure. Each derived table as sums, and the same sums over `<entity>_changes`.

A rollup is asked with the definition its own view runs, as the catalogue holds it. Besides each sum there is the sum
multiplied by a hash of the row's place, so that a few figures a day stand for all rows of the day.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from schemas.contract import Contract
from streams.generations import Entry, State

PRIMARY = ("applied", "superseded", "repeat", "deleted", "quarantined")
"""Kinds of primary rows, in the order of the ledger's columns."""

LEDGER_COLUMNS = ("applied", "superseded", "repeats", "deleted", "quarantined")

_KINDS = ", ".join(f"'{kind}'" for kind in PRIMARY)

TAKES_BACK = f"kind = 'retracted' AND heal = 1 AND reason IN ({_KINDS})"
"""A row that takes back a primary row too many; its `reason` is the kind of that row."""

PRIMARY_COUNT = f"multiIf(kind != 'retracted', 1, {TAKES_BACK}, -1, 0)"
"""What a row adds to the number of primary rows."""

BUCKETS = 256
"""Parts into which entities are divided to find which differ."""


@dataclass(frozen=True, slots=True)
class Cut:
    """Which rows of a partition are confirmed: those of earlier lives, and of this one below `offset`. The topic of
    an earlier life may be this one, before it got more partitions."""

    partition: int
    life: int
    offset: int
    topic_id: str = ""


@dataclass(frozen=True, slots=True)
class Derived:
    """A table derived from the changes. `keys` and `values` are expressions: over `seen` for what the table holds,
    over `changes` (with `{where}`) for what it should hold."""

    name: str
    keys: tuple[str, ...]
    values: tuple[str, ...]
    seen: str
    changes: str

    def seen_sql(self) -> str:
        return self._summed(self.seen)

    def changes_sql(self, where: str) -> str:
        return self._summed(self.changes.replace("{where}", where))

    def batch_sql(self, partition: int, first: int, where: str) -> str:
        """As `changes_sql`, with the batch's partition and first offset in front."""
        place = f"toInt32({partition}) AS batch_partition, toInt64({first}) AS batch_first"
        return f"SELECT {place}, * FROM ({self.changes_sql(where)})"

    def _summed(self, source: str) -> str:
        keys = ", ".join(f"{key} AS key{i}" for i, key in enumerate(self.keys))
        values = ", ".join(f"sum({value}) AS value{i}" for i, value in enumerate(self.values))
        names = ", ".join(f"key{i}" for i in range(len(self.keys)))
        return f"SELECT {keys}, {values} FROM ({source}) GROUP BY {names}"


def _hash(names: Iterable[str]) -> str:
    # Null hashes to null, which a sum would pass over.
    parts = ", ".join(f"ifNull(toString({name}), '\\0')" for name in names)
    return f"reinterpretAsInt64(sipHash64({parts}))"


@dataclass(frozen=True, slots=True)
class LiveRollup:
    """The generation of a rollup that is read. `select` is its definition over the changes for which `{where}`
    holds."""

    name: str
    table: str
    select: str
    dimensions: tuple[str, ...]
    measures: tuple[str, ...]


def live_rollups(entries: Iterable[Entry], contract: Contract) -> tuple[LiveRollup, ...]:
    """The rollups of an entity that are to be right. One under way or broken is left out: a back-fill repairs it."""
    source = f"FROM {contract.changes_table} "
    restricted = f"FROM (SELECT * FROM {contract.changes_table} WHERE {{where}}) "
    return tuple(
        LiveRollup(
            entry.rollup,
            entry.table,
            entry.definition.select.replace(source, restricted),
            entry.definition.dimensions,
            tuple(name for name, _ in entry.definition.measures),
        )
        for entry in sorted(entries, key=lambda entry: entry.table)
        if entry.entity == contract.entity and entry.state is State.LIVE and entry.definition.measures
    )


def rollup_days(rollup: LiveRollup) -> Derived:
    """A rollup by day."""
    place = _hash(("day", *(f"`{name}`" for name in rollup.dimensions)))
    values = [f"`{name}`" for name in rollup.measures]
    return Derived(
        rollup.table,
        ("day",),
        (*values, *(f"{value} * {place}" for value in values)),
        f"SELECT * FROM {rollup.table}",
        rollup.select,
    )


def rollup_cells(rollup: LiveRollup, days: Sequence[str]) -> Derived:
    """A rollup by day and dimensions, for some days."""
    listed = ", ".join(f"'{day}'" for day in days)
    return Derived(
        rollup.table,
        ("day", *(f"`{name}`" for name in rollup.dimensions)),
        tuple(f"`{name}`" for name in rollup.measures),
        f"SELECT * FROM {rollup.table} WHERE day IN ({listed})",
        f"SELECT * FROM ({rollup.select}) WHERE day IN ({listed})",
    )


def ledger(contract: Contract) -> Derived:
    """The ledger of an entity by source system, partition and day."""
    counts = [
        f"toInt64(kind = '{kind}') - toInt64({TAKES_BACK} AND reason = '{kind}') AS {column}"
        for kind, column in zip(PRIMARY, LEDGER_COLUMNS, strict=True)
    ]
    return Derived(
        f"{contract.entity}_ledger",
        ("source_system", "partition", "day"),
        LEDGER_COLUMNS,
        f"SELECT * FROM ledger WHERE entity = '{contract.entity}'",
        f"SELECT source_system, partition, toDate(kafka_time, 'UTC') AS day, {', '.join(counts)} "
        f"FROM {contract.changes_table} WHERE {{where}}",
    )


def current(contract: Contract, *, deep: bool) -> Derived:
    """Living states by bucket of entities: what `<entity>_current` shows, and what the signs leave. `deep` compares
    the whole content of the states, else only which state it is."""
    names = [f"`{field.name}`" for field in contract.fields] if deep else ["entity_key", "revision"]
    content = _hash((*names, "state_offset"))
    bucket = f"toInt32(sipHash64(entity_key) % {BUCKETS})"
    columns = ", ".join(f"`{field.name}`" for field in contract.fields) if deep else "entity_key, revision"
    return Derived(
        contract.current_table,
        (bucket,),
        ("toInt64(sign)", f"sign * {content}"),
        f"SELECT {columns}, state_offset, 1 AS sign FROM {contract.current_table} FINAL WHERE NOT deleted",
        f"SELECT {columns}, state_offset, sign FROM {contract.changes_table} WHERE ({{where}}) AND sign != 0",
    )


def within(partition: int, life: int, first: int, end: int) -> str:
    """Condition for the rows of one partition and life with offsets from `first` to `end` (excluded)."""
    return f"partition = {partition} AND life = {life} AND `offset` >= {first} AND `offset` < {end}"


def unconfirmed_batches(contract: Contract, cuts: Mapping[int, Cut], at_most: int) -> str:
    """The batches above the cuts: partition, first, last."""
    above = " OR ".join(
        f"(partition = {cut.partition} AND life = {cut.life} AND `offset` >= {cut.offset})" for cut in cuts.values()
    )
    return (
        f"SELECT partition, `first`, max(`last`) FROM {contract.changes_table} WHERE {above or '0'} "
        f"GROUP BY partition, `first` ORDER BY partition, `first` LIMIT {at_most}"
    )


def window(contract: Contract, partition: int, life: int, first: int, end: int) -> str:
    """`streams.audit.Window` without its place: rows, sum, squares, misplaced.

    Rows that a healing brought back have bounds of their own, which may lie within those of their old batch.
    """
    return (
        "SELECT sum(rows), sum(total), sum(squares), "
        "sum(outside) + countIf(number > 1 AND NOT healed AND `first` <= before) FROM ("
        "SELECT `first`, rows, total, squares, outside, healed, max(if(healed, -1, `last`)) OVER "
        "(ORDER BY `first`, `last` ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before, "
        "row_number() OVER (ORDER BY `first`, `last`) AS number FROM ("
        f"SELECT `first`, `last`, sum({PRIMARY_COUNT}) AS rows, sum({PRIMARY_COUNT} * (`offset` - {first})) AS total, "
        f"sum({PRIMARY_COUNT} * (`offset` - {first}) * (`offset` - {first})) AS squares, min(heal) = 1 AS healed, "
        f"sum({PRIMARY_COUNT} * (`offset` < `first` OR `offset` > `last`)) AS outside "
        f"FROM {contract.changes_table} WHERE {within(partition, life, first, end)} GROUP BY `first`, `last`))"
    )


def present_ranges(contract: Contract, partition: int, life: int, first: int, end: int) -> str:
    """Inclusive ranges of offsets that have a primary row, ascending."""
    return (
        "SELECT min(o), max(o) FROM (SELECT o, o - row_number() OVER (ORDER BY o) AS run FROM ("
        f"SELECT `offset` AS o FROM {contract.changes_table} WHERE {within(partition, life, first, end)} "
        f"GROUP BY o HAVING sum({PRIMARY_COUNT}) > 0)) GROUP BY run ORDER BY 1"
    )


def doubled_offsets(contract: Contract, partition: int, life: int, first: int, end: int) -> str:
    """Offsets with more than one primary row, or a number below none."""
    return (
        f"SELECT `offset`, sum({PRIMARY_COUNT}) AS rows FROM {contract.changes_table} "
        f"WHERE {within(partition, life, first, end)} GROUP BY `offset` HAVING rows > 1 OR rows < 0 ORDER BY `offset`"
    )


def different_entities(contract: Contract, buckets: Sequence[int], cuts: Mapping[int, Cut], at_most: int) -> str:
    """Entities whose living states by the changes are not the one that is current: key, states, current ones.

    Entities with changes above the cuts are left out: they are on their way.
    """
    above = " OR ".join(
        f"(partition = {cut.partition} AND life = {cut.life} AND `offset` >= {cut.offset})" for cut in cuts.values()
    )
    chosen = f"sipHash64(entity_key) % {BUCKETS} IN ({', '.join(map(str, buckets))})"
    content = _hash((*(f"`{field.name}`" for field in contract.fields), "state_offset"))
    columns = ", ".join(f"`{field.name}`" for field in contract.fields)
    return (
        "SELECT entity_key, sum(living), sum(shown) FROM ("
        f"SELECT entity_key, sum(sign) AS living, toInt64(0) AS shown, sum(sign * {content}) AS content "
        f"FROM {contract.changes_table} WHERE sign != 0 AND {chosen} GROUP BY entity_key UNION ALL "
        f"SELECT entity_key, toInt64(0), toInt64(1), -{content} FROM ("
        f"SELECT {columns}, state_offset FROM {contract.current_table} FINAL WHERE NOT deleted AND {chosen})) "
        f"WHERE entity_key NOT IN (SELECT entity_key FROM {contract.changes_table} WHERE {above or '0'}) "
        "GROUP BY entity_key HAVING sum(living) != sum(shown) OR sum(content) != 0 "
        f"ORDER BY entity_key LIMIT {at_most}"
    )
