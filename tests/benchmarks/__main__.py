"""`make bench`: measure the figures of the README, print them, and keep them under `.bench/`."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import dataclasses
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.systems.environment import BENCH
from tests.conftest import ROOT, kafka_process, warehouse_process

Figures = dict[str, Any]

SUBTITLE = "16-field events of 246 bytes, 4 partitions, {cores} shared cores; median and range of {repeats} repeats"


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured: `scale` of the full numbers of events, so many times."""

    scale: float
    repeats: int

    def of(self, count: int) -> int:
        return max(1, round(count * self.scale))


MEMORY_DISK = Path("/dev/shm")
MEMORY_DISK_ROOM = 4 * 2**30


def unburdened() -> Path | None:
    """Where a file takes as long to make as on a disk of which nobody has removed any: in memory, if there is room.

    An insert makes 18 files and folders. ext4 without a journal, as of many virtual machines, passes by every inode
    that was freed in the last one to five minutes for each of them, so that an insert of 1,600 rows took 15 to 28 ms of
    the system's time by what had been removed before. With a journal it took 8 to 10, and in memory 8 to 11.
    """
    room = MEMORY_DISK.is_dir() and shutil.disk_usage(MEMORY_DISK).free >= MEMORY_DISK_ROOM
    return MEMORY_DISK if room else None


@contextlib.contextmanager
def broker(kept: Path | None = None) -> Iterator[tuple[str, Path]]:
    """A broker and a folder of this part alone, in `kept` or where temporary ones are."""
    with tempfile.TemporaryDirectory(prefix="bench-", dir=kept) as folder:
        there = Path(folder)
        (there / "kafka").mkdir()
        with kafka_process(there / "kafka") as bootstrap:
            yield bootstrap, there


@contextlib.contextmanager
def place(kept: Path | None = None) -> Iterator[tuple[str, str, Path]]:
    """The same and a warehouse."""
    with broker(kept) as (bootstrap, there):
        (there / "warehouse").mkdir()
        with warehouse_process(there / "warehouse") as url:
            yield bootstrap, url, there


def comparison(groups: Sequence[str], size: Size) -> Figures:
    """The hub, its peers and the limits on one topic, interleaved; table and chart."""
    from tests.benchmarks import compare, core, present
    from tests.benchmarks.systems.runner import LARGEST

    whole_path = [core.repeat] if "whole" in groups else []
    with broker() as (bootstrap, folder):
        figures = compare.measure(bootstrap, folder, groups, whole_path, size.repeats, size.of(LARGEST))
    (BENCH / "core.md").write_text(present.markdown(figures), encoding="utf-8")
    subtitle = SUBTITLE.format(cores=os.cpu_count(), repeats=size.repeats)
    (BENCH / "core.svg").write_text(present.chart(figures["events_per_s"], subtitle), encoding="utf-8")
    print(present.markdown(figures), flush=True)
    return figures


def workers(size: Size) -> Figures:
    """One and two workers, decoding and computing changes without the warehouse."""
    from tests.benchmarks import workers as measured

    with broker() as (bootstrap, folder):
        return measured.measure(bootstrap, folder, size.repeats, size.of(2_000_000))


def updates(size: Size) -> Figures:
    """Updates of known entities, in the worker's cache and mostly not in it."""
    from tests.benchmarks import known

    with place() as (bootstrap, url, folder):
        return known.updates(
            bootstrap, url, folder, size.repeats, size.of(200_000), size.of(10_000_000), size.of(600_000)
        )


def entities(size: Size) -> Figures:
    """New entities beside 1M and 10M known ones; the worker's memory."""
    from tests.benchmarks import known

    with place() as (bootstrap, url, folder):
        return known.entities(
            bootstrap, url, folder, size.repeats, size.of(1_000_000), size.of(10_000_000), size.of(800_000)
        )


def latency(size: Size) -> Figures:
    """From the append to Kafka until the rollup shows it, at 20,000 and 10 events a second."""
    from tests.benchmarks import latency as measured

    with place(unburdened()) as (bootstrap, url, folder):
        return measured.latency(bootstrap, url, folder, size.repeats)


def start(size: Size) -> Figures:
    """A worker's start to its first event; the hand-over after a kill."""
    from tests.benchmarks import latency as measured

    with place() as (bootstrap, url, folder):
        return measured.start(bootstrap, url, folder, size.repeats)


