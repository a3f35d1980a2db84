"""How long stream workers' writes into the warehouse take, by what they report. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

import orjson

REPORTS_TOPIC = "ioc.stream.status"
REPORT_EVERY_S = 5.0
FRESH = timedelta(seconds=30)
"""An older report is of a worker that is gone."""
SLOW_S = 4.0
"""A block is written in some 30 ms to some 100, on a machine that is twenty times too busy in three seconds; one that
takes longer holds up every topic of the worker."""
ROW_S = 0.001
"""What each row may add: the blocks of a first load hold thousands, and beside each other they take long without
anything being wrong. Alone they are written at a hundred times this speed."""


@dataclass(frozen=True, slots=True)
class WriteReport:
    """One worker's writes of the last half minute: `writes` ended, `seconds` together, `rows` in them; `failed`
    attempts. `at`: epoch milliseconds."""

    worker: str
    at: int
    writes: int
    seconds: float
    failed: int
    rows: int = 0

    def to_json(self) -> bytes:
        return orjson.dumps(asdict(self))

    @classmethod
    def from_json(cls, value: bytes) -> WriteReport:
        """Raises ValueError, TypeError or KeyError for what is no report."""
        raw = orjson.loads(value)
        counts = int(raw.get("failed", 0)), int(raw.get("rows", 0))
        return cls(str(raw["worker"]), int(raw["at"]), int(raw["writes"]), float(raw["seconds"]), *counts)

    @property
    def slow(self) -> bool:
        """Whether the writes took longer than so many of so many rows may."""
        return self.seconds > self.writes * SLOW_S + self.rows * ROW_S


def slow(reports: Iterable[WriteReport], now: datetime) -> bool:
    """Whether a worker that lives writes slowly, or cannot write at all."""
    fresh = [one for one in reports if now - datetime.fromtimestamp(one.at / 1000, UTC) <= FRESH]
    return any(one.slow or (one.failed > 0 and one.writes == 0) for one in fresh)


@dataclass(frozen=True, slots=True)
class Totals:
    """A worker's counts since its start."""

    writes: int = 0
    seconds: float = 0.0
    failed: int = 0
    rows: int = 0


def report(worker: str, at_ms: int, before: Totals, after: Totals) -> WriteReport:
    """What happened between two counts; a count that fell began anew."""
    anew = after.writes < before.writes or after.failed < before.failed
    base = Totals() if anew else before
    return WriteReport(
        worker,
        at_ms,
        after.writes - base.writes,
        after.seconds - base.seconds,
        after.failed - base.failed,
        after.rows - base.rows,
    )
