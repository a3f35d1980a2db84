"""Loads the keys that have a state from the warehouse: all of an entity's, of facts those of the last days."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator

import polars as pl

from schemas.contract import Contract
from streams.recent_keys import ALWAYS, NEVER, RecentKeys, days_of
from streams.states import KnownKeys, key_hashes
from streams.store import EntityStore
from streams.warehouse.client import Warehouse

Keys = KnownKeys | RecentKeys

FACTS_PER_QUERY = 1_000_000
"""Keys are loaded in slices, so that no answer grows without bound."""


def unloaded(contract: Contract) -> Keys:
    """A set that takes every key for known until it is loaded."""
    if contract.remember_days is None:
        return KnownKeys(complete=False)
    return RecentKeys(contract.remember_days, floor=NEVER)


def load(known: Keys, warehouse: Warehouse, contract: Contract) -> Callable[[], None]:
    """Load what was written before; to be done with the fences up. Blocks for seconds; calling the answer, on the
    thread that adds keys, completes the set."""
    if isinstance(known, RecentKeys):
        recent = load_recent_keys(warehouse, contract)
        return lambda: known.complete_with(recent)
    run = EntityStore(warehouse, contract).known_run()
    return lambda: known.complete_with(run)


def load_recent_keys(warehouse: Warehouse, contract: Contract) -> RecentKeys:
    """The keys of the days that are remembered, counted back from the newest Kafka timestamp in the warehouse.

    Some 15 s for 14 million keys, 40 days of 344,000.
    """
    span = contract.remember_days or 1
    newest = _newest_day(warehouse, contract)
    # Without the ledger's word all keys are remembered at first: that is right whatever there is.
    keys = RecentKeys(span, ALWAYS if newest is None else newest - span + 1)
    for facts in _facts_since(warehouse, contract, keys.floor):
        days = facts.select(days_of(pl.col("event_time"))).to_series()
        keys.add(key_hashes(facts["entity_key"]), days.to_numpy())
    return keys


def _newest_day(warehouse: Warehouse, contract: Contract) -> int | None:
    rows = warehouse.rows(
        "SELECT count(), intDiv(toUnixTimestamp64Milli(max(max_kafka_time)), 86400000) FROM ledger "
        "WHERE entity = {entity:String}",
        {"entity": contract.entity},
    )
    return int(rows[0][1]) if rows[0][0] else None


def _facts_since(warehouse: Warehouse, contract: Contract, day: int) -> Iterator[pl.DataFrame]:
    last = None
    while True:
        after = "" if last is None else " AND entity_key > '" + last.replace("\\", "\\\\").replace("'", "\\'") + "'"
        since = "1" if day == ALWAYS else f"event_time >= fromUnixTimestamp64Milli(toInt64({day * 86_400_000}), 'UTC')"
        stream = warehouse.arrow(
            f"SELECT DISTINCT entity_key, event_time FROM {contract.current_table} WHERE {since}{after} "
            f"ORDER BY entity_key LIMIT {FACTS_PER_QUERY}",
            {"output_format_arrow_string_as_string": 1},
        )
        facts = pl.read_ipc_stream(io.BytesIO(stream))
        if facts.height:
            yield facts
            last = facts["entity_key"][-1]
        if facts.height < FACTS_PER_QUERY:
            return
