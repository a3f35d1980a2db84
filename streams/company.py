"""Those that got one place together: they meet once, and the last that comes acts for all."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypeVar

from streams.errors import OwnershipLostError

M = TypeVar("M")
T = TypeVar("T")


class Company(Generic[M]):
    """Its members; one that leaves before they have met is not waited for. On one event loop."""

    def __init__(self, members: Sequence[M]) -> None:
        self.present: dict[M, None] = dict.fromkeys(members)
        self._met = False
        self._acted = False
        self._came: dict[M, Any] = {}
        self._waits: dict[M, asyncio.Future[None]] = {}

    async def together(self, member: M, brings: T, act: Callable[[Sequence[T]], Awaitable[bool]]) -> bool:
        """Wait until all that are here have come, and `act` once with what they brought: whether it did it for all.
        What it raises is raised to each. False too for one that has left, or comes again: it is on its own."""
        if self._met or member not in self.present:
            return False
        self._came[member] = brings
        if len(self._came) < len(self.present):
            turn = self._waits[member] = asyncio.get_running_loop().create_future()
            try:
                await turn
            finally:
                self._waits.pop(member, None)
            if member not in self._came:
                return self._acted
        await self._act(act)
        return self._acted

    async def _act(self, act: Callable[[Sequence[T]], Awaitable[bool]]) -> None:
        brought, waiting = list(self._came.values()), list(self._waits.values())
        self._came.clear()
        self._met = True
        error: Exception | None = OwnershipLostError("given up by the one that acted for all")
        try:
            self._acted = await act(brought)
            error = None
        except Exception as raised:
            error = raised
            raise
        finally:
            for turn in waiting:
                if not turn.done() and error is not None:
                    turn.set_exception(error)
                elif not turn.done():
                    turn.set_result(None)

    def leave(self, member: M) -> None:
        """Go on alone, or not at all."""
        if member not in self.present:
            return
        del self.present[member]
        self._came.pop(member, None)
        waiting = [turn for turn in self._waits.values() if not turn.done()]
        if not self._met and waiting and len(self._came) == len(self.present):
            waiting[-1].set_result(None)
