"""Doing harm to a running stack's processes, and waiting until it has mended itself."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from streams.errors import WarehouseError
from tests import books
from tests.books import Books, in_warehouse
from tests.stack import RunningStack

POLL_S = 0.05
RECOVERY_S = 60.0
"""A unit that died several times in a row is started again after 15 s at most, and takes some seconds itself."""

SIMULATORS = ("portal", "feedback-1022")


def until(holds: Callable[[], bool], what: str, within_s: float = RECOVERY_S) -> float:
    """Return as soon as `holds()`, with the seconds it took; fail with `what` after `within_s`."""
    begun = time.monotonic()
    while not holds():
        assert time.monotonic() - begun < within_s, f"not within {within_s:g} s: {what}"
        time.sleep(POLL_S)
    return time.monotonic() - begun


def snapshot(stack: RunningStack) -> dict[str, Any]:
    """The supervisor's view: unit → phase, pid, deaths."""
    units: dict[str, Any] = stack.json_file("run/stack.json")["units"]
    return units


def pid_of(stack: RunningStack, unit: str) -> int:
    """The process of a running unit."""
    pid = snapshot(stack)[unit]["pid"]
    assert pid, f"{unit} does not run"
    return int(pid)


def kill(stack: RunningStack, *units: str) -> None:
    """`kill -9` of all of them at once; returns when the supervisor has running, ready successors."""
    pids = {unit: pid_of(stack, unit) for unit in units}
    for pid in pids.values():
        os.kill(pid, signal.SIGKILL)

    def succeeded() -> bool:
        now = snapshot(stack)
        return all(now[unit]["phase"] == "ready" and now[unit]["pid"] not in (None, pids[unit]) for unit in units)

    until(succeeded, f"{', '.join(units)} started again and ready")


@contextlib.contextmanager
def frozen(stack: RunningStack, unit: str) -> Iterator[None]:
    """The unit stands still – neither working nor gone – within the block."""
    pid = pid_of(stack, unit)
    os.kill(pid, signal.SIGSTOP)
    until(lambda: _stopped(pid), f"every thread of {unit} stopped")
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def _stopped(pid: int) -> bool:
    """Whether no thread of the process runs any more: one that was on a processor goes on for a moment."""
    try:
        states = [(task / "stat").read_text() for task in Path(f"/proc/{pid}/task").iterdir()]
    except FileNotFoundError:  # a thread ended while they were listed
        return False
    return all(state.rpartition(")")[2].split()[0] in "tT" for state in states)


def pause_emitting(stack: RunningStack) -> None:
    """The simulated systems change nothing any more; what they have emitted they still deliver."""
    for unit in SIMULATORS:
        os.kill(pid_of(stack, unit), signal.SIGUSR1)


def resume_emitting(stack: RunningStack) -> None:
    for unit in SIMULATORS:
        os.kill(pid_of(stack, unit), signal.SIGUSR2)


def rows_written(books: Books) -> int:
    """Records that have their row by now; 0 while the warehouse does not answer."""
    try:
        return sum(rows for _, rows in in_warehouse(books).values())
    except WarehouseError:
        return 0


def wait_for_more(books: Books, count: int) -> None:
    """Until so many more records have been written than now: the stack is at work."""
    until(lambda: rows_written(books) > 0, "the warehouse answers")
    begun = rows_written(books)
    until(lambda: rows_written(books) >= begun + count, f"{count} more records written than {begun}")


async def settle_and_check(opened: Books) -> None:
    pause_emitting(opened.stack)
    books.wait_until_settled(opened)
    await books.check_all(opened)


def deaths(opened: Books) -> dict[str, int]:
    return {unit: state["deaths"] for unit, state in snapshot(opened.stack).items()}


async def kill_in_rounds(opened: Books, rounds: Sequence[Sequence[str]]) -> None:
    before = deaths(opened)
    for together in rounds:
        kill(opened.stack, *together)
        wait_for_more(opened, 1)
    await settle_and_check(opened)
    died = {unit: count - before[unit] for unit, count in deaths(opened).items()}
    assert died == {unit: sum(unit in together for together in rounds) for unit in before}
