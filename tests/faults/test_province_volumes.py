"""A province a hundred times as fast: no connector falls behind, nothing is lost, memory stays flat."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from statistics import mean
from typing import Any

import pytest

from deploy.demo.volumes import PER_DAY
from hub.client import Client, ClientError
from hub.config import load
from hub.demo import SIMULATORS, DemoOptions, prepare_province
from hub.demo_figures import REFERENCE, Expected, arrived, connectors, expected, expected_all, missing
from hub.demo_run import MIB, Memory, look
from hub.state_dir import StateDir
from tests import books
from tests.faults import units
from tests.stack import ROOT, RunningStack, stack_environment, start_stack

SPEED = 100
SECONDS = float(os.environ.get("VOLUME_SECONDS", "600"))
"""How long it lasts; a minute is enough to see whether it works at all."""
SCALE = 0.02
SAMPLE_S = 5.0
WARM_UP_S = 30.0
BEHIND_S = 60.0
"""What had been emitted when the sources fell silent is counted so soon after: nobody was further behind."""
GROWTH = 1.2
"""Of the memory between the first and the last quarter of the time: caches fill, but nothing piles up."""


@dataclass(frozen=True, slots=True)
class Sample:
    """At a moment of the run: resident memory of the product in bytes, records in topics that wait."""

    at_s: float
    resident: int
    waiting: int


def ledgers(stack: RunningStack) -> dict[str, Expected]:
    """What everything emitted so far makes of both periods."""
    periods = {"reference": REFERENCE, "this_year": books.this_year()}
    return expected_all(ROOT, stack.ledgers, periods)


def emitted(stack: RunningStack) -> Mapping[str, int]:
    today = date.today()  # noqa: DTZ011 – any period will do: the totals are of everything
    return expected(ROOT, stack.ledgers, today, today).records


def sampled(stack: RunningStack, api: Client, seconds: float) -> list[Sample]:
    """Look at the run until it is over."""
    memory, found, begun = Memory(StateDir(stack.state)), [], time.monotonic()
    while (at := time.monotonic() - begun) < seconds:
        memory.sample()
        resident = sum(size for unit, size in memory.last.items() if unit not in SIMULATORS)
        with suppress(ClientError):
            rows = api.get("/v1/connectors")["items"]
            found.append(Sample(at, resident, sum({row["entity"]: row["lag"] or 0 for row in rows}.values())))
        time.sleep(SAMPLE_S)
    return found


def drained(api: Client, ask: Callable[[], dict[str, Expected]]) -> tuple[dict[str, Expected], float]:
    """What the ledgers say, and the seconds from now until every record that they name is in the warehouse.

    The ledgers take their time: what has arrived is written down meanwhile, and held against them afterwards.
    """
    begun, seen = time.monotonic(), list[tuple[float, Mapping[str, int]]]()
    with ThreadPoolExecutor(1) as asking:
        answer = asking.submit(ask)
        while True:
            with suppress(ClientError):
                seen.append((time.monotonic() - begun, arrived(connectors(api))))
            if answer.done():
                records = answer.result()["reference"].records
                complete = [at for at, there in seen if not missing(there, records)]
                if complete:
                    return answer.result(), complete[0]
                assert time.monotonic() - begun < 400, f"lost: {missing(seen[-1][1], records) if seen else seen}"
            time.sleep(1)


@pytest.mark.long
@pytest.mark.timeout(1500)
def test_a_province_a_hundred_times_as_fast_is_kept_up_with(tmp_path: Path) -> None:
    state = tmp_path / "state"
    base = stack_environment(state)
    settings = load(environ=base).settings
    options = DemoOptions(SCALE, 0.0, SPEED)
    extra = base | options.environment(settings, prepare_province(settings))
    with start_stack(state, SCALE, extra=extra) as stack:
        api = Client(stack.api_url, stack.key(), "en")
        time.sleep(WARM_UP_S)  # the history is read meanwhile; live events come from the first moment on
        before = emitted(stack)
        samples = sampled(stack, api, SECONDS)
        for unit in SIMULATORS:
            os.kill(units.pid_of(stack, unit), signal.SIGUSR1)
        wanted, behind_s = drained(api, lambda: ledgers(stack))
        figures = units_right(api, wanted)
        told = report(samples, before, wanted["reference"].records, behind_s)
        print(told)
    assert figures == []
    assert behind_s < BEHIND_S, told
    assert told["values_per_second"] > 0.8 * EXPECTED_PER_SECOND, told
    assert told["growth"] < GROWTH, told


EXPECTED_PER_SECOND = (PER_DAY["environment-stations"] * 5.5 + PER_DAY["portal"] + PER_DAY["online-mentions"]) * (
    SPEED / 86_400
)
"""Values of the three systems that send most; a file of a station has five to six."""


def units_right(api: Client, wanted: Mapping[str, Expected]) -> list[str]:
    """Figures that are not the ledgers', after some seconds for the last block."""
    wrong: list[str] = ["nothing was read"]
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with suppress(ClientError):
            wrong = look(api, wanted).wrong
            if not wrong:
                break
        time.sleep(1)
    return wrong


def report(
    samples: list[Sample], before: Mapping[str, int], after: Mapping[str, int], behind_s: float
) -> dict[str, Any]:
    """What was seen."""
    quarter = max(1, len(samples) // 4)
    first, last = (mean(one.resident for one in part) for part in (samples[:quarter], samples[-quarter:]))
    records = sum(after.values()) - sum(before.values())
    return {
        "seconds": round(samples[-1].at_s),
        "records": records,
        "values_per_second": round(records / samples[-1].at_s, 1),
        "behind_s": round(behind_s, 1),
        "most_waiting": max(one.waiting for one in samples),
        "resident_mib": [round(first / MIB), round(last / MIB), round(max(one.resident for one in samples) / MIB)],
        "growth": round(last / first, 3),
        "load": os.getloadavg()[0],
    }
