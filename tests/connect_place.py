"""A group of connect workers of its own: topics under a name that no other test has."""

from __future__ import annotations

import uuid

from kafka import KafkaAdminClient

from connectors.retry import RetryPolicy
from connectors.worker import Place

SMALL_RESTS = RetryPolicy(login_first_s=0.05, look_first_s=0.2, look_most_s=0.3)
"""The rests of a test: as many tries, in less time."""
SESSION_S = 6.0


def make_place(bootstrap: str, session_s: float = SESSION_S, partitions: int = 8) -> Place:
    """The topics, made. Blocks."""
    name = uuid.uuid4().hex[:12]
    place = Place(f"connect-{name}", f"connect-{name}", session_s, partitions)
    topics = {place.configs: partitions, place.positions: 1, place.statuses: 1, place.audit: 1}
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    admin.create_topics(
        {
            topic: {"num_partitions": count, "replication_factor": 1, "configs": _config(topic, place)}
            for topic, count in topics.items()
        }
    )
    admin.wait_for_topics(list(topics), timeout_ms=60_000)
    admin.close()
    return place


def _config(topic: str, place: Place) -> dict[str, str]:
    return {} if topic == place.audit else {"cleanup.policy": "compact"}
