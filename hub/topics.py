"""Topics of the hub and the lag of its consumers: the home module of kafka-python."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from kafka import KafkaAdminClient
from kafka.errors import KafkaError, TopicAlreadyExistsError

from hub.health.lag import position
from hub.topic_plan import TopicSpec, entity_spec
from schemas.contract import Contract

CONNECT_SHARDS = 32
"""Partitions of the connectors' configs, as `connectors.configs.PARTITIONS`: their owners run the connectors."""
STREAM_GROUP = "ioc-stream"
"""Consumer group of the stream workers."""
CONNECT_GROUP = "ioc-connect"
"""Consumer group of the connectors' workers, as `connectors.worker.Place`."""

COMPACTED = {"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.1", "segment.ms": "3600000"}
QUARANTINE_RETENTION = {"cleanup.policy": "delete", "retention.ms": str(30 * 24 * 3600 * 1000)}

REQUEST_TIMEOUT_MS = 5_000
CONNECT_TIMEOUT_S = 1.5
BOOTSTRAP_TIMEOUT_MS = 1_500
"""The client's own patience with a broker that is not there is half a minute; callers here ask again themselves."""


class TopicsError(Exception):
    """The cluster refused, or does not answer; the message says what to do."""


@dataclass(frozen=True, slots=True)
class PartitionLag:
    """`committed` None: the group has never committed there. Offsets count from 0; `start` is the first that is kept,
    `end` the next to be written."""

    topic: str
    partition: int
    committed: int | None
    start: int
    end: int

    @property
    def position(self) -> int | None:
        """The next offset to be processed: records that retention took are waited for by nobody."""
        return position(self.committed, self.start)

    @property
    def lag(self) -> int | None:
        return None if self.position is None else max(0, self.end - self.position)


def topic_specs(contracts: Iterable[Contract], partitions: int, replication: int = 1) -> list[TopicSpec]:
    """All topics of the hub: one per contract, the quarantine and the compacted ones."""
    own = [
        TopicSpec("ioc.quarantine", 1, QUARANTINE_RETENTION),
        TopicSpec("_schemas", 1, {**COMPACTED, "compression.type": "lz4"}),  # a start reads all of it
        TopicSpec("ioc.connect.configs", CONNECT_SHARDS, COMPACTED),
        TopicSpec("ioc.connect.positions", 1, COMPACTED),
        TopicSpec("ioc.connect.status", 1, COMPACTED),
        TopicSpec("ioc.stream.status", 1, COMPACTED),
        TopicSpec("ioc.health.incidents", 1, COMPACTED),
        TopicSpec("ioc.health.observations", 1, COMPACTED),
        TopicSpec("ioc.alerts", 1, COMPACTED),
        TopicSpec("ioc.codes", 1, COMPACTED),
        TopicSpec("ioc.connect.audit", 1, {"cleanup.policy": "delete", "retention.ms": "-1"}),
    ]
    return [
        *(entity_spec(contract, partitions, replication) for contract in contracts),
        *(replace(spec, replication=replication) for spec in own),
    ]


def connect_admin(bootstrap: str) -> Any:
    """Kafka's admin client, connected; raises `TopicsError` within seconds. Blocks."""
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    if not any(_answers(server) for server in bootstrap.split(",")):
        raise TopicsError(f"Kafka at {bootstrap} does not answer: no connection")
    try:
        return KafkaAdminClient(
            bootstrap_servers=bootstrap.split(","),
            client_id="ioc-hub",
            request_timeout_ms=REQUEST_TIMEOUT_MS,
            bootstrap_timeout_ms=BOOTSTRAP_TIMEOUT_MS,
        )
    except KafkaError as error:
        raise TopicsError(f"Kafka at {bootstrap} does not answer: {error}") from error


def _answers(server: str) -> bool:
    """Whether a broker's port takes connections: the client itself is slow to say so, and leaves sockets behind."""
    host, _, port = server.strip().rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=CONNECT_TIMEOUT_S):
            return True
    except (OSError, ValueError):
        return False


def ensure_topics(bootstrap: str, contracts: Iterable[Contract], partitions: int, replication_factor: int) -> None:
    """Create what is missing; existing topics are left as they are. Idempotent; blocks; raises `TopicsError`."""
    wanted = topic_specs(contracts, partitions, replication_factor)
    admin = connect_admin(bootstrap)
    try:
        existing = set(admin.list_topics())
        missing = {
            spec.name: {
                "num_partitions": spec.partitions,
                "replication_factor": spec.replication,
                "configs": dict(spec.config),
            }
            for spec in wanted
            if spec.name not in existing
        }
        if missing:
            admin.create_topics(missing, timeout_ms=REQUEST_TIMEOUT_MS, wait_for_metadata=True)
    except TopicAlreadyExistsError:
        pass  # another process was quicker
    except KafkaError as error:
        raise TopicsError(f"topics could not be created at {bootstrap}: {error}") from error
    finally:
        admin.close()


def missing_topics(bootstrap: str, contracts: Iterable[Contract]) -> list[str]:
    """Names of the hub's topics that the cluster does not have. Blocks; raises `TopicsError`."""
    admin = connect_admin(bootstrap)
    try:
        existing = set(admin.list_topics())
    except KafkaError as error:
        raise TopicsError(f"Kafka at {bootstrap} does not answer: {error}") from error
    finally:
        admin.close()
    return sorted(spec.name for spec in topic_specs(contracts, 1) if spec.name not in existing)


def cluster_id(bootstrap: str) -> str:
    """What the cluster calls itself. Blocks; raises `TopicsError`."""
    admin = connect_admin(bootstrap)
    try:
        return str(admin.describe_cluster()["cluster_id"])
    except KafkaError as error:
        raise TopicsError(f"Kafka at {bootstrap} does not answer: {error}") from error
    finally:
        admin.close()


def partition_count(bootstrap: str, topic: str) -> int | None:
    """How many partitions the topic has, None if there is no such topic. Blocks; raises `TopicsError`."""
    admin = connect_admin(bootstrap)
    try:
        if topic not in set(admin.list_topics()):
            return None
        (described,) = admin.describe_topics([topic])
        return len(described["partitions"])
    except KafkaError as error:
        raise TopicsError(f"Kafka at {bootstrap} does not answer: {error}") from error
    finally:
        admin.close()


def topic_identity(bootstrap: str, topic: str) -> str:
    """The topic's id: another one if it was deleted and made again. Blocks; raises `TopicsError`."""
    admin = connect_admin(bootstrap)
    try:
        (described,) = admin.describe_topics([topic])
        return str(described["topic_id"])
    except KafkaError as error:
        raise TopicsError(f"Kafka at {bootstrap} does not answer: {error}") from error
    finally:
        admin.close()


def add_partitions(bootstrap: str, topic: str, count: int) -> None:
    """Raise the number of partitions to `count`; there is no way back. Blocks; raises `TopicsError`."""
    admin = connect_admin(bootstrap)
    try:
        admin.create_partitions({topic: count}, timeout_ms=REQUEST_TIMEOUT_MS)
    except KafkaError as error:
        raise TopicsError(f"Kafka refuses {count} partitions for {topic}: {error}") from error
    finally:
        admin.close()
