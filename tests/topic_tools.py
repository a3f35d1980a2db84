"""What another tool does to a topic or a group behind the worker's back, and what a topic holds."""

from __future__ import annotations

from collections.abc import Mapping

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.structs import OffsetAndMetadata

from tests.oracle import Sent
from tests.stream_worker import Bench


def _places(table: Bench, offsets: Mapping[int, int]) -> dict[TopicPartition, int]:
    return {TopicPartition(table.contract.topic, partition): offset for partition, offset in offsets.items()}


def set_group_offsets(table: Bench, offsets: Mapping[int, int]) -> None:
    """As `kafka-consumer-groups --reset-offsets`: the group must have no members."""
    admin = KafkaAdminClient(bootstrap_servers=table.bootstrap)
    admin.alter_group_offsets(
        table.name, {place: OffsetAndMetadata(offset, "", -1) for place, offset in _places(table, offsets).items()}
    )
    admin.close()


def members(table: Bench) -> int:
    """Members of the worker's group."""
    admin = KafkaAdminClient(bootstrap_servers=table.bootstrap)
    described = admin.describe_groups([table.name])
    admin.close()
    return len(described[table.name]["members"])


def delete_records(table: Bench, before: Mapping[int, int]) -> None:
    """As retention does: records below these offsets are gone."""
    admin = KafkaAdminClient(bootstrap_servers=table.bootstrap)
    admin.delete_records(_places(table, before))
    admin.close()


def add_partitions(table: Bench, count: int) -> None:
    admin = KafkaAdminClient(bootstrap_servers=table.bootstrap)
    admin.create_partitions({table.contract.topic: count})
    admin.close()


def delete_topic(table: Bench) -> None:
    admin = KafkaAdminClient(bootstrap_servers=table.bootstrap)
    admin.delete_topics([table.contract.topic])
    table.wait(lambda: table.contract.topic not in admin.list_topics())
    admin.close()


def sent(table: Bench) -> list[Sent]:
    """Every record that the topic holds."""
    consumer = KafkaConsumer(bootstrap_servers=table.bootstrap, consumer_timeout_ms=10_000)
    places = [
        TopicPartition(table.contract.topic, number)
        for number in sorted(consumer.partitions_for_topic(table.contract.topic) or ())
    ]
    consumer.assign(places)
    consumer.seek_to_beginning(*places)
    ends = consumer.end_offsets(places)
    found: list[Sent] = []
    while any(consumer.position(place) < ends[place] for place in places):
        for records in consumer.poll(timeout_ms=500).values():
            found += [Sent(r.partition, r.offset, r.timestamp, r.key, r.value) for r in records]
    consumer.close()
    return found
