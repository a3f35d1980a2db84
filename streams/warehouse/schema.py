"""The warehouse's tables and views, derived from contracts and KPI plans: pure, and `migrate` that applies them.

`<entity>_changes` is the truth: one primary row per offset and the rows that take back old states. ClickHouse
derives the rest from it by materialised views, so one SQL definition serves live, rebuild and audit.
"""

from __future__ import annotations

from collections.abc import Iterable

from schemas.codes_table import CodeTable
from schemas.contract import ENVELOPE, Contract, Field
from streams import arrivals
from streams.arrivals import TOOK_BACK
from streams.generations import Definition, definition_of
from streams.kpi import DUE_MINUTE
from streams.losses import TOPIC_TABLES
from streams.plan import EntityPlan, Rollup, expand
from streams.warehouse.client import Warehouse
from streams.warehouse.code_tables import load_codes
from streams.warehouse.dry_run import edge_source
from streams.warehouse.narrow import SETTINGS, projection
from streams.warehouse.placing import Target, place

UTC_MILLIS = "DateTime64(3, 'UTC')"

DEDUPLICATION_WINDOW = 20_000
"""Blocks whose tokens are remembered per table partition: must outlive the hand-over of a topic partition.
12 partitions × 10 batches/s × (10 s session + 30 s body + 20 s restart) × 2 is 14,400."""

CURRENT_GRANULARITY = 1024
"""Rows per mark of `<entity>_current`: states are looked up by key, so small marks read less."""

BOOKKEEPING: tuple[tuple[str, str], ...] = (
    ("kind", "LowCardinality(String)"),
    ("sign", "Int8"),
    ("reason", "LowCardinality(String)"),
    ("topic_id", "LowCardinality(String)"),
    ("life", "UInt32"),
    ("partition", "Int32"),
    ("offset", "Int64"),
    ("first", "Int64"),
    ("last", "Int64"),
    ("state_offset", "Int64"),
    ("epoch", "Int64"),
    ("heal", "UInt8"),
    ("kafka_time", UTC_MILLIS),
    ("batch_time", UTC_MILLIS),
    ("joint", "LowCardinality(String)"),
)
"""Columns of `<entity>_changes` beside the contract's own. `joint`: the members of the row's block, if it is of several
partitions (`streams.intent.joint_text`)."""

_TYPES = {
    "string": "String",
    "int": "Int32",
    "long": "Int64",
    "float": "Float32",
    "double": "Float64",
    "boolean": "Bool",
    "enum": "LowCardinality(String)",
    "timestamp": UTC_MILLIS,
}


def column_type(field: Field) -> str:
    """ClickHouse type of a contract field."""
    base = _TYPES.get(field.base, f"Decimal({field.precision}, {field.scale})")
    if field.few_values:
        base = "LowCardinality(String)"
    if not field.nullable:
        return base
    # The warehouse knows dictionaries of nullable texts, not nullable dictionaries.
    return "LowCardinality(Nullable(String))" if base.startswith("LowCardinality") else f"Nullable({base})"


def _columns(pairs: Iterable[tuple[str, str]]) -> str:
    return ", ".join(f"`{name}` {kind}" for name, kind in pairs)


def _payload(contract: Contract) -> list[tuple[str, str]]:
    return [(field.name, column_type(field)) for field in contract.fields]


def fence_table(contract: Contract) -> str:
    """DDL of `<entity>_fence`: per topic partition the epoch below which blocks are refused."""
    return (
        f"CREATE TABLE IF NOT EXISTS {contract.fence_table} "
        "(partition Int32, epoch Int64, topic_id String, life UInt32) "
        "ENGINE = Join(ANY, LEFT, partition) SETTINGS join_any_take_last_row = 1"
    )


def changes_table(contract: Contract) -> str:
    """DDL of `<entity>_changes`; the constraint refuses blocks of workers that lost their partition."""
    return (
        f"CREATE TABLE IF NOT EXISTS {contract.changes_table} ("
        f"{_columns([*_payload(contract), *BOOKKEEPING])}, "
        f"INDEX by_key entity_key TYPE bloom_filter(0.01) GRANULARITY 4, "
        # What arrived since a moment lies at the end of each topic partition.
        f"INDEX by_arrival kafka_time TYPE minmax GRANULARITY 4, "
        f"CONSTRAINT fenced CHECK epoch >= joinGet('{contract.fence_table}', 'epoch', partition)) "
        # One table partition per batch keeps a batch one part, and so atomic.
        "ENGINE = MergeTree PARTITION BY toYYYYMM(batch_time) ORDER BY (partition, offset) "
        f"SETTINGS non_replicated_deduplication_window = {DEDUPLICATION_WINDOW}"
    )


