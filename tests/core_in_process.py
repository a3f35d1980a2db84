"""The real sink over the real engine, in this process: records in, tables out, with no broker and no server.

Slower paths are there for tests that count sequences by the dozen: each `core()` is a private entity in a database of
its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import clickhouse_connect
import polars as pl
import yaml

from schemas.codec import Decoder
from schemas.contract import Contract, load_contracts
from schemas.errors import UnknownSchemaError
from streams.block import arrow_stream
from streams.fences import Membership, raise_fences
from streams.known_load import load, unloaded
from streams.plan import EntityPlan, plan_entity
from streams.quarantine import Refusal
from streams.sink import EntitySink, Records, TakeOver
from streams.state_cache import StateRoom
from streams.store import EntityStore
from streams.warehouse.client import Warehouse
from streams.warehouse.schema import current_table, migrate, rollup_select
from tests.fact_worker import fact_contract
from tests.stream_worker import ROOT, private_contract, value_of

TIMEZONE = "Asia/Ho_Chi_Minh"
TOPIC_ID = "T"
_NUMBERS = itertools.count(1)


class InProcessWarehouse(Warehouse):
    """The product's own client over an engine inside the process."""

    def rows(self, sql: str, parameters: dict[str, Any] | None = None, **settings: Any) -> Sequence[Sequence[Any]]:
        """Beside other tests a statement may take longer than a screen waits."""
        return super().rows(sql, parameters, **{**settings, "max_execution_time": 60})

    def __init__(self, database: str) -> None:
        super().__init__(f"http://in-process/{database}")
        self._client = clickhouse_connect.get_client(interface="chdb", database=database)


@cache
def _engine() -> Any:
    return clickhouse_connect.get_client(interface="chdb")


@dataclass
class Refused:
    """A quarantine that keeps what it gets."""

    refusals: list[Refusal] = field(default_factory=list)

    async def publish(self, refusals: Sequence[Refusal]) -> None:
        self.refusals += refusals


def _schema_text(schema_id: int) -> str:
    if schema_id != 1:
        raise UnknownSchemaError(str(schema_id))
    return load_contracts()["dossier"].schema_text


