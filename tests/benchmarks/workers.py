"""One and two workers, decoding and computing changes without the warehouse: how the group grows with cores.

Members of one consumer group on a topic of 4 partitions, read from its start. All join first and are let go
together; the rate is taken between a fifth and four fifths of the topic, over all members. With `pinned` each worker
has one core of its own and the broker shares them; else the system places the threads.
"""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.benchmarks import events, topics

JOIN_S = 60
RUN_S = 180
CASES = (("one_pinned", 1, True), ("two_pinned", 2, True), ("one", 1, False), ("two", 2, False))


class Member:
    """One worker process and what it has told so far."""

    def __init__(self, group: str, bootstrap: str, topic: str, state: Path, core: int | None) -> None:
        pin = ["taskset", "-c", str(core)] if core is not None else []
        module = [sys.executable, "-m", "tests.benchmarks.systems.hub_counting", "join", group, bootstrap, topic]
        self.log = (state / "member.log").open("wb")
        self.process = subprocess.Popen(
            [*pin, *module, str(state)],
            env={**os.environ, "PYTHONWARNINGS": "ignore"},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True,
        )  # fmt: skip
        self.partitions: list[int] = []
        self.progress: list[tuple[float, int]] = []
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith('{"partitions"'):
                self.partitions = json.loads(line)["partitions"]
            elif line.startswith('{"at"'):
                told = json.loads(line)
                self.progress.append((told["at"], told["seen"]))

    @property
    def seen(self) -> int:
        return self.progress[-1][1] if self.progress else 0

    def go(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        self.log.close()


@contextlib.contextmanager
def members(count: int, pinned: bool, bootstrap: str, topic: str, folder: Path) -> Iterator[list[Member]]:
    """Workers that have shared the topic's partitions among them and wait to be let go."""
    group = f"workers-{uuid.uuid4().hex[:8]}"
    started: list[Member] = []
    try:
        for number in range(count):
            state = folder / f"{group}-{number}"
            state.mkdir()
            started.append(Member(group, bootstrap, topic, state, number if pinned else None))
        deadline = time.monotonic() + JOIN_S
        while not _shared(started):
            if time.monotonic() > deadline:
                raise TimeoutError(f"the partitions are not shared: {[member.partitions for member in started]}")
            time.sleep(0.05)
        yield started
    finally:
        for member in started:
            member.end()


def _shared(started: list[Member]) -> bool:
    owned = [partition for member in started for partition in member.partitions]
    return sorted(owned) == list(range(events.PARTITIONS)) and all(member.partitions for member in started)


def together(progress: list[list[tuple[float, int]]], count: int) -> float:
    """Events per second of all members between a fifth and four fifths of the topic: pure."""
    steps = sorted((at, seen - before) for told in progress for (at, seen), before in _with_before(told))
    total, first, last = 0, (0.0, 0), (0.0, 0)
    for at, number in steps:
        total += number
        if total <= count / 5:
            first = (at, total)
        if total <= count * 4 / 5:
            last = (at, total)
    return (last[1] - first[1]) / (last[0] - first[0])


def _with_before(told: list[tuple[float, int]]) -> Iterator[tuple[tuple[float, int], int]]:
    return zip(told, [0, *(seen for _, seen in told)], strict=False)


def rate(count: int, pinned: bool, bootstrap: str, topic: str, folder: Path, records: int) -> float:
    """One measurement with so many workers."""
    with members(count, pinned, bootstrap, topic, folder) as started:
        for member in started:
            member.go()
        deadline = time.monotonic() + RUN_S
        while sum(member.seen for member in started) < records:
            if time.monotonic() > deadline or any(member.process.poll() is not None for member in started):
                raise TimeoutError(f"only {[member.seen for member in started]} of {records} events")
            time.sleep(0.05)
        return together([member.progress for member in started], records)


def measure(bootstrap: str, folder: Path, repeats: int, count: int) -> dict[str, Any]:
    """Rates of every case, interleaved, and how two workers compare with one."""
    topic = "ioc.workers.workers"
    topics.fill(bootstrap, topic, events.messages(range(count)))
    rates: dict[str, list[float]] = {name: [] for name, _, _ in CASES}
    for repeat in range(repeats):
        for name, workers, pinned in CASES:
            rates[name].append(rate(workers, pinned, bootstrap, topic, folder, count))
            print(f"  repeat {repeat + 1}: {name}: {rates[name][-1]:,.0f}/s", flush=True)
    return {
        "events_per_s": {name: [round(value) for value in found] for name, found in rates.items()},
        "two_to_one_pinned": _ratio(rates["two_pinned"], rates["one_pinned"]),
        "two_to_one": _ratio(rates["two"], rates["one"]),
        "wanted": 1.7,
    }


def _ratio(two: list[float], one: list[float]) -> float:
    return round(statistics.median(a / b for a, b in zip(two, one, strict=True)), 2)
