"""Faust's tables, of which there are none: states live in the warehouse."""

from __future__ import annotations

from faust.tables import TableManager


class NoTables(TableManager):
    """Faust waits a second for tables to register themselves before it joins the group; nobody will."""

    async def on_start(self) -> None:
        await self._update_channels()
        await self.recovery.start()
