"""Positions at the sources, in the compacted topic `ioc.connect.positions`."""

from __future__ import annotations

import orjson

from connectors.clock import now_ms
from connectors.source import Cursor
from connectors.status import Table

POSITIONS_TOPIC = "ioc.connect.positions"


class Positions:
    """Key: connector id; value: `{"cursor": …, "at": epoch ms}`."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def get(self, connector: str) -> Cursor | None:
        """The last stored position, None for a source never read."""
        value = self._table.get(connector)
        if value is None:
            return None
        cursor: Cursor = orjson.loads(value)["cursor"]
        return cursor

    async def put(self, connector: str, cursor: Cursor) -> None:
        """Store a position; only after everything before it is acknowledged. Returns when all replicas have it."""
        await self._table.put(connector, orjson.dumps({"cursor": cursor, "at": now_ms()}))
