"""What limits the whole path: events per second end to end with one and two workers, and whose processor time it was.

The broker's, the warehouse's and the workers' time is taken from the system's own accounts, from when all workers
have partitions until nine tenths of the events.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from pathlib import Path
from typing import Any

import psutil

from tests.benchmarks import events, topics
from tests.benchmarks.stand import stand

RUN_S = 300


def processor_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def broker_and_warehouse() -> dict[str, psutil.Process]:
    """Those that this process has started."""
    found = {}
    for child in psutil.Process().children():
        line = " ".join(child.cmdline())
        if "kafka.Kafka" in line:
            found["broker"] = child
        elif line.endswith("hub.cli warehouse"):
            found["warehouse"] = child
    return found


def _run(bootstrap: str, url: str, folder: Path, workers: int, count: int) -> dict[str, float]:
    with stand(bootstrap, url, folder) as ready:
        asyncio.run(topics.write(bootstrap, ready.contract.topic, events.messages(range(count))))
        watched = broker_and_warehouse()
        for number in range(workers):
            watched[f"worker_{number + 1}"] = psutil.Process(ready.start().process.pid)
        ready.wait(lambda: all(worker.took_part(ready.contract.topic) for worker in ready.workers), RUN_S)
        first, began = ready.processed(), time.monotonic()
        before = {name: processor_s(process) for name, process in watched.items()}
        ready.wait(lambda: ready.processed() >= count * 9 // 10, RUN_S)
        last, seconds = ready.processed(), time.monotonic() - began
        used = {name: (processor_s(process) - before[name]) / seconds for name, process in watched.items()}
        return {"events_per_s": (last - first) / seconds, **used}


def measure(bootstrap: str, url: str, folder: Path, repeats: int, count: int) -> dict[str, Any]:
    """The part `cores`."""
    figures: dict[str, Any] = {}
    runs: dict[int, list[dict[str, float]]] = {1: [], 2: []}
    for repeat in range(repeats):
        for workers, found in runs.items():
            found.append(_run(bootstrap, url, folder, workers, count))
            print(f"  repeat {repeat + 1}: {workers} worker(s): {_rounded(found[-1])}", flush=True)
    for workers, found in runs.items():
        figures[f"{workers}_workers"] = _rounded(
            {name: statistics.median(run[name] for run in found) for name in found[0]}
        )
    figures["two_to_one"] = round(
        statistics.median(two["events_per_s"] / one["events_per_s"] for one, two in zip(runs[1], runs[2], strict=True)),
        2,
    )
    return figures


def _rounded(run: dict[str, float]) -> dict[str, float]:
    return {name: round(value) if name == "events_per_s" else round(value, 2) for name, value in run.items()}
