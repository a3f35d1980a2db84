"""The product's books held against the simulated systems' ledgers, whatever has happened to the stack."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import fastavro
import httpx2
import orjson
import polars as pl
from aiokafka import AIOKafkaConsumer, ConsumerRecord

from connectors.quarantine import record_id
from deploy.demo import emitted, oracle
from deploy.demo.ledger import FEEDBACK, PORTAL
from hub.config import load
from hub.demo_figures import differences
from hub.group_lag import GroupLag
from hub.topics import STREAM_GROUP, TopicsError
from hub.wiring import warehouse_client
from schemas.contract import Contract, load_contracts
from schemas.wire import unframe
from streams.errors import WarehouseError
from streams.generations import serving
from streams.plan import load_plans
from streams.warehouse.catalogue import Catalogue
from streams.warehouse.client import Warehouse
from streams.warehouse.schema import rollup_select
from tests.stack import RunningStack

ZONE = "Asia/Ho_Chi_Minh"
REFERENCE = (date(2022, 1, 1), date(2022, 9, 30))
CONTRACTS = load_contracts()
PLANS = load_plans(CONTRACTS)
SYSTEMS = {"dossier": PORTAL, "feedback": FEEDBACK}
"""Which simulated system emits an entity's records."""

PRIMARY = "kind != 'retracted' AND heal = 0"
"""The one row that every offset leaves in `<entity>_changes`."""

ASSERTION = ["entity_key", "revision", "op", "event_id"]
POLL_S = 0.25


@dataclass(frozen=True, slots=True)
class Books:
    """A stack with what it takes to look into it: its warehouse and an administrator's key."""

    stack: RunningStack
    warehouse: Warehouse
    api: httpx2.Client

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.stack.environment['IOC_KAFKA__PORT']}"

    def frame(self, sql: str) -> pl.DataFrame:
        """A query's answer."""
        stream = self.warehouse.arrow(sql, {"output_format_arrow_string_as_string": 1})
        return pl.read_ipc_stream(io.BytesIO(stream))

    def events(self, entity: str) -> pl.DataFrame:
        """What the ledger says was emitted of an entity, once each, in canonical terms."""
        return emitted.dossiers(self.stack.ledgers) if entity == "dossier" else emitted.feedback(self.stack.ledgers)


@contextmanager
def opened(stack: RunningStack) -> Iterator[Books]:
    """The books of a running stack."""
    settings = load(environ=stack.environment).settings
    headers = {"Authorization": f"Bearer {stack.key()}", "Accept-Language": "en"}
    with (
        closing(warehouse_client(settings, read_only=False)) as warehouse,
        httpx2.Client(base_url=stack.api_url, headers=headers, timeout=20) as api,
    ):
        yield Books(stack, warehouse, api)


def this_year() -> tuple[date, date]:
    """From New Year to today, where the province is."""
    today = datetime.now(ZoneInfo(ZONE)).date()
    return date(today.year, 1, 1), today


def wait_until_settled(books: Books, within_s: float = 90) -> None:
    """Until every emitted record is in the warehouse and every record of the topics is worked off.

    The simulated systems must not emit any more. Fails with what is still missing.
    """
    deadline = time.monotonic() + within_s
    wanted = {entity: books.events(entity).height for entity in SYSTEMS}
    bad = sum(len(emitted.refused(system)) for system in SYSTEMS.values())
    found: object = None
    lag = GroupLag(books.bootstrap, STREAM_GROUP, [CONTRACTS[entity].topic for entity in SYSTEMS])
    with closing(lag):
        while time.monotonic() < deadline:
            try:
                written, refused, records = in_warehouse(books), refusals(books), on_topics(lag)
                found = {"written": written, "refused": refused, "on topics": records}
                arrived = {entity: distinct for entity, (distinct, _) in written.items()}
                worked_off = {entity: rows for entity, (_, rows) in written.items()} == records
                if arrived == wanted and refused == bad and worked_off and delivered(books):
                    return
            except (WarehouseError, TopicsError) as error:
                found = error
            time.sleep(POLL_S)
    raise AssertionError(f"not settled within {within_s} s: {found}; emitted {wanted}, {bad} of them bad besides")


def in_warehouse(books: Books) -> dict[str, tuple[int, int]]:
    """Distinct events and records of each entity that have their row."""
    sql = "SELECT uniqExact(event_id), count() FROM {}_changes WHERE " + PRIMARY
    return {entity: tuple(books.warehouse.rows(sql.format(entity))[0]) for entity in SYSTEMS}


def refusals(books: Books) -> int:
    """Refused records in the warehouse."""
    return int(books.warehouse.rows("SELECT uniqExact(id) FROM quarantine")[0][0])


