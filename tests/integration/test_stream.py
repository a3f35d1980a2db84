"""The core on a real broker and a real warehouse: events in, exact tables out."""

from __future__ import annotations

import asyncio
import random
import signal
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from streams.topic_log import KafkaTopicLog
from tests.core_figures import assert_every_offset_once, kinds, measured
from tests.dossiers import dossier, figures, life_cycles
from tests.stream_worker import Bench, bench, value_of


@pytest.fixture
def table(kafka: str, warehouse: str, tmp_path: Path) -> Iterator[Bench]:
    with bench(kafka, warehouse, f"t{uuid.uuid4().hex[:8]}", tmp_path) as ready:
        yield ready


async def test_events_shuffled_repeated_corrected_and_recalled_give_the_figures_of_their_last_states(
    table: Bench,
) -> None:
    events = life_cycles(1_500, seed=11)
    await table.produce([(event["entity_key"].encode(), value_of(event)) for event in events])
    worker = table.start()
    try:
        table.wait(lambda: table.primary_rows() == len(events))
        # Rows of a block are visible while its views still run.
        table.wait(lambda: measured(table) == figures(events), within_s=10)
        assert_every_offset_once(table, len(events))
        assert kinds(table)["repeat"] + kinds(table)["superseded"] > 0
        assert kinds(table)["deleted"] > 0
    finally:
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(20) == 0


async def test_a_recalled_dossier_takes_back_what_it_had_counted(table: Bench) -> None:
    worker = table.start()
    try:
        done = dossier(0, 1, status=10)
        await table.produce([(done["entity_key"].encode(), value_of(done))])
        table.wait(lambda: measured(table)["finished_on_time"] == 1)
        recalled = dossier(0, 2, status=10, op="DELETE")
        await table.produce([(recalled["entity_key"].encode(), value_of(recalled))])
        table.wait(lambda: measured(table)["states"] == 0 and table.primary_rows() == 2)
        assert set(measured(table).values()) == {0}
    finally:
        worker.kill()
        worker.wait()


async def test_what_a_transaction_took_back_or_has_not_ended_yet_is_not_counted(table: Bench) -> None:
    said = [dossier(number, 1) for number in range(20)]
    unsaid = [dossier(number, 1) for number in range(100, 120)]

    async def send(producer: AIOKafkaProducer, events: list[dict[str, Any]]) -> None:
        for event in events:
            key, value = event["entity_key"].encode(), value_of(event)
            await producer.send_and_wait(table.contract.topic, value, key=key, partition=0)

    worker = table.start()
    names = [uuid.uuid4().hex for _ in range(2)]
    try:
        async with (
            AIOKafkaProducer(bootstrap_servers=table.bootstrap, transactional_id=names[0]) as one,
            AIOKafkaProducer(bootstrap_servers=table.bootstrap, transactional_id=names[1]) as other,
        ):
            # A later end of one transaction says nothing about the other's records among its own.
            await one.begin_transaction()
            await other.begin_transaction()
            await send(one, unsaid[:10])
            await send(other, said[:10])
            await send(one, unsaid[10:])
            await other.commit_transaction()
            await one.abort_transaction()
            table.wait(lambda: table.primary_rows() == 10)
            await one.begin_transaction()
            await send(one, said[10:])
            assert table.primary_rows() == 10
            await one.commit_transaction()
            table.wait(lambda: table.primary_rows() == 20)
            table.wait(lambda: measured(table) == figures(said), within_s=10)
            asked = KafkaTopicLog(table.bootstrap, table.contract.topic, "audit", asyncio.get_running_loop())
            there = await asyncio.to_thread(asked.existing, 0, 0, 100)
            await asked.close()
            assert sum(last - first + 1 for first, last in there) == 20, "as the audit sees it"
    finally:
        worker.kill()
        worker.wait()


async def test_bad_records_are_quarantined_once_with_their_reason_and_the_flow_goes_on(table: Bench) -> None:
    good = [dossier(number, 1) for number in range(50)]
    messages: list[tuple[bytes, bytes | None]] = [(e["entity_key"].encode(), value_of(e)) for e in good]
    far = dossier(60, 1, event_time=4_000_000_000_000)
    messages[10:10] = [
        (b"a", None),
        (b"b", b"not avro"),
        (b"c", b"\x00\x00\x00\x00\x63rest"),
        (b"d", value_of(dossier(51, 1))[:-20]),
        (b"e", value_of(dossier(52, 1))),
        (far["entity_key"].encode(), value_of(far)),
    ]
    worker = table.start()
    try:
        await table.produce(messages)
        table.wait(lambda: table.primary_rows() == len(messages))
        wanted = (
            "SELECT reason_code, count(), any(reason), any(reason_en) FROM quarantine FINAL "
            f"WHERE topic = '{table.contract.topic}' GROUP BY reason_code"
        )
        table.wait(lambda: sum(row[1] for row in table.warehouse.rows(wanted)) == 6)
        rows = {row[0]: row for row in table.warehouse.rows(wanted)}
        assert {code: row[1] for code, row in rows.items()} == {
            "null_value": 1,
            "wrong_magic_byte": 1,
            "unknown_schema": 1,
            "undecodable": 1,
            "key_mismatch": 1,
            "event_time_in_future": 1,
        }
        assert all(row[2] and row[3] for row in rows.values())
        assert measured(table)["states"] == 50
        assert_every_offset_once(table, len(messages))
    finally:
        worker.kill()
        worker.wait()


async def kill_under_load(table: Bench, kills: int, dossiers: int, seed: int) -> None:
    """Kill the worker while there is work, as often as asked; then let one finish, and compare."""
    dice = random.Random(seed)
    events = life_cycles(dossiers, seed)
    share = len(events) // kills
    for number in range(kills):
        part = events[number * share : (number + 1) * share if number < kills - 1 else len(events)]
        worker = table.start()
        await table.produce([(event["entity_key"].encode(), value_of(event)) for event in part])
        before = table.primary_rows()
        table.wait(lambda seen=before: table.primary_rows() > seen)  # type: ignore[misc]
        table.wait(lambda: dice.random() < 0.2)
        worker.kill()
        worker.wait()
    worker = table.start()
    try:
        table.wait(lambda: table.primary_rows() >= len(events), within_s=120)
        table.wait(lambda: measured(table) == figures(events), within_s=20)
        assert_every_offset_once(table, len(events))
        signed = table.warehouse.rows(
            f"SELECT count() FROM (SELECT entity_key, state_offset, sum(sign) AS s FROM {table.name}_changes "
            "WHERE sign != 0 GROUP BY entity_key, state_offset HAVING s NOT IN (0, 1))"
        )
        assert signed[0][0] == 0
    finally:
        worker.kill()
        worker.wait()


async def test_workers_killed_under_load_lose_and_double_nothing(table: Bench) -> None:
    await kill_under_load(table, kills=3, dossiers=6_000, seed=5)


@pytest.mark.long
@pytest.mark.timeout(900)
async def test_twenty_kills_under_load_lose_and_double_nothing(table: Bench) -> None:
    await kill_under_load(table, kills=20, dossiers=40_000, seed=6)
