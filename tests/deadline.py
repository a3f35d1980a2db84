"""Waiting for something to become true, within a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

PAUSE_S = 0.02


async def eventually(holds: Callable[[], bool], within_s: float = 15) -> None:
    """Return as soon as `holds()`; fail after `within_s` seconds."""
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, f"not within {within_s} s"
        await asyncio.sleep(PAUSE_S)


def wait_until(holds: Callable[[], bool], within_s: float = 15) -> None:
    """As `eventually`, for tests without an event loop."""
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, f"not within {within_s} s"
        time.sleep(PAUSE_S)
