"""What the monitor costs: a judgement and a scrape of many data sets, and 500 connectors' topics beside each other."""

from __future__ import annotations

import statistics
import time
import tracemalloc
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from prometheus_client import CollectorRegistry

from hub.exposition import text_of
from hub.health.commits import Commit
from hub.health.consumer import IDLE_AFTER, Shown, Status
from hub.health.group import ALLOWED, PartitionHealth, Reading, fold
from hub.health.incident import Ledger
from hub.health.incident import fold as fold_incidents
from hub.health.lag import Behind
from hub.kafka_watch import INTERVAL_S, LagCollector
from hub.monitor import EVERY_S, judge_all
from hub.monitor_metrics import FreshnessCollector
from hub.topics import PartitionLag
from tests.unit.many_datasets import NOW, Service

MOVES_OF = 10
"""One partition in so many has new records each second."""
PARTITIONS = 14
"""Of each of the topics, in the figure of many connectors."""


def measure(datasets: int, repeats: int) -> dict[str, Any]:
    """Processor time of one round and one scrape, and the peak of memory that a scrape takes, MiB.

    `core_share`: of a core, at one judgement every `EVERY_S` and one fold of the lag every `INTERVAL_S`; without the
    sockets.
    """
    service = Service(datasets)
    partitions = [PartitionLag(f"t{n}", p, 90, 0, 100) for n in range(datasets) for p in range(PARTITIONS)]
    health = {
        (one.topic, one.partition): PartitionHealth(Behind(10, 2.0), shown=Shown(Status.OK)) for one in partitions
    }
    monitor = SimpleNamespace(last=judge_all(service), begun={}, in_turn=True)  # type: ignore[arg-type]
    watch = SimpleNamespace(health=lambda: health, members=lambda: 1, cause=lambda: None)
    registry = CollectorRegistry()
    registry.register(LagCollector(watch, "ioc-stream"))  # type: ignore[arg-type]
    registry.register(FreshnessCollector(monitor, watch))  # type: ignore[arg-type]
    judged = _cpu(lambda: _round(service), repeats)
    folded = _cpu(_Folding(partitions).step, 3 * repeats)
    scraped = _cpu(lambda: text_of(registry), repeats)
    tracemalloc.start()
    text = text_of(registry)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return {
        "datasets": datasets,
        "partitions": len(partitions),
        "judgement_cpu_ms": round(judged * 1000, 1),
        "lag_cpu_ms": round(folded * 1000, 1),
        "scrape_cpu_ms": round(scraped * 1000, 1),
        "scrape_bytes": len(text),
        "scrape_peak_mib": round(peak / 1024 / 1024, 1),
        "core_share": round(judged / EVERY_S + folded / INTERVAL_S, 4),
    }


class _Folding:
    """Readings a second apart, after an idle while: in each of them one partition in `MOVES_OF` has gone on."""

    def __init__(self, partitions: list[PartitionLag]) -> None:
        rest = [replace(one, committed=one.end) for one in partitions]
        commits = [Commit(one.topic, one.partition, one.end, NOW) for one in rest]
        self._partitions, self._number, self._now = rest, 0, NOW
        first = fold({}, Reading(rest, {}, commits, 1), ALLOWED, NOW)
        self._now = NOW + IDLE_AFTER
        self._health = fold(first, Reading(rest, {}, (), 1), ALLOWED, self._now, NOW)

    def step(self) -> None:
        self._number += 1
        before, self._now = self._now, self._now + timedelta(seconds=1)
        for number in range(self._number % MOVES_OF, len(self._partitions), MOVES_OF):
            one = self._partitions[number]
            self._partitions[number] = replace(one, committed=one.end + 5, end=one.end + 5)
        moved = self._partitions[self._number % MOVES_OF :: MOVES_OF]
        commits = [Commit(one.topic, one.partition, one.end, self._now) for one in moved]
        reading = Reading(self._partitions, {}, commits, 1)
        self._health = fold(self._health, reading, ALLOWED, self._now, before)


def _round(service: Service) -> None:
    made = judge_all(service)  # type: ignore[arg-type]
    fold_incidents(Ledger(), [one.judgement(made.at) for one in made.judged], made.at)


def _cpu(work: Any, repeats: int) -> float:
    """Median seconds of processor time."""
    taken = []
    for _ in range(repeats):
        begun = time.process_time()
        work()
        taken.append(time.process_time() - begun)
    return statistics.median(taken)
