"""`make bench`: measure the figures of the README, print them, and keep them under `.bench/`."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import dataclasses
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks.systems.environment import BENCH
from tests.conftest import ROOT, kafka_process, warehouse_process

Figures = dict[str, Any]

SUBTITLE = "16-field events of 246 bytes, 4 partitions, {cores} shared cores; median and range of {repeats} repeats"


@contextlib.contextmanager
def place() -> Iterator[tuple[str, str, Path]]:
    """A broker, a warehouse and a folder of this part alone."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        there = Path(folder)
        (there / "kafka").mkdir()
        (there / "warehouse").mkdir()
        with kafka_process(there / "kafka") as bootstrap, warehouse_process(there / "warehouse") as url:
            yield bootstrap, url, there


def stream_core() -> Figures:
    """Kafka → visible rows, current and rollups; beside stock Faust, interleaved."""
    from tests.benchmarks import core

    with place() as (bootstrap, url, _):
        rates = core.measure(bootstrap, url)
    return {
        "hub_events_per_s": [round(rate.hub) for rate in rates],
        "stock_faust_events_per_s": [round(rate.stock_faust) for rate in rates],
        "median_ratio": round(statistics.median(rate.hub / rate.stock_faust for rate in rates), 1),
        "event_bytes": round(rates[0].event_bytes),
    }


def comparison(groups: Sequence[str]) -> Figures:
    """The hub, its peers and the limits on one topic, interleaved; table and chart."""
    from tests.benchmarks import compare, core, present

    # The whole path belongs into the same repeats.
    whole_path = [core.repeat] if "whole" in groups and hasattr(core, "repeat") else []
    with place() as (bootstrap, url, _):
        figures = compare.measure(bootstrap, url, groups, whole_path)
    (BENCH / "core.md").write_text(present.markdown(figures), encoding="utf-8")
    subtitle = SUBTITLE.format(cores=os.cpu_count(), repeats=compare.REPEATS)
    (BENCH / "core.svg").write_text(present.chart(figures["events_per_s"], subtitle), encoding="utf-8")
    print(present.markdown(figures), flush=True)
    return figures


def workers() -> Figures:
    """One and two workers, decoding and computing changes without the warehouse."""
    from tests.benchmarks import workers as measured

    with place() as (bootstrap, _, folder):
        return measured.measure(bootstrap, folder)


def updates() -> Figures:
    """Updates of known entities, in the worker's cache and mostly not in it."""
    from tests.benchmarks import known

    with place() as (bootstrap, url, folder):
        return known.updates(bootstrap, url, folder, 200_000, 10_000_000, 200_000)


def entities() -> Figures:
    """New entities beside 1M and 10M known ones; the worker's memory."""
    from tests.benchmarks import known

    with place() as (bootstrap, url, folder):
        return known.entities(bootstrap, url, folder, 1_000_000, 10_000_000, 400_000)


def latency() -> Figures:
    """From the append to Kafka until the rollup shows it, at 20,000 and 10 events a second."""
    from tests.benchmarks import latency as measured

    with place() as (bootstrap, url, folder):
        return measured.latency(bootstrap, url, folder)


def start() -> Figures:
    """A worker's start to its first event; the hand-over after a kill."""
    from tests.benchmarks import latency as measured

    with place() as (bootstrap, url, folder):
        return measured.start(bootstrap, url, folder)


def rollups() -> Figures:
    """A rollup's query at 1M, 10M and 50M change rows."""
    from tests.benchmarks import rollups as measured

    with place() as (bootstrap, url, folder):
        return measured.measure(bootstrap, url, folder)


def rebuild() -> Figures:
    """Rebuild of one entity from 10M changes."""
    from tests.benchmarks import rebuilding

    with place() as (bootstrap, url, folder):
        return rebuilding.measure(bootstrap, url, folder)


def cores() -> Figures:
    """End to end with one and two workers: whose processor time it was."""
    from tests.benchmarks import cores as measured

    with place() as (bootstrap, url, folder):
        return measured.measure(bootstrap, url, folder)


def profile() -> Figures:
    """Where a worker's time goes, by py-spy."""
    from tests.benchmarks import profile as measured

    with place() as (bootstrap, url, folder):
        figures = measured.measure(bootstrap, url, folder)
    (BENCH / "profile.md").write_text(measured.text(figures), encoding="utf-8")
    return figures


def demo() -> Figures:
    """The reference history through REST and webhook, from nothing to right figures."""
    from tests.stack import stack_environment

    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-m", "hub.cli", "demo", "--once"],
            env=stack_environment(Path(folder) / "state"), cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
    report: Figures = json.loads(done.stdout)
    return {"exit_code": done.returncode, **{key: report[key] for key in ("seconds", "in_warehouse", "rss_mib")}}


def live_latency() -> Figures:
    """A webhook's 202 to the KPI that counts it, and the start on existing state."""
    from tests.benchmarks import live

    with tempfile.TemporaryDirectory() as folder:
        return dataclasses.asdict(live.measure(Path(folder)))


def connectors() -> Figures:
    """Mapping, publishing, polling and pushing."""
    from hub.topics import ensure_topics
    from schemas.contract import load_contracts
    from tests.benchmarks import connectors as measured

    with tempfile.TemporaryDirectory() as folder, kafka_process(Path(folder)) as bootstrap:
        ensure_topics(bootstrap, load_contracts().values(), 12, 1)
        return asyncio.run(measured.measure(bootstrap))


COMPARED = ("whole", "peers", "limits", "like")
"""Parts of one comparison: those asked for run in the same interleaved repeats. `whole`: Kafka to the warehouse."""

PARTS: dict[str, Callable[[], Figures]] = {
    "core": stream_core,
    "workers": workers,
    "cores": cores,
    "updates": updates,
    "entities": entities,
    "latency": latency,
    "start": start,
    "rollups": rollups,
    "rebuild": rebuild,
    "profile": profile,
    "demo": demo,
    "live": live_latency,
    "connectors": connectors,
}


def measure(name: str, part: Callable[[], Figures]) -> bool:
    """Measure one part, print its figures and keep them; False if it failed."""
    print(f"→ {name}: {(part.__doc__ or '').strip()}", flush=True)
    began = time.monotonic()
    try:
        figures = part()
    except Exception:  # noqa: BLE001 – the other parts are still worth measuring; the exit code tells
        traceback.print_exc()
        return False
    figures["took_s"] = round(time.monotonic() - began, 1)
    figures["load_of_the_machine"] = [round(load, 1) for load in os.getloadavg()]
    (BENCH / f"{name}.json").write_text(json.dumps(figures, indent=1, ensure_ascii=False), encoding="utf-8")
    print(json.dumps(figures, indent=1, ensure_ascii=False), flush=True)
    return True


def main() -> None:
    known = [*COMPARED, *PARTS]
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"which ones (default: all): {', '.join(known)}")
    chosen = parser.parse_args().parts or known
    unknown = [name for name in chosen if name not in known]
    if unknown:
        parser.error(f"no part {unknown[0]!r}; there are {', '.join(known)}")
    warnings.simplefilter("ignore")
    # Of the processes started too: deprecations of other packages would hide the figures.
    os.environ["PYTHONWARNINGS"] = "ignore"
    BENCH.mkdir(exist_ok=True)
    groups = [name for name in COMPARED if name in chosen]
    results: list[bool] = []
    if groups:

        def compared() -> Figures:
            return comparison(groups)

        compared.__doc__ = comparison.__doc__
        results.append(measure("compare", compared))
    results += [measure(name, PARTS[name]) for name in PARTS if name in chosen]
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
