"""The one who writes: decides on registrations and levels, one at a time, and puts them into the log."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from hub.registry import faults
from hub.registry.decisions import Answer, Decision, Decisions, Wanted
from hub.registry.log import LogAwayError, SchemaLog
from hub.registry.records import encode
from hub.registry.store import Store, Version

CATCH_UP_TIMEOUT_S = 10.0


class Registrar:
    """Writes through `log` what it decides from `store`. Nothing is written for a refused request.

    One lock serves one process. With several, a write would first have to hold the epoch of the log.
    """

    def __init__(self, store: Store, decisions: Decisions, log: SchemaLog) -> None:
        self._store = store
        self._decisions = decisions
        self._log = log
        self._turn = asyncio.Lock()
        self._last_id = 0
        self._in_doubt = False

    async def register(self, subject: str, wanted: Wanted) -> Version:
        """The version that is this schema, made if there is none. Idempotent. Raises Fault."""
        known = self._decisions.known(subject, wanted)
        if known is not None:
            return known
        return await self.write(lambda: self._decisions.register(subject, wanted, self._new_id))

    async def write(self, decide: Callable[[], Decision[Answer]]) -> Answer:
        """Decide on the settled state, write the records, and answer. Raises Fault; then nothing was decided."""
        async with self._turn:
            await self._settle()
            decision = decide()
            for record in decision.records:
                await self._append(*encode(record))
        return decision.answer

    def _new_id(self) -> int:
        # Beyond every id tried, not only every id seen: a write in doubt may still come to light.
        self._last_id = max(self._last_id, self._store.last_id) + 1
        return self._last_id

    async def _settle(self) -> None:
        if not self._in_doubt:
            return
        try:
            await self._log.catch_up(CATCH_UP_TIMEOUT_S)
        except LogAwayError as error:
            raise faults.log_away(str(error)) from error
        self._in_doubt = False

    async def _append(self, key: str, value: bytes | None) -> None:
        try:
            await self._log.append(key, value)
        except LogAwayError as error:
            self._in_doubt = True
            raise faults.log_away(str(error)) from error
        except asyncio.CancelledError:
            self._in_doubt = True
            raise
