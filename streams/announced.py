"""The announcement of the batch in hand: committed before anything else is done, and again for as long as it takes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping

from streams.errors import OwnershipLostError
from streams.intent import Commit
from streams.partition_seams import Owner

RECOMMIT_S = 5.0
"""An unchanged position is committed again, so that a worker that stands still can be told from one that is gone."""


class Announced:
    """The newest intent of one partition. Commits follow one another: none is under way when the next one is made."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._intent: Commit | None = None
        self._committing = asyncio.Lock()

    async def make(self, intent: Commit) -> None:
        """Commit it; raises `OwnershipLostError`."""
        self._owner.check()
        async with self._committing:
            self._intent = intent
            await self._owner.commit(intent)

    @contextlib.asynccontextmanager
    async def standing(self) -> AsyncIterator[None]:
        """While a batch is in hand: what it was announced by is committed again every `RECOMMIT_S`. Identical, under
        the same generation: it changes nothing but that others see somebody at work."""
        again = asyncio.create_task(self._again(), name="batch announced again")
        try:
            yield
            await self._committing.acquire()  # a commit under way must not come after the next one
            self._committing.release()
        finally:
            again.cancel()

    async def _again(self) -> None:
        with contextlib.suppress(OwnershipLostError):  # the batch itself finds that out before its next step
            while True:
                await asyncio.sleep(RECOMMIT_S)
                if self._intent is not None:
                    await self.make(self._intent)


async def make_all(intents: Mapping[int, tuple[Announced, Commit]]) -> None:
    """Announce batches of several partitions of this worker in one commit; raises `OwnershipLostError`."""
    by_partition = sorted(intents.items())
    owner = by_partition[0][1][0]._owner
    owner.check()
    async with contextlib.AsyncExitStack() as stack:
        for _, (announced, _) in by_partition:
            await stack.enter_async_context(announced._committing)
        for _, (announced, intent) in by_partition:
            announced._intent = intent
        await owner.commit_together({partition: intent for partition, (_, intent) in by_partition})
