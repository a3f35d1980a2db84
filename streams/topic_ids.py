"""Ids of topics: a topic deleted and made again under its name has another id. By kafka-python's admin client."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from streams.errors import StreamError


@dataclass(frozen=True, slots=True)
class Topic:
    """What the cluster says of a topic."""

    id: str
    partitions: int


TopicIds = Callable[[str], Topic]
"""Gives a topic's id and its number of partitions by name; blocks."""


class TopicUnknownError(StreamError):
    """The cluster does not know the topic, or does not answer: wait and ask again."""


class _Cluster:
    """Asks over one connection, made at the first question and again after a failure. Safe from several threads."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._lock = threading.Lock()
        self._admin: Any = None

    def topic(self, name: str) -> Topic:
        with self._lock:
            try:
                self._admin = self._admin or KafkaAdminClient(
                    bootstrap_servers=self._bootstrap.split(","), client_id="ioc-stream"
                )
                described = self._admin.describe_topics([name])
            except (KafkaError, OSError) as error:
                self._forget()
                raise TopicUnknownError(f"Kafka does not tell the id of topic {name}: {error}") from error
        if not described or described[0]["error_code"] != 0:
            raise TopicUnknownError(f"there is no topic {name}; create it with `ioc up` or `ioc topics`")
        return Topic(str(described[0]["topic_id"]), len(described[0]["partitions"]))

    def _forget(self) -> None:
        admin, self._admin = self._admin, None
        if admin is not None:
            admin.close()


def topic_ids(bootstrap: str) -> TopicIds:
    """A look-up that asks the cluster each time: an id kept would hide that a topic was recreated."""
    return _Cluster(bootstrap).topic
