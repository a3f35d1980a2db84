"""Tells what the arrival of records says about their sources: metrics of every batch, and a log line for a clock that
is ahead."""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog

from streams import metrics
from streams.arrived import Arrived, Skew

log = structlog.get_logger()

MOST_SOURCES = 50
"""Source systems told apart in one worker: their names come from records, and labels must be bounded."""

OTHER = "other"

TELL_AGAIN_S = 300.0
"""A source system whose clock stays ahead is named once in so long."""


class ArrivalWatch:
    """Of one entity and topic partition. `seen` is called once per written batch."""

    def __init__(self, entity: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._entity = entity
        self._clock = clock
        self._told: dict[str, float] = {}
        self._untold: dict[str, int] = {}

    def seen(self, found: Arrived) -> None:
        """Count what a written batch's arrival said; names the source systems whose clock is ahead."""
        metrics.LATE.labels(self._entity).inc(found.late)
        metrics.SUPERSEDED.labels(self._entity).inc(found.superseded)
        for skew in found.skew:
            self._name(skew)

    def _name(self, skew: Skew) -> None:
        known = skew.source_system in self._untold or len(self._untold) < MOST_SOURCES
        source = skew.source_system if known else OTHER
        metrics.SKEWED.labels(self._entity, source).inc(skew.records)
        self._untold[source] = self._untold.get(source, 0) + skew.records
        told = self._told.get(source)
        if told is not None and self._clock() - told < TELL_AGAIN_S:
            return
        log.warning(
            "clock_skew",
            entity=self._entity,
            source_system=source,
            records=self._untold[source],
            ahead_s=round(skew.most.total_seconds(), 1),
        )
        self._told[source] = self._clock()
        self._untold[source] = 0