def on_topics(lag: GroupLag) -> dict[str, int]:
    """Records on the topic of each entity."""
    ends = lag.read()
    return {entity: sum(part.end for part in ends if part.topic == CONTRACTS[entity].topic) for entity in SYSTEMS}


def delivered(books: Books) -> bool:
    """Whether the 1022 system has nothing left to push."""
    progress = orjson.loads((books.stack.ledgers / FEEDBACK / "progress.json").read_bytes())
    history: bool = progress["history_sent"] == progress["history_total"]
    return history and progress["live_accepted"] == progress["live_emitted"]


# --- the figures ---------------------------------------------------------------------------------------------


def check_figures(books: Books, start: date, end: date) -> None:
    """All KPIs of the period, asked one by one over HTTP, are the oracle's."""
    wanted = oracle.kpis(books.stack.ledgers, start, end)
    period = {"from": start.isoformat(), "to": end.isoformat()}
    found = {}
    for kpi in wanted:
        answer = books.api.get(f"/v1/kpis/{kpi}", params=period)
        assert answer.status_code == 200, answer.text
        found[kpi] = answer.json()
    assert set(wanted) == {kpi.id for entity in SYSTEMS for kpi in PLANS[entity].kpis}
    assert differences(wanted, found) == []


def check_states(books: Books, entity: str) -> None:
    """`<entity>_current` is the last state of every key that the ledger knows, field by field."""
    expected = oracle.final_states(books.events(entity)).drop("event_id")
    names = ", ".join(f"`{name}`" for name in expected.columns)
    found = books.frame(f"SELECT {names} FROM {entity}_current FINAL WHERE NOT deleted")
    found = found.select(pl.col(name).cast(kind) for name, kind in expected.schema.items())
    assert same_rows(found, expected), difference(found, expected)


def check_sums(books: Books, entity: str) -> None:
    """The derived tables are what the changes add up to, and no state counts twice or less than nothing."""
    changes = f"{entity}_changes"
    odd = books.warehouse.rows(
        f"SELECT entity_key, state_offset, sum(sign) AS counted FROM {changes} WHERE kind != 'quarantined' "
        "GROUP BY entity_key, state_offset HAVING counted NOT IN (0, 1) LIMIT 5"
    )
    assert list(odd) == []
    many = books.warehouse.rows(
        f"SELECT entity_key, sum(sign) AS counted FROM {changes} "
        "GROUP BY entity_key HAVING counted NOT IN (0, 1) LIMIT 5"
    )
    assert list(many) == []
    live = books.warehouse.rows(f"SELECT sum(sign) FROM {changes}")[0][0]
    assert live == books.warehouse.rows(f"SELECT count() FROM {entity}_current FINAL WHERE NOT deleted")[0][0]
    entries = Catalogue(books.warehouse).entries()
    for rollup in load_plans(CONTRACTS)[entity].rollups:
        served = serving(entries, rollup.table)
        assert served is not None
        measures = [measure.name for measure in rollup.measures]
        sums = ", ".join(f"toInt64(sum(`{name}`)) AS `{name}`" for name in measures)
        by = ", ".join(("day", *(f"`{name}`" for name in rollup.dimensions)))
        any_left = " OR ".join(f"`{name}` != 0" for name in measures)
        shown = books.frame(f"SELECT {by}, {sums} FROM {served.table} GROUP BY {by} HAVING {any_left}")
        summed = books.frame(f"SELECT * FROM ({rollup_select(rollup, ZONE)}) WHERE {any_left}").select(shown.columns)
        assert shown.height > 0
        assert same_rows(shown, summed), difference(shown, summed)


# --- every record once ---------------------------------------------------------------------------------------


async def check_accounts(books: Books, entity: str) -> None:
    """What was emitted is what is on the topic, and every record of the topic is accounted for by one row."""
    records = decoded(await messages(books.bootstrap, CONTRACTS[entity].topic), CONTRACTS[entity])
    rows = books.frame(
        f"SELECT partition, `offset`, {', '.join(ASSERTION)}, kind FROM {entity}_changes WHERE {PRIMARY}"
    ).cast({"partition": pl.Int64, "op": pl.String, "kind": pl.String})
    assert same_rows(rows.drop("kind"), records), difference(rows.drop("kind"), records)
    assert set(rows["kind"]) <= {"applied", "superseded", "repeat", "deleted"}
    ledger = emitted.assertions(books.stack.ledgers, SYSTEMS[entity]).select(ASSERTION)
    distinct = rows.select(ASSERTION).unique()
    assert same_rows(distinct, ledger), difference(distinct, ledger)
    counted = rows.filter(pl.col("kind").is_in(["applied", "deleted"]))
    assert counted.select(ASSERTION).is_duplicated().sum() == 0
    check_ledger_table(books, entity, rows)