def rollups(size: Size) -> Figures:
    """A rollup's query at 1M, 10M and 50M change rows."""
    from tests.benchmarks import rollups as measured

    sizes = (size.of(1_000_000), size.of(10_000_000), size.of(50_000_000))
    with place() as (bootstrap, url, folder):
        return measured.measure(bootstrap, url, folder, sizes)


def rebuild(size: Size) -> Figures:
    """Rebuild of one entity from 10M changes."""
    from tests.benchmarks import rebuilding

    with place() as (bootstrap, url, folder):
        return rebuilding.measure(bootstrap, url, folder, size.of(10_000_000))


def audit(size: Size) -> Figures:
    """What the audit costs beside the flow, and how soon it sees what is wrong among 20M changes."""
    from tests.benchmarks import auditing

    with place() as (bootstrap, url, folder):
        return auditing.measure(bootstrap, url, folder, size.of(20_000_000))


def cores(size: Size) -> Figures:
    """End to end with one and two workers: whose processor time it was."""
    from tests.benchmarks import cores as measured

    with place() as (bootstrap, url, folder):
        return measured.measure(bootstrap, url, folder, size.repeats, size.of(1_500_000))


def profile(size: Size) -> Figures:
    """Where a worker's time goes, by py-spy."""
    from tests.benchmarks import profile as measured

    with place() as (bootstrap, url, folder):
        figures = measured.measure(bootstrap, url, folder, size.of(2_000_000))
    (BENCH / "profile.md").write_text(measured.text(figures), encoding="utf-8")
    return figures


def demo(_: Size) -> Figures:
    """The reference history through REST and webhook, from nothing to right figures."""
    from tests.stack import stack_environment

    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-m", "hub.cli", "demo", "--once"],
            env=stack_environment(Path(folder) / "state"), cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
    report: Figures = json.loads(done.stdout)
    return {"exit_code": done.returncode, **{key: report[key] for key in ("seconds", "in_warehouse", "rss_mib")}}


def live_latency(_: Size) -> Figures:
    """A webhook's 202 to the KPI that counts it, and the start on existing state."""
    from tests.benchmarks import live

    with tempfile.TemporaryDirectory() as folder:
        return dataclasses.asdict(live.measure(Path(folder)))


def screens(_: Size) -> Figures:
    """A webhook's 202 to the tile in Chromium beside 200 live streams, a first view, the memory of 500 streams."""
    from tests.benchmarks import screens as measured

    with tempfile.TemporaryDirectory() as folder:
        return dataclasses.asdict(measured.measure(Path(folder)))


def connectors(_: Size) -> Figures:
    """Mapping, publishing, polling and pushing."""
    from hub.topics import ensure_topics
    from schemas.contract import load_contracts
    from tests.benchmarks import connectors as measured

    with tempfile.TemporaryDirectory() as folder, kafka_process(Path(folder)) as bootstrap:
        ensure_topics(bootstrap, load_contracts().values(), 12, 1)
        return asyncio.run(measured.measure(bootstrap))


def files(_: Size) -> Figures:
    """CSV, Excel workbooks and station files: read, mapped and on Kafka."""
    from hub.topics import ensure_topics
    from schemas.contract import load_contracts
    from tests.benchmarks import files as measured

    with tempfile.TemporaryDirectory() as folder, kafka_process(Path(folder)) as bootstrap:
        ensure_topics(bootstrap, load_contracts().values(), 4, 1)
        return asyncio.run(measured.measure_files(bootstrap))


def connect(_: Size) -> Figures:
    """One worker with 500 connectors: idle cost, and how soon it follows, beside a real Kafka Connect worker."""
    from tests.benchmarks import many_connectors as measured

    with tempfile.TemporaryDirectory() as folder, kafka_process(Path(folder)) as bootstrap:
        (Path(folder) / "connect").mkdir()
        return measured.measure(bootstrap, Path(folder) / "connect")


def decoding(size: Size) -> Figures:
    """Avro to columns in memory: one writer, two, and one bad record in a hundred, beside the plainest reader."""
    from tests.benchmarks import decoding as measured

    return measured.measure(7 * size.repeats, size.of(100_000))


def registry(size: Size) -> Figures:
    """The schema registry: a start over 100,000 versions, reads by id, registrations, refusals under load."""
    from tests.benchmarks import registry as measured

    with tempfile.TemporaryDirectory() as folder, kafka_process(Path(folder)) as bootstrap:
        return measured.measure(bootstrap, Path(folder), size.scale)


