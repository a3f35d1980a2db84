"""The hub beside its peers and limits: all on one topic of 4 partitions, in three interleaved repeats.

A part of the benchmark that belongs into the same repeats hands in a function `(bootstrap, folder, topic, events) →
{name: events per second}` in `extra`.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks import events, topics
from tests.benchmarks.systems.runner import SYSTEMS, Run, SystemFailedError, run

TOPIC = "ioc.comparison.comparison"

Extra = Callable[[str, Path, str, int], dict[str, float]]

WANTED: tuple[tuple[str, str, float], ...] = (
    ("hub_counting", "faust_table", 70),
    ("hub_counting", "faust_dict", 20),
    ("hub_counting", "quix_state", 6),
    ("hub_counting", "bytewax", 3),
    ("hub_counting", "kafka_streams_dsl", 2),
    ("end_to_end", "bare_limit", 0.75),
    ("end_to_end", "faust_table", 25),
    ("end_to_end", "faust_dict", 6),
    ("end_to_end", "quix_state", 2),
    ("end_to_end", "bytewax", 1),
    ("end_to_end", "kafka_streams_dsl", 1),
)
"""(system, beside which, at least so many times as fast)."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """How many times as fast: the median over the repeats of the ratio within each, and its range."""

    system: str
    beside: str
    wanted: float
    median: float
    least: float
    most: float


def measure(
    bootstrap: str, folder: Path, groups: Sequence[str], extra: Sequence[Extra], repeats: int, at_most: int
) -> dict[str, Any]:
    """Fill the topic, run everything `repeats` times in turn, and give rates, cores and ratios."""
    systems = [system for system in SYSTEMS if system.group in groups]
    count = min(at_most, max((system.events for system in systems), default=at_most))
    topics.fill(bootstrap, TOPIC, events.messages(range(count)))
    rates: dict[str, list[float]] = {}
    cores: dict[str, list[float]] = {}
    failed: dict[str, str] = {}

    def keep(name: str, measured: Run) -> None:
        rates.setdefault(name, []).append(measured.rate)
        cores.setdefault(name, []).append(measured.cores)

    for repeat in range(repeats):
        for system in systems:
            try:
                measured = run(system, bootstrap, TOPIC, count)
            except SystemFailedError as error:
                failed[system.name] = str(error)
                print(f"  {error}", file=sys.stderr, flush=True)
                continue
            keep(system.name, measured)
            _say(repeat, system.label, measured.rate, f", {measured.cores:.1f} cores")
        for measure_extra in extra:
            for name, rate in measure_extra(bootstrap, folder, TOPIC, count).items():
                rates.setdefault(name, []).append(rate)
                _say(repeat, name, rate)
    return {
        "events_per_s": {name: [round(rate) for rate in found] for name, found in rates.items()},
        "cores": {name: round(statistics.median(found), 2) for name, found in cores.items()},
        "ratios": [_as_dict(ratio) for ratio in ratios(rates)],
        "failed": failed,
    }


def ratios(rates: dict[str, list[float]]) -> list[Ratio]:
    """The wanted ratios that both sides were measured for in every repeat: pure."""
    found = []
    for system, beside, wanted in WANTED:
        if len(rates.get(system, ())) == len(rates.get(beside, ())) > 0:
            each = [ours / theirs for ours, theirs in zip(rates[system], rates[beside], strict=True)]
            found.append(Ratio(system, beside, wanted, statistics.median(each), min(each), max(each)))
    return found


def _as_dict(ratio: Ratio) -> dict[str, Any]:
    return {
        "system": ratio.system,
        "beside": ratio.beside,
        "wanted": ratio.wanted,
        "median": round(ratio.median, 2),
        "range": [round(ratio.least, 2), round(ratio.most, 2)],
        "reached": ratio.median >= ratio.wanted,
    }


def _say(repeat: int, label: str, rate: float, more: str = "") -> None:
    print(f"  repeat {repeat + 1}: {label}: {rate:,.0f}/s{more}", flush=True)
