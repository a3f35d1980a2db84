"""A compacted topic behaves as a dictionary that several processes share."""

from __future__ import annotations

import asyncio
import subprocess
import time
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from kafka import KafkaAdminClient

from connectors import compacted
from connectors.compacted import CompactedTopic, TopicAwayError, TopicMissingError, WriteUncertainError
from hub.broker import Broker, wait_for_port
from tests.conftest import ROOT, free_port


def make_topic(bootstrap: str) -> str:
    name = f"compacted-{uuid.uuid4().hex}"
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    config = {"num_partitions": 3, "replication_factor": 1, "configs": {"cleanup.policy": "compact"}}
    admin.create_topics({name: config}, wait_for_metadata=True)
    admin.close()
    return name


@pytest.fixture
def topic(kafka: str) -> str:
    return make_topic(kafka)


@pytest.fixture
async def table(kafka: str, topic: str) -> AsyncIterator[CompactedTopic]:
    started = CompactedTopic(kafka, topic)
    await started.start()
    yield started
    await started.stop()


async def eventually(true: Callable[[], bool], timeout_s: float = 20.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline, "it did not come true in time"
        await asyncio.sleep(0.01)


async def test_a_write_is_readable_when_put_returns(table: CompactedTopic) -> None:
    for number in range(50):
        await table.put("portal", str(number).encode())
        assert table.get("portal") == str(number).encode()
    assert table.get("nobody") is None


async def test_a_tombstone_removes_the_key_also_for_a_later_reader(table: CompactedTopic, kafka: str) -> None:
    await table.put("a", b"1")
    await table.put("b", b"2")
    await table.put("a", None)
    assert table.items() == {"b": b"2"}
    later = CompactedTopic(kafka, table.topic)
    await later.start()
    assert later.items() == {"b": b"2"}
    await later.stop()


async def test_a_new_reader_is_current_as_soon_as_it_has_started(table: CompactedTopic, kafka: str) -> None:
    await table.put_all([(f"key-{number % 700}", str(number).encode()) for number in range(7_000)])
    reader = CompactedTopic(kafka, table.topic)
    await reader.start()
    assert reader.items() == {f"key-{number}": str(6_300 + number).encode() for number in range(700)}
    await reader.stop()


async def test_a_second_reader_follows_and_is_told_of_each_change_in_order(table: CompactedTopic, kafka: str) -> None:
    await table.put("before", b"0")
    seen: list[tuple[str, bytes | None]] = []
    reader = CompactedTopic(kafka, table.topic)
    reader.on_change(lambda key, value: seen.append((key, value)))
    await reader.start()
    assert seen == [("before", b"0")]
    for number in range(20):
        await table.put("after", str(number).encode())
    await table.put("after", None)
    await eventually(lambda: reader.get("after") is None and len(seen) == 22)
    assert seen[1:] == [("after", str(number).encode()) for number in range(20)] + [("after", None)]
    await reader.stop()


async def test_catching_up_shows_what_another_wrote_before(table: CompactedTopic, kafka: str) -> None:
    other = CompactedTopic(kafka, table.topic)
    await other.start()
    await other.put("shared", b"yes")
    await table.catch_up()
    assert table.get("shared") == b"yes"
    await other.stop()


async def test_a_transactions_mark_ends_the_wait_for_it(
    table: CompactedTopic, kafka: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compacted, "LOOK_S", 3600.0)
    producer = AIOKafkaProducer(bootstrap_servers=kafka, transactional_id=table.topic)
    await producer.start()
    for number in range(5):
        async with producer.transaction():
            await producer.send(table.topic, str(number).encode(), b"by a transaction", partition=0)
        await table.reach(2 * (number + 1), 60.0)  # the record and its mark
        assert table.get("by a transaction") == str(number).encode()
    await producer.stop()


async def test_a_reader_at_leisure_sees_the_same(table: CompactedTopic, kafka: str) -> None:
    reader = CompactedTopic(kafka, table.topic, at_leisure=True)
    await table.put("before", b"0")
    await reader.start()
    assert reader.get("before") == b"0"
    await table.put("after", b"1")
    await eventually(lambda: reader.get("after") == b"1")
    await reader.put("own", b"2")
    assert reader.get("own") == b"2"
    await reader.stop()


async def test_writes_begun_together_keep_their_order(table: CompactedTopic) -> None:
    async with asyncio.TaskGroup() as group:
        for number in range(200):
            group.create_task(table.put("counter", str(number).encode()))
    assert table.get("counter") == b"199"


async def test_a_missing_topic_is_named_with_its_cure(kafka: str) -> None:
    absent = CompactedTopic(kafka, "ioc.absent")
    with pytest.raises(TopicMissingError, match=r"ioc\.absent does not exist .*Cure: create the topics"):
        await absent.start()


async def test_a_broker_that_is_away_is_an_error_of_its_own() -> None:
    away = CompactedTopic(f"127.0.0.1:{free_port()}", "any")
    with pytest.raises(TopicAwayError):
        await away.start()


async def test_a_broker_that_restarts_is_waited_out_by_reader_and_writer(tmp_path: Path) -> None:
    broker = Broker(ROOT / "deploy" / "kafka" / "libs", tmp_path, free_port(), free_port(), heap_mb=256)
    broker.prepare()

    def begin() -> subprocess.Popen[bytes]:
        process = subprocess.Popen(broker.command(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        assert wait_for_port(broker.port, 60, process)
        return process

    process = await asyncio.to_thread(begin)
    try:
        bootstrap = f"127.0.0.1:{broker.port}"
        table = CompactedTopic(bootstrap, await asyncio.to_thread(make_topic, bootstrap))
        await table.start()
        await table.put("before", b"1")
        process.kill()
        process.wait(20)
        with pytest.raises(TopicAwayError):
            await table.catch_up(timeout_s=1)
        assert table.get("before") == b"1"
        writing = asyncio.create_task(table.put("during", b"2"))
        process = await asyncio.to_thread(begin)
        try:
            await writing
        except WriteUncertainError:  # the broker took longer to come back than a write waits
            await table.put("during", b"2")
        await table.put("after", b"3")
        assert table.items() == {"before": b"1", "during": b"2", "after": b"3"}
        await table.stop()
    finally:
        process.terminate()
        process.wait(20)


async def test_a_start_that_failed_can_be_tried_again(kafka: str, topic: str) -> None:
    late = CompactedTopic(kafka, f"{topic}-late")
    with pytest.raises(TopicMissingError):
        await late.start()
    admin = KafkaAdminClient(bootstrap_servers=kafka)
    admin.create_topics({late.topic: {"num_partitions": 1, "replication_factor": 1}}, wait_for_metadata=True)
    admin.close()
    await late.start()
    await late.put("a", b"1")
    assert late.items() == {"a": b"1"}
    await late.stop()


async def test_a_raising_callback_stops_the_following_and_shows(table: CompactedTopic) -> None:
    def broken(key: str, value: bytes | None) -> None:
        raise ValueError(key)

    table.on_change(broken)
    with pytest.raises(TopicAwayError, match="ValueError"):
        await table.put("a", b"1")
    assert isinstance(table.failure, ValueError)


async def test_writing_after_the_stop_is_refused(table: CompactedTopic) -> None:
    await table.stop()
    with pytest.raises(WriteUncertainError):
        await table.put("a", b"1")
