"""What is known of the probes that are on their way. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

LOST_AFTER = timedelta(seconds=60)
"""A probe that was accepted and has not come out so long after counts as lost."""


@dataclass(frozen=True, slots=True)
class Probes:
    """`waiting`: when each accepted probe was sent, by number. Counts since the start; `failed`: not accepted."""

    waiting: Mapping[int, datetime] = field(default_factory=dict)
    produced: int = 0
    received: int = 0
    lost: int = 0
    failed: int = 0

    @property
    def oldest(self) -> int | None:
        """The lowest number that is waited for."""
        return min(self.waiting, default=None)


def accepted(probes: Probes, number: int, at: datetime) -> Probes:
    return replace(probes, waiting={**probes.waiting, number: at}, produced=probes.produced + 1)


def refused(probes: Probes) -> Probes:
    return replace(probes, failed=probes.failed + 1)


def seen(probes: Probes, numbers: Iterable[int], now: datetime) -> tuple[Probes, list[timedelta]]:
    """The probes after `numbers` were seen at the end, and how long each took."""
    came = {number for number in numbers if number in probes.waiting}
    took = [now - probes.waiting[number] for number in sorted(came)]
    waiting = {number: at for number, at in probes.waiting.items() if number not in came}
    return replace(probes, waiting=waiting, received=probes.received + len(came)), took


def given_up(probes: Probes, now: datetime) -> Probes:
    """Those that are too old are lost."""
    waiting = {number: at for number, at in probes.waiting.items() if now - at < LOST_AFTER}
    return replace(probes, waiting=waiting, lost=probes.lost + len(probes.waiting) - len(waiting))
