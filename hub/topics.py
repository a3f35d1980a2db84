"""Topics of the hub and the lag of its consumers: the home module of kafka-python."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import OffsetSpec
from kafka.errors import GroupIdNotFoundError, KafkaError, TopicAlreadyExistsError
from kafka.protocol.consumer import IsolationLevel

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


class GroupLag:
    """Asks one cluster again and again for a group's lag over one connection. Not thread-safe; calls block."""

    def __init__(self, bootstrap: str, group: str, topics: Iterable[str], *, read_committed: bool = False) -> None:
        """`read_committed`: the group leaves open transactions aside, so that the end is the last stable offset."""
        self._bootstrap = bootstrap
        self._group = group
        self._isolation = IsolationLevel.READ_COMMITTED if read_committed else IsolationLevel.READ_UNCOMMITTED
        self._topics = sorted(topics)
        self._client: Any = None

    def read(self) -> list[PartitionLag]:
        """Committed against end offsets for every partition of the topics that exist; raises `TopicsError`.

        The committed offset is read first, so that what is read as missing is never more than what was.
        """
        if self._client is None:
            self._client = connect_admin(self._bootstrap)
        try:
            return group_lag(self._client, self._group, self._topics, self._isolation)
        except (KafkaError, OSError) as error:
            self.close()
            raise TopicsError(f"Kafka at {self._bootstrap} does not answer: {error}") from error

    def committed_topics(self) -> list[str]:
        """The topics in which the group has ever committed, by name. Raises `TopicsError`."""
        if self._client is None:
            self._client = connect_admin(self._bootstrap)
        try:
            committed = self._client.list_group_offsets({self._group: None}).get(self._group, {})
        except GroupIdNotFoundError:
            return []
        except (KafkaError, OSError) as error:
            self.close()
            raise TopicsError(f"Kafka at {self._bootstrap} does not answer: {error}") from error
        return sorted({partition.topic for partition in committed})

    def members(self, group: str | None = None) -> int:
        """How many consumers the group, or another one, has now; 0 for one that there is not. Raises `TopicsError`."""
        asked = group or self._group
        if self._client is None:
            self._client = connect_admin(self._bootstrap)
        try:
            return len(self._client.describe_groups([asked])[asked]["members"])
        except GroupIdNotFoundError:
            return 0
        except (KafkaError, OSError) as error:
            self.close()
            raise TopicsError(f"Kafka at {self._bootstrap} does not answer: {error}") from error

    def close(self) -> None:
        """Disconnect; the next `read` connects anew."""
        client, self._client = self._client, None
        if client is not None:
            client.close()


def lag(bootstrap: str, group: str, topics: Iterable[str]) -> list[PartitionLag]:
    """One reading of `GroupLag`. Blocks; raises `TopicsError`."""
    asked = GroupLag(bootstrap, group, topics, read_committed=group == STREAM_GROUP)
    try:
        return asked.read()
    finally:
        asked.close()


def group_lag(
    admin: Any, group: str, topics: list[str], isolation: IsolationLevel = IsolationLevel.READ_UNCOMMITTED
) -> list[PartitionLag]:
    """The group's lag on those of the topics that exist. Blocks; raises `KafkaError`."""
    existing = set(admin.list_topics())
    partitions = [
        TopicPartition(topic["name"], partition["partition_index"])
        for topic in admin.describe_topics([name for name in topics if name in existing])
        for partition in topic["partitions"]
    ]
    try:
        committed = admin.list_group_offsets({group: partitions}).get(group, {})
    except GroupIdNotFoundError:
        committed = {}
    starts = admin.list_partition_offsets(dict.fromkeys(partitions, OffsetSpec.EARLIEST))
    ends = admin.list_partition_offsets(dict.fromkeys(partitions, OffsetSpec.LATEST), isolation)
    return [
        PartitionLag(
            partition.topic,
            partition.partition,
            committed[partition].offset if partition in committed and committed[partition].offset >= 0 else None,
            starts[partition].offset,
            ends[partition].offset,
        )
        for partition in sorted(partitions)
    ]
