"""What the stream group's commits say of a topic: how far each partition is, and what may be in flight."""

from __future__ import annotations

from typing import Any

from kafka import KafkaAdminClient, TopicPartition
from kafka.errors import GroupIdNotFoundError, KafkaError

from streams.errors import StreamError
from streams.generations import Position
from streams.intent import parse_commit


class PositionsUnknownError(StreamError):
    """The cluster does not answer: without the commits nobody knows what is in flight."""


class Positions:
    """The commits of one group on one topic. Blocks; `close` when done."""

    def __init__(self, bootstrap: str, group: str, topic: str) -> None:
        self._bootstrap = bootstrap
        self._group = group
        self._topic = topic
        self._admin: Any = None

    def read(self) -> dict[int, Position]:
        """By partition, of those with a commit; raises `PositionsUnknownError`."""
        try:
            if self._admin is None:
                self._admin = KafkaAdminClient(bootstrap_servers=self._bootstrap.split(","), client_id="ioc-rebuild")
            described = self._admin.describe_topics([self._topic])
            asked = [
                TopicPartition(self._topic, partition["partition_index"])
                for topic in described
                for partition in topic["partitions"]
            ]
            found = self._admin.list_group_offsets({self._group: asked}).get(self._group, {})
        except GroupIdNotFoundError:
            return {}
        except (KafkaError, OSError) as error:
            self.close()
            raise PositionsUnknownError(f"Kafka at {self._bootstrap} does not tell the commits: {error}") from error
        return {tp.partition: _position(item.offset, item.metadata) for tp, item in found.items() if item.offset >= 0}

    def close(self) -> None:
        """Disconnect; the next `read` connects anew."""
        admin, self._admin = self._admin, None
        if admin is not None:
            admin.close()


def _position(offset: int, metadata: str | None) -> Position:
    commit = parse_commit(offset, metadata or "")
    return Position(commit.topic_id, commit.offset - 1 if commit.last is None else commit.last, commit.offset - 1)
