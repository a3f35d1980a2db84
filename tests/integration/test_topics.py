"""Topics and lag against a real broker."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.structs import OffsetAndMetadata

from hub.group_lag import GroupLag
from hub.health.commits import Commit, CommitLog
from hub.health.oldest import OldestRecords
from hub.kafka_watch import beyond, waiting
from hub.topic_admin import apply_steps, real_topics
from hub.topic_plan import DAY_MS, Accepted, Action, Step, TopicSpec, plan_topics
from hub.topics import PartitionLag, TopicsError, ensure_topics, missing_topics
from schemas.contract import load_contracts
from tests.stack import free_port, ioc, stack_environment

CONTRACTS = [contract for entity, contract in load_contracts().items() if entity in {"dossier", "feedback"}]


def read(lag: GroupLag) -> list[PartitionLag]:
    """A reading, waiting for the group's coordinator of a fresh broker."""
    deadline = time.monotonic() + 30
    while True:
        try:
            return lag.read()
        except TopicsError:
            assert time.monotonic() < deadline
            time.sleep(0.1)


def test_topics_are_made_once_and_left_alone_afterwards(kafka: str) -> None:
    ensure_topics(kafka, CONTRACTS, 12, 1)
    assert missing_topics(kafka, CONTRACTS) == []
    ensure_topics(kafka, CONTRACTS, 3, 1)
    lag = GroupLag(kafka, "nobody", [contract.topic for contract in CONTRACTS])
    partitions = read(lag)
    lag.close()
    assert len(partitions) == 12 * len(CONTRACTS)
    assert {partition.lag for partition in partitions} == {None}


def test_lag_is_what_is_written_and_not_committed(kafka: str) -> None:
    ensure_topics(kafka, CONTRACTS, 12, 1)
    topic, group = "ioc.quarantine", f"group-{uuid.uuid4().hex}"
    producer = KafkaProducer(bootstrap_servers=kafka)
    for number in range(10):
        producer.send(topic, str(number).encode(), partition=0)
    producer.flush()
    producer.close()
    consumer = KafkaConsumer(bootstrap_servers=kafka, group_id=group, enable_auto_commit=False)
    partition = TopicPartition(topic, 0)
    consumer.assign([partition])
    end = consumer.end_offsets([partition])[partition]
    consumer.commit({partition: OffsetAndMetadata(end - 4, "", -1)})
    consumer.close()
    lag = GroupLag(kafka, group, [topic, "ioc.does.not.exist"])
    (found,) = read(lag)
    lag.close()
    assert (found.committed, found.end, found.lag) == (end - 4, end, 4)


def test_the_age_of_a_lag_is_that_of_the_record_at_the_position(kafka: str) -> None:
    ensure_topics(kafka, CONTRACTS, 12, 1)
    topic = CONTRACTS[0].topic
    producer = KafkaProducer(bootstrap_servers=kafka)
    sent = {
        partition: [
            producer.send(topic, b"x" * 10_000, partition=partition, timestamp_ms=1_650_000_000_000 + number)
            for number in range(partition, partition + 3)
        ]
        for partition in (0, 1, 2)
    }
    producer.flush()
    producer.close()
    firsts = {partition: written[0].get(10).offset for partition, written in sent.items()}
    oldest = OldestRecords(kafka)
    at = {(topic, 0): firsts[0], (topic, 1): firsts[1] + 2, (topic, 2): firsts[2] + 3}
    deadline = time.monotonic() + 30
    while len(found := oldest.at(at)) < 2:
        assert time.monotonic() < deadline
    assert {place: round(when.timestamp() * 1000) for place, when in found.items()} == {
        (topic, 0): 1_650_000_000_000,
        (topic, 1): 1_650_000_000_003,
    }
    assert oldest.at({(topic, 1): firsts[1] + 2}) == {(topic, 1): found[(topic, 1)]}
    oldest.close()


