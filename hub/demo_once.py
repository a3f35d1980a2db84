"""`ioc demo --once`: load the reference history, compare, report, stop."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hub.config import Settings
from hub.demo import DemoOptions
from hub.demo_run import Figures, Memory, Oracle, Progress, load, running
from hub.launch import Say, state_of

OK, DIFFERENT, TIMED_OUT = 0, 1, 4


@dataclass(frozen=True, slots=True)
class Outcome:
    """`report` is what goes to stdout; `exit_code` 0: the figures are the ledgers'."""

    report: dict[str, Any]
    exit_code: int


def run_once(
    settings: Settings,
    options: DemoOptions,
    flags: Mapping[str, str],
    timeout_s: float,
    say: Say,
    progress: Progress = lambda done, total: None,
) -> Outcome:
    """Start, load, compare, stop. Blocks; raises `LaunchError`, and `KeyboardInterrupt` after stopping."""
    begun = time.monotonic()
    memory = Memory(state_of(settings))
    with running(settings, options, flags, say):
        ready_s = time.monotonic() - begun
        oracle = Oracle(settings)
        figures, settled = load(settings, oracle, memory, begun + timeout_s, progress)
        loaded_s = time.monotonic() - begun
        memory.sample()
    right = figures is not None and not figures.wrong
    report = {
        "equal": right,
        "differences": figures.wrong if figures is not None else ["not all records arrived in time"],
        "scale": options.scale,
        **_figures(oracle, figures),
        "seconds": {"ready": round(ready_s, 1), "figures_right": round(loaded_s, 1) if right else None},
        "rss_mib": memory.report(),
    }
    return Outcome(report, OK if right else DIFFERENT if settled else TIMED_OUT)


def _figures(oracle: Oracle, figures: Figures | None) -> dict[str, Any]:
    wanted = oracle.periods or {}
    reference = wanted.get("reference")
    return {
        "periods": {
            name: {
                "from": period.start.isoformat(),
                "to": period.end.isoformat(),
                "kpis": {
                    kpi: {part: item.get(part) for part in ("value", "numerator", "denominator")}
                    for kpi, item in (figures.shown.get(name, {}) if figures else {}).items()
                },
            }
            for name, period in wanted.items()
        },
        "events": dict(reference.events) if reference else {},
        "quarantined": figures.quarantined if figures else {},
        "in_warehouse": figures.arrived if figures else 0,
    }