@dataclass
class Core:
    """One partition of a private entity and the worker that owns it. Offsets go on by themselves."""

    contract: Contract
    plan: EntityPlan
    warehouse: Warehouse
    cached_states: int = 10_000
    next: int = 0
    generation: int = 0
    refused: Refused = field(default_factory=Refused)
    _runner: asyncio.Runner = field(default_factory=asyncio.Runner)

    def __post_init__(self) -> None:
        self.restart()

    @property
    def name(self) -> str:
        return self.contract.entity

    def restart(self) -> None:
        """A new worker takes over: it knows nothing but what the warehouse has."""
        store = EntityStore(self.warehouse, self.contract)

        async def take_over() -> TakeOver:
            known = unloaded(self.contract)
            load(known, self.warehouse, self.contract)()
            self.generation += 1
            membership = Membership(self.generation, f"member-{self.generation}")
            fences = await raise_fences(self.warehouse, self.contract, TOPIC_ID, [0], membership, self._confirm)
            return TakeOver(fences, known)

        self.sink = EntitySink(
            self.contract, 0, store, self.decoder(), self.refused, take_over, StateRoom(self.cached_states)
        )
        self._runner.run(self.sink.open(TOPIC_ID))

    def decoder(self) -> Decoder:
        """Reads the records' values."""
        return Decoder(self.contract, _schema_text)

    async def _confirm(self) -> None:
        """There is no group: the core is always the partition's owner."""

    def feed(self, events: Sequence[dict[str, Any]], at: int | Sequence[int], twice: bool = False) -> pl.DataFrame:
        """Write events as one batch with these Kafka timestamps (ms); the rows written, `twice` under two tokens."""
        records = self._records(events, at)
        first, last = self.next, self.next + len(events) - 1
        self.next = last + 1
        self._runner.run(self._write(records, first, last))
        rows = self.rows(f"`offset` BETWEEN {first} AND {last}")
        if twice:
            table, columns = self.contract.changes_table, rows.columns
            self.warehouse.insert(table, columns, arrow_stream(rows), f"again:{first}-{last}")
        return rows

    def die_and_redo(self, events: Sequence[dict[str, Any]], at: int | Sequence[int], written: str) -> None:
        """A worker dies with this batch intended; the next one redoes it. `written` by then: nothing, changes (the
        warehouse died too, before the current states had them), all."""
        records = self._records(events, at)
        first, last = self.next, self.next + len(events) - 1
        self.next = last + 1
        view = current_table(self.contract)[1]
        if written == "changes":
            self.warehouse.command(f"DROP VIEW view_{self.contract.current_table}")
        if written != "nothing":
            self._runner.run(self._write(records, first, last))
        if written == "changes":
            self.warehouse.command(view)
        self.restart()
        self._runner.run(self._redo(records, first, last))

    async def _write(self, records: Records, first: int, last: int) -> None:
        block = await self.sink.prepare(records, first, last)
        await block.send()
        block.done()

    async def _redo(self, records: Records, first: int, last: int) -> None:
        block = await self.sink.prepare_redo(first, last)
        if block is None:
            block = await self.sink.prepare_again(records, first, last)
        await block.send()
        block.done()

    def _records(self, events: Sequence[dict[str, Any]], at: int | Sequence[int]) -> Records:
        times = [at] * len(events) if isinstance(at, int) else list(at)
        offsets = list(range(self.next, self.next + len(events)))
        return Records.of(offsets, times, [e["entity_key"].encode() for e in events], [value_of(e) for e in events])

    def rows(self, where: str = "1") -> pl.DataFrame:
        """Rows of `<entity>_changes`."""
        sql = f"SELECT * FROM {self.contract.changes_table} WHERE {where} ORDER BY `offset`, sign DESC"
        return pl.read_ipc_stream(io.BytesIO(self.warehouse.arrow(sql, {"output_format_arrow_string_as_string": 1})))

    def kinds(self) -> list[str]:
        """Kind of every primary row."""
        return [row[0] for row in self.rows("kind != 'retracted'").select("kind").rows()]

    def reasons(self) -> list[str]:
        """Why records were quarantined."""
        return [row[0] for row in self.rows("kind = 'quarantined'").select("reason").rows()]

    def recount(self, time: str) -> list[tuple[Any, ...]]:
        """A rollup's rows computed anew over all changes."""
        rollup = next(rollup for rollup in self.plan.rollups if rollup.time == time)
        return [tuple(row) for row in self.warehouse.rows(rollup_select(rollup, TIMEZONE))]

    def empty(self) -> None:
        """Forget everything: tables, offsets, and what the worker knew."""
        tables = [self.contract.changes_table, self.contract.current_table, "ledger"]
        for table in [*tables, *(rollup.table for rollup in self.plan.rollups)]:
            self.warehouse.command(f"TRUNCATE TABLE {table}")
        self.next = 0
        self.restart()

    def close(self) -> None:
        self._runner.close()


def private_plan(contract: Contract, arrivals: dict[str, Any] | None = None) -> EntityPlan:
    """The dossier's KPIs for a private contract."""
    raw = yaml.safe_load((ROOT / "streams" / "kpis" / "dossier.yaml").read_text(encoding="utf-8"))
    kpis = [{**kpi, "id": kpi["id"].replace("dossier", contract.entity)} for kpi in raw["kpis"]]
    raw |= {"entity": contract.entity, "kpis": kpis} | ({"arrivals": arrivals} if arrivals else {})
    return plan_entity(raw, {contract.entity: contract}, "test")


@contextlib.contextmanager
def core(
    arrivals: dict[str, Any] | None = None, cached_states: int = 10_000, remember_days: int | None = None
) -> Iterator[Core]:
    """A private entity with empty tables; with `remember_days` its records are facts."""
    name = f"core{next(_NUMBERS)}"
    contract = private_contract(name)
    if remember_days is not None:
        contract = fact_contract(name, remember_days)
    plan = private_plan(contract, arrivals)
    _engine().command(f"CREATE DATABASE {name}")
    warehouse = InProcessWarehouse(name)
    migrate(warehouse, {name: contract}, {name: plan}, TIMEZONE)
    ready = Core(contract, plan, warehouse, cached_states)
    try:
        yield ready
    finally:
        ready.close()
        _engine().command(f"DROP DATABASE {name}")
