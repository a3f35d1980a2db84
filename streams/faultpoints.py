"""Named places at which a process can be made to die, so that tests kill it exactly there.

`IOC_FAULT_POINT=name[:passage[:delay_ms]]` arms one: at that passage of the place (default: the first) the process
sends itself SIGKILL, or so many milliseconds later. `IOC_FAULT_POINT=batch_stands:FILE` kills nothing: while there is
such a file, batches do not go on, and the worker lives. Not set, as in production, a place costs one comparison.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import structlog

log = structlog.get_logger()

VARIABLE = "IOC_FAULT_POINT"

WORKER_POINTS = {
    "after_intent": "the batch's bounds are committed, nothing else is done",
    "after_decode": "the records are decoded, no state is looked up yet",
    "before_insert": "the block is computed and not sent",
    "insert_in_worker": "half of the block's request is sent",
    "insert_unanswered": "the whole request is being sent or answered: use with a delay",
    "after_insert": "the warehouse has answered, nothing is remembered yet",
    "before_next_commit": "the batch is done and not confirmed",
    "after_commit": "the batch is confirmed and no other announced",
    "rebalance_revoked": "partitions were taken away",
    "rebalance_assigned": "partitions were given, nothing is recovered yet",
    "recovery_after_fence": "the fence is up, the commit is not read",
    "recovery_after_commit_read": "the commit is read, nothing is redone",
    "recovery_before_redo": "the redo's block is ready and not sent",
    "recovery_after_redo": "the redo is written, the position is not committed",
}
WAREHOUSE_POINTS = {
    "warehouse_body_received": "a block has arrived, the engine has not seen it",
    "warehouse_inserting": "the engine begins a block: use with a delay, to die between a table and its views",
    "warehouse_inserted": "a block is written with all its views, the answer is not sent",
}
POINTS = WORKER_POINTS | WAREHOUSE_POINTS
STANDS = "batch_stands"
LOOK_S = 0.2
"""How often a batch that stands looks whether it may go on."""


class FaultPointError(ValueError):
    """The variable's value cannot be used; the message lists what can."""


@dataclass(slots=True)
class FaultPoint:
    """An armed place. `passage` counts from 1; `file`: of `batch_stands`."""

    text: str
    name: str
    passage: int = 1
    delay_ms: float = 0.0
    file: Path | None = None
    _passed: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def passed(self) -> bool:
        """Count a passage; whether it is the one to die at."""
        with self._lock:
            self._passed += 1
            return self._passed == self.passage


def parse(text: str) -> FaultPoint:
    """Read `name[:passage[:delay_ms]]` or `batch_stands:FILE`; raises `FaultPointError`."""
    name, *numbers = text.split(":")
    if name == STANDS and numbers and numbers[0]:
        return FaultPoint(text, name, file=Path(text.removeprefix(f"{STANDS}:")))
    if name not in POINTS:
        told = POINTS | {f"{STANDS}:FILE": "batches stand while there is such a file, and the worker lives"}
        places = "\n".join(f"  {point}: {what}" for point, what in told.items())
        raise FaultPointError(f"{VARIABLE}={text}: there is no fault point {name!r}; unset it, or use one of\n{places}")
    try:
        passage = int(numbers[0]) if numbers else 1
        delay_ms = float(numbers[1]) if len(numbers) > 1 else 0.0
    except ValueError as error:
        raise FaultPointError(f"{VARIABLE}={text}: it must be name[:passage[:delay_ms]], with numbers") from error
    if len(numbers) > 2 or passage < 1 or delay_ms < 0:
        raise FaultPointError(f"{VARIABLE}={text}: it must be name[:passage[:delay_ms]], from passage 1 and delay 0 on")
    return FaultPoint(text, name, passage, delay_ms)


_armed: FaultPoint | None = None


def arm(variables: Mapping[str, str] | None = None) -> None:
    """Arm what the environment asks for, loudly; raises `FaultPointError` for what there is not. Call at start; a
    second call changes nothing."""
    global _armed
    text = (os.environ if variables is None else variables).get(VARIABLE, "")
    if _armed is not None and text == _armed.text:
        return
    _armed = parse(text) if text else None
    if _armed is not None:
        log.warning(
            "fault_point_armed",
            point=_armed.name,
            passage=_armed.passage,
            delay_ms=_armed.delay_ms,
            then="this process kills itself there, or stands still; never in production",
        )


def reach(name: str) -> None:
    """Pass the place `name`: the process dies if it is armed and this is the passage."""
    if _armed is None or _armed.name != name or not _armed.passed():
        return
    if _armed.delay_ms:
        threading.Thread(target=_die_later, args=(_armed.delay_ms / 1000,), daemon=True).start()
    else:
        _die()


async def stand() -> None:
    """Not go on while `batch_stands` is armed and its file is there; the rest of the process does."""
    file = _armed.file if _armed is not None else None
    while file is not None and file.exists():  # noqa: ASYNC110 - a file tells nobody that it is gone
        await asyncio.sleep(LOOK_S)


def half_sent(block: bytes) -> memoryview | Iterator[bytes]:
    """The body of an insert: as it is, or in two parts with the place `insert_in_worker` between them."""
    # No `bytes`: the client would copy them behind the statement, and a block has some 15 MB.
    return memoryview(block) if _armed is None or _armed.name != "insert_in_worker" else _halves(block)


def _halves(block: bytes) -> Iterator[bytes]:
    middle = len(block) // 2
    yield block[:middle]
    # Here the first part is with the kernel: it goes out whatever becomes of this process.
    reach("insert_in_worker")
    yield block[middle:]


def _die_later(delay_s: float) -> None:
    time.sleep(delay_s)
    _die()


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
