"""The beat of the live events: so many a second, with a pause."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

SHORTEST_SLEEP_S = 0.01
"""Faster rates emit several events at one beat."""
LONGEST_DEBT = 1_000
"""Events made up for after a stall; the rest is forgone."""


class Pulse:
    """Calls `emit` `rate` times a second, the first time at once; rate 0 never does."""

    def __init__(self, rate: float, emit: Callable[[], None]) -> None:
        self._rate = rate
        self._emit = emit
        self._running = asyncio.Event()
        self._running.set()

    def pause(self) -> None:
        self._running.clear()

    def resume(self) -> None:
        self._running.set()

    async def run(self) -> None:
        """Never returns; cancel it."""
        if self._rate <= 0:
            await asyncio.Event().wait()
        loop = asyncio.get_running_loop()
        interval = 1 / self._rate
        following = loop.time()
        while True:
            await self._running.wait()
            following = max(following, loop.time() - LONGEST_DEBT * interval)
            while following <= loop.time() and self._running.is_set():
                self._emit()
                following += interval
            await asyncio.sleep(max(SHORTEST_SLEEP_S, following - loop.time()))
