"""Refused records that cannot be written to the quarantine: the worker waits or stops, and never skips them."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType

from connectors.partition import partition_of
from connectors.publish import Publisher
from hub.stream_quarantine import KafkaQuarantine
from schemas.quarantine import TOPIC
from streams.errors import QuarantineUnwritableError
from streams.quarantine import Refusal
from tests.department_servers import SecondCluster
from tests.dossiers import dossier
from tests.stream_worker import Bench, bench, value_of

PARTITIONS = 2


@pytest.fixture
def table(kafka: str, warehouse: str, tmp_path: Path) -> Iterator[Bench]:
    with bench(kafka, warehouse, f"q{uuid.uuid4().hex[:8]}", tmp_path, PARTITIONS) as ready:
        yield ready


@contextlib.contextmanager
def quarantine_with(bootstrap: str, name: str, value: str, usual: str) -> Iterator[None]:
    """The quarantine topic with one setting changed within the block."""
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, TOPIC, configs={name: value})])
        yield
    finally:
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, TOPIC, configs={name: usual})])
        admin.close()


def messages(partition: int, count: int) -> list[tuple[bytes, bytes | None]]:
    """Good records of one partition."""
    events = (dossier(number, 1) for number in range(10_000))
    keyed = ((event["entity_key"].encode(), value_of(event)) for event in events)
    chosen = (pair for pair in keyed if partition_of(pair[0], PARTITIONS) == partition)
    return [next(chosen) for _ in range(count)]


def with_a_bad_one(partition: int) -> list[tuple[bytes, bytes | None]]:
    good = messages(partition, 21)
    return [*good[:10], (good[20][0], b"not avro"), *good[10:20]]


def rows_of(table: Bench, partition: int) -> int:
    sql = f"SELECT count() FROM {table.contract.changes_table} WHERE partition = {partition}"
    return int(table.warehouse.rows(sql)[0][0])


def quarantined(table: Bench) -> list[str]:
    sql = f"SELECT reason_code FROM quarantine FINAL WHERE topic = '{table.contract.topic}'"
    return [row[0] for row in table.warehouse.rows(sql)]


async def test_a_quarantine_that_refuses_stops_the_worker_before_anything_of_the_batch_is_written(
    table: Bench,
) -> None:
    await table.produce(with_a_bad_one(partition=0))
    with quarantine_with(table.bootstrap, "max.message.bytes", "100", "1048588"):
        worker = table.start()
        assert await asyncio.to_thread(worker.wait, 60) > 0
        assert rows_of(table, 0) == 0
        (line,) = [line for line in table.log().splitlines() if "quarantine_unwritable" in line and "records=1" in line]
        assert "MessageSizeTooLargeError" in line
        assert TOPIC in line
    worker = table.start()
    try:
        table.wait(lambda: rows_of(table, 0) == 21)
        table.wait(lambda: quarantined(table) == ["wrong_magic_byte"])
    finally:
        worker.kill()
        worker.wait()


@pytest.mark.long
async def test_a_quarantine_that_is_away_is_waited_for_while_other_partitions_go_on(
    table: Bench, gated_kafka: SecondCluster
) -> None:
    with gated_kafka.gate.shut():
        await table.produce(with_a_bad_one(partition=0))
        worker = table.start(quarantine=gated_kafka.bootstrap)
        try:
            table.wait(lambda: "quarantine_waits" in table.log())
            await table.produce(messages(1, 5))
            table.wait(lambda: rows_of(table, 1) == 5)
            assert rows_of(table, 0) == 0
            assert worker.poll() is None
        except BaseException:
            worker.kill()
            worker.wait()
            raise
    try:
        table.wait(lambda: rows_of(table, 0) == 21)
        table.wait(lambda: quarantined(table) == ["wrong_magic_byte"])
        assert worker.poll() is None
    finally:
        worker.kill()
        worker.wait()


@pytest.mark.long
async def test_a_quarantine_topic_that_does_not_exist_is_a_refusal(kafka: str) -> None:
    publisher = Publisher(kafka, client_id="test-missing")
    quarantine = KafkaQuarantine(publisher, topic=f"missing-{uuid.uuid4().hex[:8]}", patience=timedelta(0))
    try:
        with pytest.raises(QuarantineUnwritableError, match="UnknownTopicOrPartitionError"):
            await quarantine.publish([Refusal("t:0:1", b"{}", ())])
    finally:
        await quarantine.stop()
