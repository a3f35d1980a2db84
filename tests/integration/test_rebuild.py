"""New generations of derived tables while events flow: equal to what they would have been from the start."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from aiokafka import AIOKafkaProducer
from structlog.testing import capture_logs

from streams.block import Bounds
from streams.generations import State, serving
from streams.intent import token_of
from streams.rebuild import RollupUsedError, UnknownNameError, retire
from streams.store import EntityStore
from streams.warehouse.catalogue import Catalogue
from streams.warehouse.client import Warehouse
from streams.warehouse.schema import current_target, migrate, rollup_target
from tests.dossiers import DAY_MS, START_MS, life_cycles
from tests.rebuild_command import ROOT, ZONE, changed_plan
from tests.stream_worker import Bench, bench, value_of

NEW = {"paid": "fee > 0 AND paid_online", "received": "status NOT IN (1, 2, 3)"}
"""A new measure and a changed one, both by `received_at`."""

PACE_S = 0.05


@pytest.fixture
def table(kafka: str, warehouse: str, tmp_path: Path) -> Iterator[Bench]:
    with bench(kafka, warehouse, f"r{uuid.uuid4().hex[:8]}", tmp_path) as ready:
        yield ready


def command(table: Bench, what: str, chunk_rows: int, changes: dict[str, str] | None = None) -> subprocess.Popen[str]:
    arguments = [table.bootstrap, table.url, table.name, what, str(chunk_rows), json.dumps(changes or {})]
    return subprocess.Popen(
        [sys.executable, "-m", "tests.rebuild_command", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(process: subprocess.Popen[str], within_s: float = 90) -> str:
    try:
        said, _ = process.communicate(timeout=within_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    assert process.returncode == 0, said
    return said


@contextmanager
def resending(table: Bench, url: str) -> Iterator[list[int]]:
    """Send blocks that are written already again and again under their tokens, as a worker in doubt would."""
    stop, sent, failed = threading.Event(), [0], []
    warehouse = Warehouse(url)

    def send() -> None:
        store = EntityStore(warehouse, table.contract)
        try:
            while not stop.is_set():
                batches = warehouse.rows(
                    "SELECT topic_id, life, partition, `first`, `last`, max(epoch) "
                    f"FROM {table.contract.changes_table} GROUP BY ALL ORDER BY rand() LIMIT 5"
                )
                for topic_id, life, partition, first, last, epoch in batches:
                    bounds = Bounds(table.contract.topic, topic_id, life, partition, first, last, epoch)
                    rows, joint = store.written_rows(bounds)
                    store.insert(store.block(rows), token_of(topic_id, joint or (bounds.member,)))
                    sent[0] += 1
                stop.wait(PACE_S)
        except Exception as error:  # noqa: BLE001 - shown by the test that waits for this thread
            failed.append(error)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield sent
    finally:
        stop.set()
        thread.join()
        warehouse.close()
        assert not failed, failed


async def flow(table: Bench, dossiers: int, seed: int, seconds: float, since_ms: int = 0) -> int:
    """Events at an even pace, of dossiers filed since a moment; returns how many."""
    events = [event for event in life_cycles(dossiers, seed) if event["filed_at"] >= since_ms]
    messages = [(event["entity_key"].encode(), value_of(event)) for event in events]
    size = -(-len(messages) // max(1, int(seconds / PACE_S)))
    producer = AIOKafkaProducer(bootstrap_servers=table.bootstrap, acks="all", linger_ms=5)
    await producer.start()
    try:
        for start in range(0, len(messages), size):
            sent = [await producer.send(table.contract.topic, value, key) for key, value in messages[start:][:size]]
            await asyncio.gather(*sent, asyncio.sleep(PACE_S))
    finally:
        await producer.stop()
    return len(messages)


def live_table(table: Bench, rollup: str) -> str:
    entry = serving(Catalogue(table.warehouse).entries(), rollup)
    assert entry is not None and entry.state is State.LIVE
    return entry.table


def differences(table: Bench, changes: dict[str, str]) -> list[tuple[object, ...]]:
    """Days and dimensions on which a live rollup is not the signed sum of `<entity>_changes`."""
    found: list[tuple[object, ...]] = []
    for rollup in changed_plan(table.name, changes).rollups:
        target = rollup_target(rollup, table.contract, ZONE)
        keys = ", ".join(("day", *rollup.dimensions))
        names = [measure.name for measure in rollup.measures]
        shown = f"SELECT {keys}, {', '.join(names)} FROM {live_table(table, rollup.table)}"
        wanted = (
            f"SELECT {keys}, {', '.join(f'-{name} AS {name}' for name in names)} FROM ({target.select(target.changes)})"
        )
        sums = ", ".join(f"sum({name}) AS s_{name}" for name in names)
        having = " OR ".join(f"s_{name} != 0" for name in names)
        found += table.warehouse.rows(
            f"SELECT '{rollup.table}', {keys}, {sums} FROM ({shown} UNION ALL {wanted}) GROUP BY {keys} HAVING {having}"
        )
    return found


def currents_differ(table: Bench) -> int:
    """Keys whose current state is not the last one applied."""
    select = current_target(table.contract).select(table.contract.changes_table)
    rows = table.warehouse.rows(
        f"SELECT count() FROM (SELECT * FROM {table.contract.current_table} FINAL) AS c FULL JOIN "
        f"(SELECT * FROM ({select}) ORDER BY version DESC LIMIT 1 BY entity_key) AS w USING (entity_key, version) "
        "WHERE c.deleted != w.deleted OR c.state_offset != w.state_offset OR c.status != w.status"
    )
    return int(rows[0][0])


async def test_a_back_fill_under_load_equals_what_it_would_have_been_from_the_start(
    table: Bench, warehouse: str
) -> None:
    worker = table.start()
    try:
        count = await flow(table, 1_500, 1, 0.5)
        table.wait(lambda: table.primary_rows() == count)
        migrate(table.warehouse, {table.name: table.contract}, {table.name: changed_plan(table.name, NEW)}, ZONE)
        rollup = f"{table.name}_by_received_at"
        assert live_table(table, rollup) == rollup, "a changed definition waits for its back-fill"
        with resending(table, warehouse) as sent:
            flowing = asyncio.create_task(flow(table, 2_500, 2, 3))
            process = command(table, "backfill", 1_000, NEW)
            said = await asyncio.to_thread(finish, process)
            count += await flowing
            table.wait(lambda: table.primary_rows() == count)
        assert sent[0] > 0
        assert "made" in said and rollup in said
        assert live_table(table, rollup) != rollup
        table.wait(lambda: not differences(table, NEW), within_s=10)
        assert table.warehouse.rows(f"EXISTS TABLE {rollup}")[0][0] == 0
        assert "made\n" in finish(command(table, "backfill", 1_000, NEW)), "what is served as defined is left alone"
    finally:
        worker.kill()
        worker.wait()


@pytest.mark.long
async def test_a_rebuild_killed_in_the_middle_is_resumed_and_equals_the_live_figures(table: Bench) -> None:
    worker = table.start()
    try:
        count = await flow(table, 1_500, 3, 0.5)
        table.wait(lambda: table.primary_rows() == count)
        table.warehouse.command(f"TRUNCATE TABLE {table.name}_by_ended_at")
        table.warehouse.command(f"DELETE FROM {table.contract.current_table} WHERE status = 10")
        assert differences(table, {}) and currents_differ(table)
        flowing = asyncio.create_task(flow(table, 2_000, 4, 3))
        first = command(table, "rebuild", 400)
        assert first.stdout is not None
        line = ""
        while "by_arrival_g" not in line or "fill 2/" not in line:
            line = await asyncio.to_thread(first.stdout.readline)
            assert line, "it ended before it could be killed"
        first.kill()
        first.wait()
        first.stdout.close()
        second = command(table, "rebuild", 400)
        assert second.stdout is not None
        begun = await asyncio.to_thread(second.stdout.readline)
        third = command(table, "backfill", 400, NEW)
        refused, _ = await asyncio.to_thread(third.communicate, None, 30)
        assert third.returncode != 0 and f"ioc rebuild {table.name} is under way" in refused
        said = begun + await asyncio.to_thread(finish, second)
        assert "backfill_resumed" in said, said
        assert table.contract.current_table not in said.splitlines()[-1], "what was finished is not made twice"
        count += await flowing
        table.wait(lambda: table.primary_rows() == count)
        table.wait(lambda: not differences(table, {}) and not currents_differ(table), within_s=10)
        left = table.warehouse.rows(f"SELECT count() FROM system.tables WHERE name LIKE '%{table.name}_current_g%'")
        assert left[0][0] == 0
    finally:
        worker.kill()
        worker.wait()


async def test_a_view_that_throws_is_dropped_the_flow_goes_on_and_a_back_fill_repairs_it(table: Bench) -> None:
    rollup = f"{table.name}_by_ended_at"
    worker = table.start()
    try:
        count = await flow(table, 300, 5, 0.2)
        table.wait(lambda: table.primary_rows() == count)
        target = next(
            rollup_target(item, table.contract, ZONE)
            for item in changed_plan(table.name, {}).rollups
            if item.table == rollup
        )
        table.warehouse.command(f"DROP VIEW view_{rollup}")
        table.warehouse.command(
            target.view(rollup).replace("WHERE ", "WHERE throwIf(entity_key = 'H53.14-220101-000400') = 0 AND ")
        )
        count += await flow(table, 500, 6, 0.5)
        table.wait(lambda: table.primary_rows() == count)
        table.wait(lambda: "view_dropped" in table.log())
        entry = serving(Catalogue(table.warehouse).entries(), rollup)
        assert entry is not None and entry.state is State.BROKEN and "throwIf" in entry.reason
        migrate(table.warehouse, {table.name: table.contract}, {table.name: changed_plan(table.name, {})}, ZONE)
        assert table.warehouse.rows(f"EXISTS TABLE view_{rollup}")[0][0] == 0, "a start does not bring it back"
        finish(command(table, "backfill", 1_000))
        count += await flow(table, 300, 7, 0.2)
        table.wait(lambda: table.primary_rows() == count)
        table.wait(lambda: not differences(table, {}) and not currents_differ(table), within_s=10)
    finally:
        worker.kill()
        worker.wait()


@pytest.mark.long
async def test_a_rebuild_from_a_date_keeps_the_days_before_it_while_events_flow(table: Bench) -> None:
    since_ms = START_MS + 150 * DAY_MS
    since = datetime.fromtimestamp(since_ms / 1000, ZoneInfo(ZONE)).date()
    worker = table.start()
    try:
        count = await flow(table, 600, 8, 0.2)
        table.wait(lambda: table.primary_rows() == count and not differences(table, {}))
        for day in (since - timedelta(days=1), since):
            table.warehouse.command(f"INSERT INTO {table.name}_by_received_at (day, received) VALUES ('{day}', 5)")
        flowing = asyncio.create_task(flow(table, 2_500, 9, 2, since_ms))
        await asyncio.to_thread(finish, command(table, since.isoformat(), 400))
        count += await flowing
        table.wait(lambda: table.primary_rows() == count)
        table.wait(lambda: len(differences(table, {})) == 1, within_s=10)
        (rollup, day, *_), *_ = differences(table, {})
        assert (rollup, day) == (f"{table.name}_by_received_at", since - timedelta(days=1))
        assert not currents_differ(table)
        # A correction of an old day is counted in the kept days as before.
        count += await flow(table, 600, 10, 0.2)
        table.wait(lambda: table.primary_rows() == count)
        table.wait(lambda: [row[1] for row in differences(table, {})] == [since - timedelta(days=1)], within_s=10)
    finally:
        worker.kill()
        worker.wait()


def test_a_rollup_that_no_kpi_rests_on_is_named_at_the_start_and_can_be_retired(table: Bench) -> None:
    plan = changed_plan(table.name, {})
    rollup = next(item.table for item in plan.rollups if item.time == "ended_at")
    with pytest.raises(RollupUsedError, match=f"{rollup} is used by .*dossier"):
        retire(table.warehouse, rollup, {table.name: plan})
    kept = replace(
        plan,
        kpis=tuple(kpi for kpi in plan.kpis if all(term.time != "ended_at" for term in kpi.terms.values())),
        rollups=tuple(item for item in plan.rollups if item.table != rollup),
    )
    with capture_logs() as told:
        migrate(table.warehouse, {table.name: table.contract}, {table.name: kept}, ZONE)
    assert [line["rollup"] for line in told if line["event"] == "rollup_unused"] == [rollup]
    with pytest.raises(UnknownNameError, match=rollup):
        retire(table.warehouse, table.contract.current_table, {table.name: kept})
    retire(table.warehouse, rollup, {table.name: kept})
    assert [table.warehouse.rows(f"EXISTS TABLE {name}")[0][0] for name in (rollup, f"view_{rollup}")] == [0, 0]
    assert serving(Catalogue(table.warehouse).entries(), rollup) is None