async def test_marks_and_open_transactions_leave_no_lag_that_never_ends(kafka: str) -> None:
    """A group that reads what is committed waits for nothing beyond the last stable offset; no group waits for the mark
    that ends a transaction, though it has an offset."""
    topic, place = f"ioc.lag.t{uuid.uuid4().hex[:8]}", TopicPartition
    admin = KafkaAdminClient(bootstrap_servers=kafka)
    admin.create_topics({topic: {"num_partitions": 1, "replication_factor": 1}}, wait_for_metadata=True)
    admin.close()
    groups = {read_committed: f"group-{uuid.uuid4().hex}" for read_committed in (True, False)}

    def waits(committed: int, read_committed: bool) -> int | None:
        """Records that wait for the group, once it has committed so far."""
        group = groups[read_committed]
        consumer = KafkaConsumer(bootstrap_servers=kafka, group_id=group, enable_auto_commit=False)
        consumer.assign([place(topic, 0)])
        consumer.commit({place(topic, 0): OffsetAndMetadata(committed, "", -1)})
        consumer.close()
        lag = GroupLag(kafka, group, [topic], read_committed=read_committed)
        oldest = OldestRecords(kafka, read_committed=read_committed)
        try:
            found = read(lag)
            for _ in range(3):
                oldest.at(waiting(found))
            return beyond(found, oldest.empty)[0].lag
        finally:
            oldest.close()
            lag.close()

    async with AIOKafkaProducer(bootstrap_servers=kafka, transactional_id=uuid.uuid4().hex) as producer:
        async with producer.transaction():
            for _ in range(3):
                await producer.send_and_wait(topic, b"x", partition=0)
        # Offsets 0 to 2 are records, 3 is the mark.
        for read_committed in (True, False):
            assert await asyncio.to_thread(waits, 3, read_committed) == 0, read_committed
            assert await asyncio.to_thread(waits, 1, read_committed) == 3, "two records, and the mark behind them"
        await producer.begin_transaction()
        for _ in range(2):
            await producer.send_and_wait(topic, b"x", partition=0)
        assert await asyncio.to_thread(waits, 4, True) == 0, "nothing beyond the last stable offset"
        assert await asyncio.to_thread(waits, 4, False) == 2
        await producer.abort_transaction()
        assert await asyncio.to_thread(waits, 4, True) == 0, "what was broken off is nobody's to process"


@pytest.mark.parametrize("name", ["a", "zzzzzz"])
def test_commits_are_read_from_kafka_s_own_log_with_their_time(kafka: str, name: str) -> None:
    """Names whose hashes are of either sign: the log's partition depends on it."""
    ensure_topics(kafka, CONTRACTS, 12, 1)
    group, partition = name, TopicPartition(CONTRACTS[0].topic, 5)
    begun = datetime.now(UTC) - timedelta(seconds=1)
    consumer = KafkaConsumer(bootstrap_servers=kafka, group_id=group, enable_auto_commit=False)
    consumer.assign([partition])
    for offset in (3, 3, 8):
        consumer.commit({partition: OffsetAndMetadata(offset, "ioc1 x -", -1)})
    commits = CommitLog(kafka, group)
    deadline = time.monotonic() + 60
    found: list[Commit] = []
    while len(found) < 3:
        found += commits.read()
        assert time.monotonic() < deadline
    consumer.commit({partition: OffsetAndMetadata(9, "", -1)})
    while not (later := commits.read()):
        assert time.monotonic() < deadline
    commits.close()
    consumer.close()
    assert [(one.topic, one.partition, one.offset) for one in found] == [(*partition, offset) for offset in (3, 3, 8)]
    assert [one.offset for one in later] == [9]
    assert all(begun <= one.at <= datetime.now(UTC) + timedelta(seconds=1) for one in (*found, *later))


def test_members_of_a_group_are_counted(kafka: str) -> None:
    ensure_topics(kafka, CONTRACTS, 12, 1)
    group = f"group-{uuid.uuid4().hex}"
    lag = GroupLag(kafka, group, [CONTRACTS[0].topic])
    read(lag)
    assert lag.members() == 0 and lag.members_of([group, "a group that there is not"]) == [0, 0]
    consumer = KafkaConsumer(CONTRACTS[0].topic, bootstrap_servers=kafka, group_id=group)
    deadline = time.monotonic() + 30
    while lag.members_of([group, "a group that there is not"]) != [1, 0]:
        consumer.poll(timeout_ms=100)
        assert time.monotonic() < deadline
    assert lag.members() == 1
    consumer.close()
    lag.close()