def current_target(contract: Contract) -> Target:
    """`<entity>_current` as a derived table; `version` grows in the order of applying."""
    names = ", ".join(f"`{field.name}`" for field in contract.fields)
    # Keys are given out in the order of time: lists of a few days' records read their part of the table.
    times = [field.name for field in contract.fields if field.base == "timestamp" and field.name not in ENVELOPE]
    indexes = "".join(f", INDEX by_{name} `{name}` TYPE minmax GRANULARITY 1" for name in times)

    def create(table: str) -> str:
        return (
            f"CREATE TABLE IF NOT EXISTS {table} ("
            f"{_columns(_payload(contract))}, deleted UInt8, version UInt64, state_offset Int64{indexes}) "
            "ENGINE = ReplacingMergeTree(version) ORDER BY entity_key "
            f"SETTINGS non_replicated_deduplication_window = {DEDUPLICATION_WINDOW}, "
            f"index_granularity = {CURRENT_GRANULARITY}"
        )

    def select(source: str) -> str:
        return (
            f"SELECT {names}, toUInt8(kind = 'deleted') AS deleted, "
            "bitShiftLeft(toUInt64(life), 40) + toUInt64(offset) AS version, offset AS state_offset "
            f"FROM {source} WHERE kind IN ('applied', 'deleted')"
        )

    name, changes = contract.current_table, contract.changes_table
    edges = edge_source([*_payload(contract), *BOOKKEEPING], _TRIED, select(changes))
    return Target(name, contract.entity, changes, Definition(select(changes)), create, select, edges, exchange=True)


def current_table(contract: Contract) -> list[str]:
    """DDL of `<entity>_current` and its view."""
    target = current_target(contract)
    return [target.create(target.name), target.view(target.name)]


def _day(time: str, timezone: str) -> str:
    """The day of `time` in `timezone` as a Date. A Date holds 1970-01-01 to 2149-06-06 and wraps around beyond: a year
    mistyped as 2202 would count in 2022. The days beyond are counted at its ends."""
    day = f"toDate32({time}, '{timezone}')"
    return f"toDate(least(greatest({day}, toDate32('1970-01-01')), toDate32('2149-06-06')))"


def _minute(time: str) -> str:
    """The minute of a time, over all of 1900–2299: the warehouse's own rounding ends with 2106."""
    return f"fromUnixTimestamp64Milli(intDivOrZero(toUnixTimestamp64Milli({time}), 60000) * 60000, 'UTC')"


def rollup_select(rollup: Rollup, timezone: str, source: str = "") -> str:
    """The one definition of a rollup's rows, over `<entity>_changes` or `source`, a sub-query of some of its rows."""
    source = source or f"{rollup.entity}_changes"
    if rollup.time == arrivals.TIME:
        sums = {measure.name: measure.sql for measure in rollup.measures}
        return arrivals.select(source, sums, timezone)
    measures = [
        f"sum(sign * toInt64(ifNull({expand(measure.sql, timezone)}, 0))) AS `{measure.name}`"
        for measure in rollup.measures
    ]
    keys = ["day", *(f"`{name}`" for name in rollup.dimensions)]
    due = f"{_minute(f'assumeNotNull(`{rollup.time}`)')} AS `{DUE_MINUTE}`"
    columns = [due if name == f"`{DUE_MINUTE}`" else name for name in keys]
    return (
        f"SELECT {_day(f'assumeNotNull(`{rollup.time}`)', timezone)} AS {', '.join([*columns, *measures])} "
        f"FROM {source} WHERE sign != 0 AND `{rollup.time}` IS NOT NULL GROUP BY {', '.join(keys)}"
    )


def rollup_target(rollup: Rollup, contract: Contract, timezone: str) -> Target:
    """A rollup as a derived table."""
    dimensions = [
        (name, UTC_MILLIS if name == DUE_MINUTE else column_type(contract.by_name[name])) for name in rollup.dimensions
    ]
    measures = [(measure.name, "Int64") for measure in rollup.measures]
    order = ", ".join(("day", *(f"`{name}`" for name in rollup.dimensions)))
    narrow = projection(rollup)

    def create(table: str) -> str:
        columns = _columns([("day", "Date"), *dimensions, *measures])
        return (
            f"CREATE TABLE IF NOT EXISTS {table} ({', '.join(filter(None, (columns, narrow)))}) "
            f"ENGINE = SummingMergeTree ORDER BY ({order}) "
            f"SETTINGS {SETTINGS}, non_replicated_deduplication_window = {DEDUPLICATION_WINDOW}"
        )

    select = rollup_select(rollup, timezone)
    return Target(
        rollup.table,
        contract.entity,
        contract.changes_table,
        definition_of(rollup, select, timezone),
        create,
        lambda source: rollup_select(rollup, timezone, source),
        edge_source([*_payload(contract), *BOOKKEEPING], _TRIED, select),
        projection=narrow,
    )


