"""The one who writes: decides on registrations and levels, one at a time, and puts them into the log."""

from __future__ import annotations

import asyncio

from hub.registry import faults
from hub.registry.log import LogAwayError, SchemaLog
from hub.registry.offer import Offer, offer
from hub.registry.records import LevelSet, SchemaRecord, encode_level, encode_schema
from hub.registry.store import Store, Version
from schemas.avro_tree import Node
from schemas.compatibility import Incompatibility, Level, check

CATCH_UP_TIMEOUT_S = 10.0


class Registrar:
    """Writes through `log` what it decides from `store`. Nothing is written for a refused request.

    One lock serves one process. With several, a write would first have to hold the epoch of the log.
    """

    def __init__(self, store: Store, log: SchemaLog) -> None:
        self._store = store
        self._log = log
        self._turn = asyncio.Lock()
        self._last_id = 0
        self._in_doubt = False

    async def register(self, subject: str, offered: Offer) -> Version:
        """The version that is this schema, made if there is none. Idempotent. Raises Fault."""
        known = self._store.find(subject, offered.form)
        if known is not None:
            return known
        async with self._turn:
            await self._settle()
            known = self._store.find(subject, offered.form)
            if known is not None:
                return known
            level = self._store.effective_level(subject)
            found = check(level, offered.node, self.live_nodes(subject))
            if found:
                raise faults.incompatible(subject, found, level)
            schema_id = self._store.id_of(offered.form) or self._new_id()
            number = self._store.next_number(subject)
            await self._append(*encode_schema(SchemaRecord(subject, number, schema_id, offered.text, deleted=False)))
        return Version(subject, number, schema_id, deleted=False)

    async def set_level(self, subject: str | None, level: Level | None) -> None:
        """Set the level of a subject, or of all (None); level None takes it back. Raises Fault."""
        async with self._turn:
            await self._settle()
            await self._append(*encode_level(LevelSet(subject, level)))

    def against(self, subject: str, offered: Offer, version: Version | None) -> list[Incompatibility]:
        """What stands against the schema: under the subject's level, or against one version of it."""
        level = self._store.effective_level(subject)
        nodes = self.live_nodes(subject) if version is None else [self._node(version)]
        return check(level, offered.node, nodes)

    def live_nodes(self, subject: str) -> list[Node]:
        """The subject's live versions, parsed, the oldest first."""
        return [self._node(version) for version in self._store.versions(subject)]

    def _node(self, version: Version) -> Node:
        text = self._store.text(version.id)
        if text is None:
            raise KeyError(version.id)
        return offer(text).node

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
