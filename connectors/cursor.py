"""Positions at the sources, in the compacted topic `ioc.connect.positions`: claimed, stored, set by a person."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

import structlog

from connectors.clock import now_ms
from connectors.ownership import Owner, Ownership, Position, claim_json, owner_key
from connectors.source import Cursor

POSITIONS_TOPIC = "ioc.connect.positions"

log = structlog.get_logger("ioc.connectors")


class Followed(Protocol):
    """A compacted topic that tells of each record (see `connectors/compacted.py`)."""

    def on_change(self, callback: Callable[[str, bytes | None], None]) -> None: ...

    async def put_all(self, records: Iterable[tuple[str, bytes | None]]) -> None: ...


class Positions:
    """Make it before the topic is started. `worker` names this process in claims, unlike any before it."""

    def __init__(self, topic: Followed, worker: str) -> None:
        self._topic = topic
        self._worker = worker
        self._known = Ownership()
        self._epochs: dict[int, int] = {}
        self._overwritten: set[str] = set()
        topic.on_change(self._changed)

    def get(self, connector: str) -> Position | None:
        """The position that counts, None for a source never read."""
        return self._known.position(connector)

    def owns(self, shard: int) -> bool:
        """Whether nobody has claimed the shard after this worker."""
        owner = self._known.owner(shard)
        return owner is not None and owner.worker == self._worker and self._epochs.get(shard) == owner.epoch

    async def claim(self, shards: Iterable[int]) -> None:
        """Take shards over: from now on their earlier owners' positions are ignored. `owns` tells the outcome."""
        claims = []
        for shard in sorted(shards):
            self._epochs[shard] = self._known.next_epoch()
            claims.append((owner_key(shard), claim_json(Owner(self._epochs[shard], self._worker), now_ms())))
        if claims:
            await self._topic.put_all(claims)

    async def put(self, connector: str, shard: int, cursor: Cursor, line: int) -> bool:
        """Store a position; only after everything before it is acknowledged. `line`: of the position it follows.

        False if it does not count: the shard has another owner, or a person has set the position meanwhile.
        """
        position = Position(dict(cursor), now_ms(), self._epochs.get(shard, 0), line, shard)
        await self._topic.put_all([(connector, position.to_json())])
        return self._known.position(connector) == position

    async def set(self, connector: str, shard: int, cursor: Cursor | None) -> None:
        """A person's word: read from here (None: from the beginning), whatever is under way."""
        before = self._known.position(connector)
        line = (before.line if before else 0) + 1
        position = Position(None if cursor is None else dict(cursor), now_ms(), 0, line, shard)
        await self._topic.put_all([(connector, position.to_json())])

    async def repair(self) -> None:
        """Write again what a stale owner wrote over in the log, or a reader after compaction would miss it."""
        overwritten, self._overwritten = self._overwritten, set()
        records = []
        for connector in sorted(overwritten):
            position = self._known.position(connector)
            if position is not None and self.owns(position.shard):
                records.append((connector, position.to_json()))
        if records:
            await self._topic.put_all(records)

    def _changed(self, key: str, value: bytes | None) -> None:
        if not self._known.apply(key, value) and self._known.position(key) is not None:
            log.warning("stale_position_ignored", connector=key)
            self._overwritten.add(key)