def check_ledger_table(books: Books, entity: str, rows: pl.DataFrame) -> None:
    """The hub's own counts by kind are those of the rows."""
    names = {"applied": "applied", "superseded": "superseded", "repeats": "repeat", "deleted": "deleted"}
    sums = ", ".join(f"sum({name})" for name in (*names, "quarantined"))
    found = books.warehouse.rows(f"SELECT {sums} FROM ledger WHERE entity = '{entity}'")[0]
    assert list(found) == [rows.filter(pl.col("kind") == kind).height for kind in names.values()] + [0]


def check_refusals(books: Books) -> None:
    """The bad records, and nothing else, are in the quarantine, once each, with a reason in both languages."""
    wanted = {record_id(system, bad.raw) for system in SYSTEMS.values() for bad in emitted.refused(system)}
    found = books.warehouse.rows("SELECT id, reason, reason_en FROM quarantine FINAL")
    assert sorted(row[0] for row in found) == sorted(wanted)
    assert all(vi and english and vi != english for _, vi, english in found)
    for language, texts in (("vi", {row[0]: row[1] for row in found}), ("en", {row[0]: row[2] for row in found})):
        answer = books.api.get("/v1/quarantine", headers={"Accept-Language": language}, params={"limit": 500})
        assert {item["id"]: item["reason"] for item in answer.raise_for_status().json()["items"]} == texts
    listed = books.stack.json("quarantine", "ls", "--limit", "500")
    assert sorted(item["id"] for item in listed) == sorted(wanted)


async def check_all(books: Books) -> None:
    """Everything above: the figures of both periods, states, sums, accounts and refusals."""
    for period in (REFERENCE, this_year()):
        check_figures(books, *period)
    for entity in SYSTEMS:
        await check_accounts(books, entity)
        check_states(books, entity)
        check_sums(books, entity)
    check_refusals(books)


# --- reading -------------------------------------------------------------------------------------------------


async def messages(bootstrap: str, topic: str) -> list[ConsumerRecord[bytes, bytes]]:
    """All messages of a topic, from its first to its present end."""
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=bootstrap,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        exclude_internal_topics=False,
    )
    await consumer.start()
    try:
        partitions = list(consumer.assignment())
        assert partitions, f"{topic} has no partition"
        ends = await consumer.end_offsets(partitions)
        found: list[ConsumerRecord[bytes, bytes]] = []
        deadline = time.monotonic() + 30
        while any([await consumer.position(part) < ends[part] for part in partitions]):
            assert time.monotonic() < deadline, f"{topic} could not be read to its end"
            for batch in (await consumer.getmany(timeout_ms=500)).values():
                found += batch
        return found
    finally:
        await consumer.stop()


async def topics(bootstrap: str) -> list[str]:
    """Names of all topics, Kafka's own among them."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, exclude_internal_topics=False)
    await consumer.start()
    try:
        return sorted(await consumer.topics())
    finally:
        await consumer.stop()


def decoded(found: Sequence[ConsumerRecord[bytes, bytes]], contract: Contract) -> pl.DataFrame:
    """Place and assertion of every record of an entity's topic."""
    schema = fastavro.parse_schema(contract.schema)
    rows = []
    for message in found:
        framed = unframe(message.value or b"")
        assert framed is not None, f"{message.topic}-{message.partition}@{message.offset} is not framed"
        record = fastavro.schemaless_reader(io.BytesIO(framed[1]), schema, None)
        assert isinstance(record, dict)
        assert message.key == record["entity_key"].encode()
        rows.append((message.partition, message.offset, *(record[name] for name in ASSERTION)))
    kinds = {"partition": pl.Int64, "offset": pl.Int64, "entity_key": pl.String, "revision": pl.Int64}
    return pl.DataFrame(rows, schema=kinds | {"op": pl.String, "event_id": pl.String}, orient="row")


def same_rows(left: pl.DataFrame, right: pl.DataFrame) -> bool:
    """Whether two frames hold the same rows, in whatever order."""
    if left.columns != right.columns:
        return False
    right = right.cast(dict(left.schema))
    return left.sort(left.columns).equals(right.sort(left.columns))


def difference(found: pl.DataFrame, wanted: pl.DataFrame) -> Mapping[str, Any]:
    """A few rows of each that the other does not have, for the message of a failed test."""
    wanted = wanted.select(found.columns).cast(dict(found.schema))
    extra = found.join(wanted, on=found.columns, how="anti", nulls_equal=True)
    missing = wanted.join(found, on=found.columns, how="anti", nulls_equal=True)
    return {
        "found": found.height,
        "wanted": wanted.height,
        "not wanted": extra.height,
        "missing": missing.height,
        "examples not wanted": extra.head(3).rows(),
        "examples missing": missing.head(3).rows(),
    }


def log_files(stack: RunningStack) -> list[Path]:
    """The logs of all processes."""
    return sorted((stack.state / "logs").iterdir())
