"""Ids of topics: a topic deleted and made again under its name has another id. By kafka-python's admin client."""

from __future__ import annotations

from collections.abc import Callable

from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from streams.errors import StreamError

TopicIds = Callable[[str], str]
"""Gives the id of a topic by name; blocks."""


class TopicUnknownError(StreamError):
    """The cluster does not know the topic, or does not answer: wait and ask again."""


def topic_ids(bootstrap: str) -> TopicIds:
    """A look-up that asks the cluster each time: an id kept would hide that a topic was recreated."""

    def topic_id(name: str) -> str:
        try:
            admin = KafkaAdminClient(bootstrap_servers=bootstrap.split(","), client_id="ioc-stream")
            try:
                described = admin.describe_topics([name])
            finally:
                admin.close()
        except KafkaError as error:
            raise TopicUnknownError(f"Kafka does not tell the id of topic {name}: {error}") from error
        if not described or described[0]["error_code"] != 0:
            raise TopicUnknownError(f"there is no topic {name}; create it with `ioc up` or `ioc topics`")
        return str(described[0]["topic_id"])

    return topic_id
