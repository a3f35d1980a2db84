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
SLOW_S = 3.0
"""A block is written in some 30 ms to some 100; one that takes seconds holds up every topic of the worker."""


@dataclass(frozen=True, slots=True)
class WriteReport:
    """One worker's writes of the last half minute: `writes` ended, `seconds` together; `failed` attempts. `at`: epoch
    milliseconds."""

    worker: str
    at: int
    writes: int
    seconds: float
    failed: int

    def to_json(self) -> bytes:
        return orjson.dumps(asdict(self))

    @classmethod
    def from_json(cls, value: bytes) -> WriteReport:
        """Raises ValueError, TypeError or KeyError for what is no report."""
        raw = orjson.loads(value)
        return cls(
            str(raw["worker"]), int(raw["at"]), int(raw["writes"]), float(raw["seconds"]), int(raw.get("failed", 0))
        )

    @property
    def mean_s(self) -> float | None:
        return self.seconds / self.writes if self.writes else None


def slow(reports: Iterable[WriteReport], now: datetime) -> bool:
    """Whether a worker that lives writes slowly, or cannot write at all."""
    fresh = [one for one in reports if now - datetime.fromtimestamp(one.at / 1000, UTC) <= FRESH]
    return any((one.mean_s or 0.0) > SLOW_S or (one.failed > 0 and one.writes == 0) for one in fresh)


@dataclass(frozen=True, slots=True)
class Totals:
    """A worker's counts since its start."""

    writes: int = 0
    seconds: float = 0.0
    failed: int = 0


def report(worker: str, at_ms: int, before: Totals, after: Totals) -> WriteReport:
    """What happened between two counts; a count that fell began anew."""
    anew = after.writes < before.writes or after.failed < before.failed
    base = Totals() if anew else before
    return WriteReport(
        worker, at_ms, after.writes - base.writes, after.seconds - base.seconds, after.failed - base.failed
    )
