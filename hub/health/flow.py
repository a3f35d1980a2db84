"""What stands between a topic and the warehouse, as far as a dataset's state leans on it. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from hub.health.consumer import Status
from hub.health.group import PartitionHealth

STUCK = (Status.STOP, Status.STALL, Status.WARN)
"""Of a partition's statuses those that mean stuck, the worst first. A group that was set back works again."""


@dataclass(frozen=True, slots=True)
class Flow:
    """`kafka`: it answers, so that reports and lag are known. `stream`: the worst of the topic's partitions that is
    stuck. `warehouse`: that it is away, or that writes are slow. `heard_since`: since when reports are followed without
    a break; silence before that is ours (None: for as long as anybody can remember). `connect_gone_since`: since when
    the group of the connectors' workers has no member any more. `waiting`: records in the topic
    that are not processed, `oldest_s`: how long the oldest of them waits; None: not known."""

    kafka: bool = True
    stream: Status | None = None
    warehouse: Literal["away", "slow"] | None = None
    heard_since: datetime | None = None
    connect_gone_since: datetime | None = None
    waiting: int | None = None
    oldest_s: float | None = None


CALM = Flow()


def stuck(partitions: Iterable[PartitionHealth]) -> Status | None:
    """The worst status of partitions in which records wait and nobody gets on with them; None if all move."""
    found = {one.status for one in partitions if one.behind.records}
    return next((status for status in STUCK if status in found), None)
