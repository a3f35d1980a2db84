"""The cluster's topics for `hub.topic_plan`: what they are, and the changes that a plan holds. Blocks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from kafka import TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, OffsetSpec
from kafka.errors import KafkaError

from hub.group_lag import group_lag
from hub.topic_plan import Action, RealTopic, Step, TopicSpec
from hub.topics import REQUEST_TIMEOUT_MS, STREAM_GROUP, TopicsError, connect_admin

PREFIX = "ioc."
"""Topics that are the hub's by their name."""


@contextmanager
def _admin(bootstrap: str) -> Iterator[Any]:
    admin = connect_admin(bootstrap)
    try:
        yield admin
    except (KafkaError, OSError) as error:
        raise TopicsError(f"Kafka at {bootstrap} refuses or does not answer: {error}") from error
    finally:
        admin.close()


def real_topics(bootstrap: str, specs: Iterable[TopicSpec]) -> tuple[dict[str, RealTopic], int]:
    """The cluster's topics by name that are declared or the hub's by name, and the number of brokers.

    Raises `TopicsError`. Changes nothing.
    """
    with _admin(bootstrap) as admin:
        wanted = {spec.name for spec in specs}
        names = sorted(name for name in admin.list_topics() if name in wanted or name.startswith(PREFIX))
        brokers = len(admin.describe_cluster()["brokers"])
        if not names:
            return {}, brokers
        described = admin.describe_topics(names)
        records = _records(admin, described)
        configs = admin.describe_configs(
            [ConfigResource(ConfigResourceType.TOPIC, name) for name in names], config_filter="all"
        )["topic"]
        lags = _lags(admin, names)
        return {
            topic["name"]: RealTopic(
                topic["name"],
                len(topic["partitions"]),
                min(len(partition["replica_nodes"]) for partition in topic["partitions"]),
                {key: str(found["value"]) for key, found in configs[topic["name"]].items()},
                records[topic["name"]],
                None if lags is None else lags.get(topic["name"], 0),
            )
            for topic in described
        }, brokers


def _lags(admin: Any, names: list[str]) -> dict[str, int] | None:
    """What the stream's group has not processed, by topic; None while its coordinator does not tell."""
    try:
        found = group_lag(admin, STREAM_GROUP, names)
    except KafkaError:
        return None
    left: dict[str, int] = {}
    for item in found:
        left[item.topic] = left.get(item.topic, 0) + (item.lag if item.lag is not None else item.end)
    return left


def _records(admin: Any, described: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Offsets between the start and the end of each topic's partitions."""
    places = {
        TopicPartition(topic["name"], partition["partition_index"]): 0
        for topic in described
        for partition in topic["partitions"]
    }
    starts = admin.list_partition_offsets(dict.fromkeys(places, OffsetSpec.EARLIEST))
    ends = admin.list_partition_offsets(dict.fromkeys(places, OffsetSpec.LATEST))
    counted: dict[str, int] = {}
    for place in places:
        counted[place.topic] = counted.get(place.topic, 0) + ends[place].offset - starts[place].offset
    return counted


def apply_steps(bootstrap: str, specs: Iterable[TopicSpec], steps: Iterable[Step]) -> None:
    """Do what a plan says: create and alter; what it refuses is left alone. Raises `TopicsError`. Repeatable."""
    by_name = {spec.name: spec for spec in specs}
    todo = list(steps)
    new = [by_name[step.topic] for step in todo if step.action is Action.CREATE]
    changes: dict[str, dict[str, str]] = {}
    for step in todo:
        if step.action is Action.ALTER:
            changes.setdefault(step.topic, {})[step.setting] = by_name[step.topic].config[step.setting]
    with _admin(bootstrap) as admin:
        if new:
            admin.create_topics(
                {
                    spec.name: {
                        "num_partitions": spec.partitions,
                        "replication_factor": spec.replication,
                        "configs": dict(spec.config),
                    }
                    for spec in new
                },
                timeout_ms=REQUEST_TIMEOUT_MS,
                wait_for_metadata=True,
            )
        if changes:
            admin.alter_configs(
                [ConfigResource(ConfigResourceType.TOPIC, name, configs=made) for name, made in changes.items()]
            )
