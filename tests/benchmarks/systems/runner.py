"""Which systems there are, and one timed run of one of them in a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass

from tests.benchmarks.systems import environment
from tests.benchmarks.systems.meter import SCHEMA

TIME_OUT_S = 300
"""For one run of one system: a peer that hangs is ended and reported."""

SKIPPED_PART = 10
"""The first tenth of the events is left out of the time: start, first fetch, compiling by the JVM."""


@dataclass(frozen=True, slots=True)
class System:
    """One programme of the comparison. `events`: how many it reads, so that a run takes some ten seconds."""

    name: str
    label: str
    group: str
    events: int
    command: Callable[[], list[str]]


@dataclass(frozen=True, slots=True)
class Run:
    """One measurement: events per second, and cores busy in this process meanwhile."""

    rate: float
    cores: float


class SystemFailedError(Exception):
    """A system did not finish; the message has the end of what it wrote."""


def _module(name: str, kind: str) -> Callable[[], list[str]]:
    return lambda: [sys.executable, "-m", f"tests.benchmarks.systems.{name}", kind]


def _peer(name: str, kind: str) -> Callable[[], list[str]]:
    return lambda: [str(environment.python()), "-m", f"tests.benchmarks.systems.{name}", kind]


def _java(kind: str) -> Callable[[], list[str]]:
    return lambda: ["java", "-Xmx1g", "-cp", environment.kafka_streams(), "Peer", kind]


SYSTEMS = (
    System("faust_table", "Faust, its table", "peers", 20_000, _module("stock_faust", "table")),
    System("faust_dict", "Faust, a dict", "peers", 60_000, _module("stock_faust", "dict")),
    System("quix_state", "Quix Streams, keyed state", "peers", 100_000, _peer("quix", "state")),
    System("quix_dict", "Quix Streams, a dict", "peers", 200_000, _peer("quix", "dict")),
    System("bytewax", "Bytewax, a dict", "peers", 400_000, _peer("bytewax_flow", "dict")),
    System("kafka_streams_dsl", "Kafka Streams DSL (Java), count()", "peers", 1_000_000, _java("dsl")),
    System("kafka_streams_store", "Kafka Streams (Java), state store", "peers", 1_000_000, _java("store")),
    System("kafka_streams_map", "Kafka Streams (Java), a HashMap", "peers", 1_000_000, _java("map")),
    System("limit_fetch", "Limit: fetch", "limits", 2_000_000, _module("limits", "fetch")),
    System("limit_decode", "Limit: fetch, decode to columns", "limits", 2_000_000, _module("limits", "decode")),
    System("limit_group", "Limit: fetch, decode, group by", "limits", 2_000_000, _module("limits", "group")),
    System("hub_counting", "The hub, like for like (no sink)", "like", 2_000_000, _module("hub_counting", "count")),
)

LARGEST = max(system.events for system in SYSTEMS)


def run(system: System, bootstrap: str, topic: str, at_most: int = LARGEST) -> Run:
    """Time one system on the topic; ends it and everything it started. Raises `SystemFailedError`."""
    count = min(system.events, at_most)
    with tempfile.TemporaryDirectory(prefix="bench-") as state:
        schema = [str(SCHEMA)] if system.command()[0] == "java" else []
        command = [*system.command(), bootstrap, topic, *schema, str(count), str(count // SKIPPED_PART), state]
        process = subprocess.Popen(
            command,
            cwd=environment.ROOT,
            env={**os.environ, "PYTHONPATH": str(environment.ROOT), "PYTHONWARNINGS": "ignore"},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        try:
            out, errors = process.communicate(timeout=TIME_OUT_S)
        except subprocess.TimeoutExpired as error:
            raise SystemFailedError(f"{system.label}: not finished within {TIME_OUT_S} s") from error
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    return _read(system, out, errors)


def _read(system: System, out: str, errors: str) -> Run:
    for line in reversed(out.splitlines()):
        if line.startswith('{"events"'):
            told = json.loads(line)
            return Run(told["events"] / told["seconds"], told["cpu_seconds"] / told["seconds"])
    raise SystemFailedError(f"{system.label} told no figure: {(out + errors)[-1500:]}")
