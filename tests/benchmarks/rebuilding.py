"""Rebuild of one entity: its current states and every rollup made anew from `_changes`, beside a running worker."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

from streams.backfill import Step
from streams.positions import Positions
from streams.rebuild import rebuild, targets_of
from tests.benchmarks import events, seeding, topics
from tests.benchmarks.stand import TIMEZONE, stand

LIVE = 2_000
WANTED_A_MINUTE = 10_000_000
START_S = 60


def measure(bootstrap: str, url: str, folder: Path, changes: int) -> dict[str, Any]:
    """The part `rebuild`; the changes are written by SQL (`seeding`), the figures are compared afterwards."""
    seconds: dict[str, float] = {}
    with stand(bootstrap, url, folder) as ready:
        seeding.seed_changes(ready, 0, changes, seeding.BY_NUMBER)
        seeding.earlier_life(ready)
        live = events.messages(range(changes, changes + LIVE))
        asyncio.run(topics.write(bootstrap, ready.contract.topic, live))
        ready.start()
        ready.wait(lambda: ready.processed() >= changes + LIVE, START_S)
        began = time.monotonic()

        def report(step: Step) -> None:
            seconds[step.table] = round(time.monotonic() - began, 1)

        positions = Positions(bootstrap, ready.name, ready.contract.topic)
        targets = targets_of(ready.contract, events.plan(ready.contract), TIMEZONE)
        made = rebuild(ready.warehouse, ready.contract, targets, positions.read, report)
        took = time.monotonic() - began
        states = ready.number("SELECT uniqExact(entity_key) FROM $_current")
        if states != changes + LIVE:
            raise AssertionError(f"{states} current states after the rebuild, not {changes + LIVE}")
    return {
        "changes": changes,
        "tables": made,
        "seconds": round(took, 1),
        "finished_after_s": seconds,
        "events_per_minute": round(changes / took * 60),
        "events_per_minute_wanted": WANTED_A_MINUTE,
    }
