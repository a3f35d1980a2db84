"""The one who writes: decides on registrations and levels, one at a time, and puts them into the log."""

from __future__ import annotations

from collections.abc import Callable

from hub.registry import faults
from hub.registry.decisions import Answer, Decision, Decisions, Wanted
from hub.registry.leadership import Records, Turn
from hub.registry.locks import DecisionLocks
from hub.registry.log import LogAwayError, SchemaLog
from hub.registry.records import encode
from hub.registry.store import Store, Version

RECORD_LIMIT_BYTES = 1_000_000
"""Kafka takes records of 1 MiB by default, key and frame included."""


class Registrar:
    """Writes through `log` what it decides from `store`. Nothing is written for a refused request.

    Decides only while it holds the log's turn: NotLeaderError else, for the request to be forwarded. What shares
    neither subject nor schema is decided and written side by side.
    """

    def __init__(self, store: Store, decisions: Decisions, log: SchemaLog) -> None:
        self._store = store
        self._decisions = decisions
        self._log = log
        self._locks = DecisionLocks()
        self._last_id = 0

    async def register(self, subject: str, wanted: Wanted) -> Version:
        """The version that is this schema, made if there is none. Idempotent. Raises Fault, NotLeaderError."""
        known = self._decisions.known(subject, wanted)
        if known is not None:
            return known
        if wanted.id is not None:
            return await self.write(lambda: self._decisions.register(subject, wanted, self._new_id))
        async with self._locks.shared(("subject", subject), ("form", wanted.offer.form)):
            return await self._decide(lambda: self._decisions.register(subject, wanted, self._new_id))

    async def write(self, decide: Callable[[], Decision[Answer]]) -> Answer:
        """Decide, write the records, and answer, with nobody deciding meanwhile.

        Raises Fault, then nothing was decided, or NotLeaderError.
        """
        async with self._locks.alone():
            return await self._decide(decide)

    async def _decide(self, decide: Callable[[], Decision[Answer]]) -> Answer:
        turn = self._log.turn()
        decision = decide()
        if decision.records:
            await self._write(turn, [encode(record) for record in decision.records])
        return decision.answer

    def _new_id(self) -> int:
        # Beyond every id tried, not only every id seen: others are being written at this moment.
        self._last_id = max(self._last_id, self._store.last_id) + 1
        return self._last_id

    async def _write(self, turn: Turn, records: Records) -> None:
        if any(len(value or b"") > RECORD_LIMIT_BYTES for _, value in records):
            raise faults.plain(413, f"Content Too Large: a schema may have {RECORD_LIMIT_BYTES} bytes at most")
        try:
            await self._log.append(turn, records)
        except LogAwayError as error:
            raise faults.log_away(str(error)) from error