def test_an_absent_broker_is_said_within_seconds() -> None:
    begun = time.monotonic()
    with pytest.raises(TopicsError, match="does not answer"):
        ensure_topics(f"127.0.0.1:{free_port()}", CONTRACTS, 1, 1)
    assert time.monotonic() - begun < 10


def as_declared(kafka: str, specs: list[TopicSpec], accepted: frozenset[str] = frozenset()) -> list[Step]:
    """The plan's steps for these topics alone; others of the broker are no concern."""
    real, brokers = real_topics(kafka, specs)
    names = {spec.name for spec in specs}
    return [step for step in plan_topics(specs, real, brokers, Accepted(accepted)) if step.topic in names]


def test_a_plan_makes_topics_mends_settings_and_refuses_what_loses_records(kafka: str) -> None:
    name = f"ioc.plan.t{uuid.uuid4().hex[:8]}"
    config = {"cleanup.policy": "delete", "retention.ms": "-1", "compression.type": "producer"}
    spec = TopicSpec(name, 2, config, of_entity=True)
    steps = as_declared(kafka, [spec])
    assert [(step.setting, step.action) for step in steps] == [("topic", Action.CREATE)]
    apply_steps(kafka, [spec], steps)
    assert as_declared(kafka, [spec]) == []

    shorter = replace(spec, config={**config, "retention.ms": str(30 * DAY_MS), "compression.type": "lz4"})
    producer = KafkaProducer(bootstrap_servers=kafka)
    producer.send(name, b"x").get(30)
    producer.close()
    steps = as_declared(kafka, [shorter])
    assert [(step.setting, step.action) for step in steps] == [
        ("retention.ms", Action.REFUSE),  # the record is not processed
        ("compression.type", Action.ALTER),
    ]
    apply_steps(kafka, [shorter], steps)
    steps = as_declared(kafka, [shorter], frozenset({name}))
    assert [(step.setting, step.action) for step in steps] == [("retention.ms", Action.REFUSE)]
    partitions = as_declared(kafka, [replace(spec, partitions=1, config={})])
    assert [(step.setting, step.action) for step in partitions] == [("partitions", Action.REFUSE)]


def planned(kafka: str, contracts: Path, state: Path) -> dict[str, list[tuple[str, str]]]:
    """What `ioc topics plan` says, by topic."""
    own = {"IOC_KAFKA__BOOTSTRAP_SERVERS": kafka, "IOC_CONTRACTS_DIR": str(contracts)}
    done = ioc(stack_environment(state) | own, "topics", "plan", "-o", "json", check=False)
    assert done.returncode in (0, 3), done.stderr
    steps: dict[str, list[tuple[str, str]]] = {}
    for step in json.loads(done.stdout):
        steps.setdefault(step["topic"], []).append((step["setting"], step["action"]))
    return steps


def test_the_plan_knows_the_contracts_of_the_province_and_asks_for_no_topic_that_nobody_needs(
    kafka: str, tmp_path: Path
) -> None:
    entity = f"thing_{uuid.uuid4().hex[:8]}"
    topic = f"ioc.test.{entity}"
    admin = KafkaAdminClient(bootstrap_servers=kafka)
    admin.create_topics({topic: {"num_partitions": 64, "replication_factor": 1}})
    admin.close()
    contracts = tmp_path / "contracts"
    (contracts / "test").mkdir(parents=True)
    assert planned(kafka, contracts, tmp_path)[topic] == [("topic", "note")]
    schema = {**load_contracts()["account"].schema, "name": "Thing", "namespace": "ioc.test"}
    for name in (entity, "needed_by_nobody"):
        (contracts / "test" / f"{name}.avsc").write_text(json.dumps(schema), encoding="utf-8")
    steps = planned(kafka, contracts, tmp_path)
    assert ("partitions", "refuse") in steps[topic]
    assert "ioc.test.needed_by_nobody" not in steps