_TRIED = {
    "kind": ("'applied'", "'deleted'", "'superseded'"),
    "sign": ("1", "-1"),
    "reason": (f"'{TOOK_BACK}'", "''"),
    "heal": ("0",),
}
"""Bookkeeping of the rows on which a definition is tried out."""


_LEDGER_KINDS = (("applied", "applied"), ("superseded", "superseded"), ("repeats", "repeat"), ("deleted", "deleted"),
                 ("quarantined", "quarantined"))  # fmt: skip


def ledger_view(contract: Contract) -> str:
    """Counts of primary rows by kind, and the newest times, per source system, partition and day."""
    counts = ", ".join(f"toInt64(countIf(kind = '{kind}')) AS {column}" for column, kind in _LEDGER_KINDS)
    return (
        f"CREATE MATERIALIZED VIEW IF NOT EXISTS view_ledger_{contract.entity} TO ledger AS "
        f"SELECT '{contract.entity}' AS entity, source_system, partition, toDate(kafka_time, 'UTC') AS day, {counts}, "
        "maxIf(event_time, kind != 'quarantined') AS max_event_time, max(ingest_time) AS max_ingest_time, "
        "max(kafka_time) AS max_kafka_time, now64(3, 'UTC') AS written_at, max(last) AS max_last "
        f"FROM {contract.changes_table} WHERE kind != 'retracted' AND heal = 0 "
        "GROUP BY source_system, partition, day"
    )


def common_tables() -> list[str]:
    """Tables that belong to no one entity."""
    counts = ", ".join(f"{column} SimpleAggregateFunction(sum, Int64)" for column, _ in _LEDGER_KINDS)
    times = ", ".join(
        f"{column} SimpleAggregateFunction(max, {UTC_MILLIS})"
        for column in ("max_event_time", "max_ingest_time", "max_kafka_time", "written_at")
    )
    return [
        *TOPIC_TABLES,
        "CREATE TABLE IF NOT EXISTS ledger (entity LowCardinality(String), source_system LowCardinality(String), "
        f"partition Int32, day Date, {counts}, {times}, max_last SimpleAggregateFunction(max, Int64)) "
        "ENGINE = AggregatingMergeTree ORDER BY (entity, source_system, partition, day) "
        f"SETTINGS non_replicated_deduplication_window = {DEDUPLICATION_WINDOW}",
        "CREATE TABLE IF NOT EXISTS quarantine (id String, connector LowCardinality(String), "
        "stage LowCardinality(String), reason_code LowCardinality(String), reason String, reason_en String, "
        "topic LowCardinality(String), partition Nullable(Int32), offset Nullable(Int64), "
        f"entity LowCardinality(String), at {UTC_MILLIS}, payload String) "
        "ENGINE = ReplacingMergeTree ORDER BY id "
        f"SETTINGS non_replicated_deduplication_window = {DEDUPLICATION_WINDOW}",
    ]


def statements(contract: Contract, plan: EntityPlan, timezone: str) -> list[str]:
    """All DDL of one entity, in the order in which it must run."""
    out = [fence_table(contract), changes_table(contract), *current_table(contract)]
    for rollup in plan.rollups:
        target = rollup_target(rollup, contract, timezone)
        out += [target.create(target.name), target.view(target.name)]
    return [*out, ledger_view(contract)]


def targets(contracts: dict[str, Contract], plans: dict[str, EntityPlan], timezone: str) -> list[Target]:
    """All rollups of the plans."""
    return [
        rollup_target(rollup, contract, timezone)
        for entity, contract in contracts.items()
        for rollup in plans[entity].rollups
    ]


def migrate(
    warehouse: Warehouse,
    contracts: dict[str, Contract],
    plans: dict[str, EntityPlan],
    timezone: str,
    codes: Iterable[CodeTable] = (),
) -> None:
    """Create what is missing and reload the code tables. Idempotent; blocks; raises `WarehouseError`."""
    for statement in common_tables():
        warehouse.command(statement)
    for contract in contracts.values():
        for statement in statements(contract, EntityPlan(contract.entity, (), {}, (), ()), timezone):
            warehouse.command(statement)
    place(warehouse, targets(contracts, plans, timezone))
    for table in codes:
        load_codes(warehouse, table)
