"""The one place of this package where the wall clock is read."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY_MS = 86_400_000
Clock = Callable[[], datetime]
"""Gives the present, tz-aware UTC."""


def utc_now() -> datetime:
    return datetime.now(UTC)


def epoch_ms(moment: datetime) -> int:
    """Whole milliseconds since 1970, UTC."""
    return (moment - EPOCH) // timedelta(milliseconds=1)


def now_ms() -> int:
    """The present in milliseconds since 1970, UTC."""
    return time.time_ns() // 1_000_000


@lru_cache(maxsize=64)
def _day(number: int) -> str:
    return (EPOCH + timedelta(days=number)).date().isoformat()


def day_of(ms: int) -> str:
    """The day, UTC, of a moment in milliseconds since 1970."""
    return _day(ms // DAY_MS)


def monotonic_s() -> float:
    """Seconds that go on while the process is frozen, read anew at each call; an event loop's own time may be old."""
    return time.monotonic()
