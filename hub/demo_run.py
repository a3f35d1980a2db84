"""Running the demonstration: start, load the history, hold the figures against the ledgers, watch, stop."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from hub.client import Client, ClientError, client
from hub.config import Settings
from hub.demo import SIMULATORS, DemoError, DemoOptions, demo_root, demo_state, prepare_province
from hub.demo_figures import (
    REFERENCE,
    Expected,
    OracleError,
    all_arrived,
    arrived,
    connectors,
    differences,
    expected_all,
    missing,
    shown,
)
from hub.language import t
from hub.launch import LaunchError, Say, start_in_background, state_of, wait_until_ready
from hub.processes import rss_bytes
from hub.state_dir import StateDir

READY_TIMEOUT_S = 300.0
STOP_TIMEOUT_S = 90.0
POLL_S = 0.3
LOADING_POLL_S = 1.0
"""Counting what has arrived asks the ledger alone, not the figures."""
SETTLED_S = 30.0
"""Everything has arrived this long ago and a figure is still wrong: it will not become right."""

MIB = 1024 * 1024

Progress = Callable[[int, int | None], None]
"""Told how many records of how many (None: not counted yet) are in the warehouse."""


@contextlib.contextmanager
def running(settings: Settings, options: DemoOptions, flags: Mapping[str, str], say: Say) -> Iterator[None]:
    """The stack with its simulators, ready; everything is stopped on the way out.

    `launch.prepare` must have passed. Raises `LaunchError`.
    """
    try:
        province = prepare_province(settings)
    except DemoError as error:
        raise LaunchError(str(error)) from error
    for system, reason in province.absent.items():
        say(t(f"  {system}: không mô phỏng được: {reason}", f"  {system}: not simulated: {reason}"))
    environment = options.environment(settings, province)
    with _interrupted_by_sigterm():
        supervisor = start_in_background(settings, flags, environment, outlive=False)
        try:
            if not wait_until_ready(settings, supervisor, READY_TIMEOUT_S, say):
                logs = state_of(settings).root / "logs"
                raise LaunchError(
                    t(f"Chưa sẵn sàng sau {READY_TIMEOUT_S:.0f} giây; nhật ký: {logs}", f"Not ready; logs: {logs}")
                )
            yield
        finally:
            supervisor.terminate()
            try:
                supervisor.wait(timeout=STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                supervisor.kill()  # the kernel ends its children with it


@contextlib.contextmanager
def _interrupted_by_sigterm() -> Iterator[None]:
    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


class Oracle:
    """Asks the ledgers for some of `periods` in the background; `periods` is None until they have answered."""

    def __init__(self, settings: Settings, names: Sequence[str] = ("reference", "this_year")) -> None:
        self._settings = settings
        self._names = names
        self.periods: dict[str, Expected] | None = None
        self.error: OracleError | None = None
        self._thread = threading.Thread(target=self._ask, name="oracle", daemon=True)
        self._thread.start()

    def _ask(self) -> None:
        root, state = demo_root(), demo_state(self._settings)
        try:
            known = periods(self._settings)
            self.periods = expected_all(root, state, {name: known[name] for name in self._names})
        except OracleError as error:
            self.error = error


def periods(settings: Settings) -> dict[str, tuple[date, date]]:
    """The reference period, and this year so far where the province is."""
    today = datetime.now(ZoneInfo(settings.timezone)).date()
    return {"reference": REFERENCE, "this_year": (date(today.year, 1, 1), today)}


@dataclass(slots=True)
class Memory:
    """Resident memory of the stack's processes, by unit: the last reading and the most seen of each."""

    state: StateDir
    last: dict[str, int] = field(default_factory=dict)
    peak: dict[str, int] = field(default_factory=dict)
    peak_total: int = 0

    def sample(self) -> None:
        """Read it now."""
        snapshot = self.state.read_snapshot()
        pids = {name: unit["pid"] for name, unit in snapshot.get("units", {}).items()}
        pids["supervisor"] = snapshot.get("pid")
        self.last = {name: size for name, pid in pids.items() if pid and (size := rss_bytes(pid)) is not None}
        for name, size in self.last.items():
            self.peak[name] = max(size, self.peak.get(name, 0))
        self.peak_total = max(self.peak_total, product_total(self.last))

    def report(self) -> dict[str, Any]:
        """MiB; totals leave the simulators out."""
        return {
            "now": _mib(self.last) | {"total": round(product_total(self.last) / MIB)},
            "peak": _mib(self.peak) | {"total": round(self.peak_total / MIB)},
        }


def product_total(sizes: Mapping[str, int]) -> int:
    """Sum over the product's own processes."""
    return sum(size for name, size in sizes.items() if name not in SIMULATORS)


def _mib(sizes: Mapping[str, int]) -> dict[str, int]:
    return {name: round(size / MIB) for name, size in sorted(sizes.items())}


@dataclass(frozen=True, slots=True)
class Figures:
    """What the product shows now, by period, and what of it is not as the ledgers say."""

    shown: dict[str, dict[str, dict[str, Any]]]
    quarantined: dict[str, int]
    arrived: int
    wrong: list[str]


def look(api: Client, wanted: Mapping[str, Expected]) -> Figures:
    """Read all figures and compare them; raises `ClientError`."""
    found = {name: shown(api, period.start, period.end) for name, period in wanted.items()}
    rows = connectors(api)
    quarantined = {row["connector"]: row["quarantined"] or 0 for row in rows}
    reference = next(iter(wanted.values()))
    wrong = [f"{name}: {line}" for name, period in wanted.items() for line in differences(period.kpis, found[name])]
    wrong += [
        f"quarantine of {system}: {quarantined.get(system)} where the ledger says {count}"
        for system, count in reference.bad.items()
        if quarantined.get(system) != count
    ]
    return Figures(found, quarantined, sum(arrived(rows).values()), wrong)


def load(
    settings: Settings, oracle: Oracle, memory: Memory, deadline: float, progress: Progress
) -> tuple[Figures | None, bool]:
    """Wait until the figures are right: (the last figures seen, whether all records had arrived for long enough).

    Blocks until right, settled or the deadline (monotonic, s). Raises `LaunchError` if the ledgers cannot be read.
    """
    api = client(settings)
    figures: Figures | None = None
    complete_since: float | None = None
    unseen: list[str] = []
    while time.monotonic() < deadline:
        memory.sample()
        if oracle.error is not None:
            raise LaunchError(t("Không đọc được sổ của nguồn:", "The ledgers cannot be read:") + f" {oracle.error}")
        with contextlib.suppress(ClientError):
            there, wanted = arrived(connectors(api)), _records(oracle.periods)
            total = None if wanted is None else sum(wanted.values())
            done = sum(there.values())
            progress(done if total is None else min(done, total), total)
            unseen = missing(there, wanted or {})
            complete_since = _since(complete_since, wanted is not None and all_arrived(there, wanted))
            # The whole comparison costs as much as some thousand records: not while they still come.
            if oracle.periods is not None and complete_since is not None:
                figures = look(api, oracle.periods)
                if not figures.wrong:
                    return figures, True
        if complete_since is not None and time.monotonic() - complete_since > SETTLED_S:
            return figures, True
        time.sleep(POLL_S if complete_since is not None else LOADING_POLL_S)
    return figures or Figures({}, {}, 0, unseen or ["the figures could not be read"]), False


def _records(wanted: Mapping[str, Expected] | None) -> Mapping[str, int] | None:
    return None if wanted is None else next(iter(wanted.values())).records


def _since(before: float | None, holds: bool) -> float | None:
    if not holds:
        return None
    return before if before is not None else time.monotonic()
