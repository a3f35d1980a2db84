"""`make bench`: measure the figures of the README, print them, and keep them under `.bench/`."""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import os
import statistics
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hub.topics import ensure_topics
from schemas.contract import load_contracts
from tests.benchmarks import core, live
from tests.conftest import ROOT, kafka_process, warehouse_process
from tests.stack import stack_environment

RESULTS = ROOT / ".bench"


def stream_core() -> dict[str, Any]:
    """Kafka → visible rows, current and rollups; beside stock Faust, interleaved."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "kafka").mkdir()
        (folder / "warehouse").mkdir()
        with kafka_process(folder / "kafka") as bootstrap, warehouse_process(folder / "warehouse") as url:
            rates = core.measure(bootstrap, url)
    return {
        "hub_events_per_s": [round(rate.hub) for rate in rates],
        "stock_faust_events_per_s": [round(rate.stock_faust) for rate in rates],
        "median_ratio": round(statistics.median(rate.hub / rate.stock_faust for rate in rates), 1),
        "event_bytes": round(rates[0].event_bytes),
    }


def demo() -> dict[str, Any]:
    """The reference history through REST and webhook, from nothing to right figures."""
    with tempfile.TemporaryDirectory() as place:
        environment = stack_environment(Path(place) / "state")
        done = subprocess.run(
            [sys.executable, "-m", "hub.cli", "demo", "--once"],
            env=environment, cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
    report: dict[str, Any] = json.loads(done.stdout)
    return {"exit_code": done.returncode, **{key: report[key] for key in ("seconds", "in_warehouse", "rss_mib")}}


def live_latency() -> dict[str, Any]:
    """A webhook's 202 to the KPI that counts it, and the start on existing state."""
    with tempfile.TemporaryDirectory() as place:
        return dataclasses.asdict(live.measure(Path(place)))


def connectors() -> dict[str, Any]:
    """Mapping, publishing, polling and pushing."""
    from tests.benchmarks import connectors as measured

    with tempfile.TemporaryDirectory() as place, kafka_process(Path(place)) as bootstrap:
        ensure_topics(bootstrap, load_contracts().values(), 12, 1)
        return asyncio.run(measured.measure(bootstrap))


PARTS: dict[str, Callable[[], dict[str, Any]]] = {
    "core": stream_core,
    "demo": demo,
    "live": live_latency,
    "connectors": connectors,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"which ones (default: all): {', '.join(PARTS)}")
    chosen = parser.parse_args().parts or list(PARTS)
    unknown = [name for name in chosen if name not in PARTS]
    if unknown:
        parser.error(f"no part {unknown[0]!r}; there are {', '.join(PARTS)}")
    warnings.simplefilter("ignore")
    RESULTS.mkdir(exist_ok=True)
    for name in chosen:
        print(f"→ {name}: {(PARTS[name].__doc__ or '').strip()}", flush=True)
        figures = PARTS[name]()
        (RESULTS / f"{name}.json").write_text(json.dumps(figures, indent=1, ensure_ascii=False), encoding="utf-8")
        print(json.dumps(figures, indent=1, ensure_ascii=False), flush=True)
    print(f"load of the machine: {', '.join(f'{load:.1f}' for load in os.getloadavg())}")


if __name__ == "__main__":
    main()
