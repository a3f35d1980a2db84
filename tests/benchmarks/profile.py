"""Where a worker's time goes: py-spy beside one worker under load, end to end.

py-spy looks at the worker's threads a hundred times a second; those that wait are left out. What runs outside
Python (columns, compression, the network) is laid to the Python function that called it.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

from tests.benchmarks import events, topics
from tests.benchmarks.stand import stand
from tests.benchmarks.systems import environment

SECONDS = 12
SAMPLES_A_SECOND = 100
START_S = 120
SHOWN = 25

STAGES: tuple[tuple[str, str], ...] = (
    (r"\bgetmany|_fetch_records|fetcher\.py|fetched\.py|aiokafka/record", "fetch from Kafka"),
    (r"codec\.py|resolution\.py|screen\.py", "decode to columns"),
    (r"current_states|states_before|_states \(|known|KnownKeys|StateCache", "states: look up and remember"),
    (r"change\.py", "compute changes"),
    (r"arrow_stream", "encode the block"),
    (r"finish \(", "finish the block"),
    (r"insert|clickhouse_connect|urllib3|http/client", "send to the warehouse"),
    (r"commit", "commit the intent"),
    (r"placement\.py", "place in time"),
    (r"arrival|metrics|prometheus", "metrics"),
)
"""A stack belongs to the first of these that one of its frames matches, looked at from the innermost frame."""


WAITING = re.compile(
    r"_worker \(concurrent/futures/thread|select \(selectors|readinto \(socket|wait \(threading|accept \(socket"
)
"""Innermost frames that wait for work or for an answer; py-spy takes some of them for busy."""


def stage_of(stack: list[str]) -> str:
    """The stage a stack of frames (outermost first) belongs to: pure."""
    for frame in reversed(stack):
        for pattern, stage in STAGES:
            if re.search(pattern, frame):
                return stage
    return "event loop and the rest"


def summary(raw: str) -> dict[str, Any]:
    """Shares of the samples by stage, and by innermost and by any project function: pure. `raw`: folded stacks."""
    stages: Counter[str] = Counter()
    innermost: Counter[str] = Counter()
    ours: Counter[str] = Counter()
    for line in raw.splitlines():
        folded, _, count = line.rpartition(" ")
        stack = folded.split(";")
        if WAITING.search(stack[-1]):
            continue
        stages[stage_of(stack)] += int(count)
        innermost[stack[-1]] += int(count)
        for frame in {frame for frame in stack if re.search(r"\((streams|schemas)/", frame)}:
            ours[frame] += int(count)
    total = sum(stages.values())

    def shares(counted: Counter[str]) -> dict[str, float]:
        return {name: round(count / total * 100, 1) for name, count in counted.most_common(SHOWN)}

    return {
        "samples": total,
        "threads_busy": round(total / (SECONDS * SAMPLES_A_SECOND), 2),
        "stages_percent": shares(stages),
        "innermost_percent": shares(innermost),
        "own_functions_percent_inclusive": shares(ours),
    }


def measure(bootstrap: str, url: str, folder: Path, count: int) -> dict[str, Any]:
    """The part `profile`; the folded stacks stay in `.bench/profile.txt`, for a flame graph."""
    command = environment.profiler()
    kept = environment.BENCH / "profile.txt"
    with stand(bootstrap, url, folder) as ready:
        asyncio.run(topics.write(bootstrap, ready.contract.topic, events.messages(range(count))))
        worker = ready.start()
        ready.wait(lambda: ready.processed() > 0, START_S)
        before = ready.processed()
        options = [
            "--duration",
            str(SECONDS),
            "--rate",
            str(SAMPLES_A_SECOND),
            "--format",
            "raw",
            "--threads",
            "--function",
        ]
        done = subprocess.run(
            [str(command), "record", "--pid", str(worker.process.pid), *options, "--output", str(kept)],
            capture_output=True, text=True, timeout=SECONDS + 60, check=False,
        )  # fmt: skip
        if done.returncode or not kept.exists():
            raise environment.PeerMissingError(f"py-spy: {done.stderr[-800:]}")
        processed = ready.processed() - before
    figures = {"events_per_s_meanwhile": round(processed / SECONDS), **summary(kept.read_text(encoding="utf-8"))}
    if processed + before >= count:
        figures["note"] = "the worker ran out of events before the end"
    return figures


def text(figures: dict[str, Any]) -> str:
    """A table in Markdown."""
    lines = ["| Stage | Share of the worker's busy time |", "|---|--:|"]
    lines += [f"| {stage} | {share} % |" for stage, share in figures["stages_percent"].items()]
    lines += ["", "| Function (with what it calls) | Share |", "|---|--:|"]
    lines += [f"| `{name}` | {share} % |" for name, share in figures["own_functions_percent_inclusive"].items()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(json.dumps(summary((environment.BENCH / "profile.txt").read_text(encoding="utf-8")), indent=1))