def monitor(size: Size) -> Figures:
    """The monitor: cost of a judgement and a scrape at 14 and 500 data sets; false alarms in simulated weeks; how soon
    each fault is named, 20 times on a clock of our own."""
    from tests.benchmarks import detection, false_alarms, monitoring

    measured = {str(count): monitoring.measure(count, 3 * size.repeats) for count in (14, 500)}
    return {"cost": measured, "named": detection.scaled(), **false_alarms.measure()}


def named(size: Size) -> Figures:
    """How soon each fault is named on a real stack, in real time, 5 times."""
    from tests.benchmarks import detection

    return {"named": detection.real(max(1, round(5 * size.scale)))}


def operators(size: Size) -> Figures:
    """What operators wait for, by HTTP: KPIs, explanations, pages of records, an export, over 50M change rows."""
    from tests.benchmarks import operators as measured

    with tempfile.TemporaryDirectory(prefix="bench-") as folder, warehouse_process(Path(folder)) as url:
        return measured.measure(url, None, size.of(5_000_000), size.of(50_000_000), size.of(1_000_000))


COMPARED = ("whole", "peers", "limits", "like")
"""Parts of one comparison, `core`: those asked for run in the same interleaved repeats. `whole`: Kafka to the
warehouse, and its bare limit."""

PARTS: dict[str, Callable[[Size], Figures]] = {
    "workers": workers,
    "cores": cores,
    "updates": updates,
    "entities": entities,
    "latency": latency,
    "start": start,
    "rollups": rollups,
    "operators": operators,
    "rebuild": rebuild,
    "audit": audit,
    "profile": profile,
    "demo": demo,
    "live": live_latency,
    "screens": screens,
    "connectors": connectors,
    "files": files,
    "connect": connect,
    "registry": registry,
    "decoding": decoding,
    "monitor": monitor,
    "named": named,
}


def loop_ms() -> float:
    """How quick the machine is at this moment: processor time of a million plain additions, the best of several, ms.

    A shared machine took from 120 to 220 for it within one hour: figures of two runs compare only by this.
    """
    best = float("inf")
    for _ in range(10):
        begun, total = time.process_time(), 0
        for number in range(1_000_000):
            total += number
        best = min(best, time.process_time() - begun)
    return round(best * 1000, 1)


def measure(name: str, part: Callable[[Size], Figures], size: Size) -> bool:
    """Measure one part, print its figures and keep them; False if it failed."""
    print(f"→ {name}: {(part.__doc__ or '').strip()}", flush=True)
    began = time.monotonic()
    try:
        figures = part(size)
    except Exception:  # noqa: BLE001 – the other parts are still worth measuring; the exit code tells
        traceback.print_exc()
        return False
    if size.scale != 1:
        figures["scale"] = size.scale
    figures["took_s"] = round(time.monotonic() - began, 1)
    figures["loop_ms"] = loop_ms()
    figures["load_of_the_machine"] = [round(load, 1) for load in os.getloadavg()]
    (BENCH / f"{name}.json").write_text(json.dumps(figures, indent=1, ensure_ascii=False), encoding="utf-8")
    print(json.dumps(figures, indent=1, ensure_ascii=False), flush=True)
    return True


def main() -> None:
    known = ["core", *COMPARED, *PARTS]
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"which ones (default: all): {', '.join(known)}")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the full numbers of events, for a trial")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    size = Size(arguments.scale, arguments.repeats)
    chosen = arguments.parts or known
    unknown = [name for name in chosen if name not in known]
    if unknown:
        parser.error(f"no part {unknown[0]!r}; there are {', '.join(known)}")
    warnings.simplefilter("ignore")
    # Of the processes started too: deprecations of other packages would hide the figures.
    os.environ["PYTHONWARNINGS"] = "ignore"
    BENCH.mkdir(exist_ok=True)
    groups = [name for name in COMPARED if name in chosen or "core" in chosen]
    results: list[bool] = []
    if groups:

        def compared(size: Size) -> Figures:
            return comparison(groups, size)

        compared.__doc__ = comparison.__doc__
        results.append(measure("core", compared, size))
    results += [measure(name, PARTS[name], size) for name in PARTS if name in chosen]
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
