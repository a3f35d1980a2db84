"""Which decisions may be made at the same time: those that share no key; what concerns all is made alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Hashable
from contextlib import AsyncExitStack, asynccontextmanager
from weakref import WeakValueDictionary


class DecisionLocks:
    """For one event loop. Waiting in turn: who is to be alone is not starved by those who are not."""

    def __init__(self) -> None:
        self._keys: WeakValueDictionary[Hashable, asyncio.Lock] = WeakValueDictionary()
        self._door = asyncio.Lock()
        self._inside = 0
        self._empty = asyncio.Event()
        self._empty.set()

    @asynccontextmanager
    async def shared(self, *keys: Hashable) -> AsyncIterator[None]:
        """Beside all who hold none of these keys. The order of the keys must be the same for all."""
        async with self._door:
            self._inside += 1
            self._empty.clear()
        try:
            async with AsyncExitStack() as held:
                for key in keys:
                    await held.enter_async_context(self._lock(key))
                yield
        finally:
            self._inside -= 1
            if self._inside == 0:
                self._empty.set()

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Beside nobody."""
        async with self._door:
            await self._empty.wait()
            yield

    def _lock(self, key: Hashable) -> asyncio.Lock:
        lock = self._keys.get(key)
        if lock is None:
            self._keys[key] = lock = asyncio.Lock()
        return lock
