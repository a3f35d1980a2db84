"""The code tables as they are declared now: those of the tree, and what people have applied since, by Kafka.

The compacted topic `ioc.codes` holds one record per table, `{version, text, by, at}`: its whole CSV, who applied it and
when (epoch ms). Whoever follows it sees a new version a moment later, without a restart.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import orjson
import structlog

from connectors.compacted import CompactedTopic
from connectors.errors import ConnectorError
from schemas.codes_table import CodeTable, as_csv, read_table
from schemas.errors import ContractError

CODES_TOPIC = "ioc.codes"
RETRY_S = 1.0
log = structlog.get_logger("ioc.connectors")

OnTable = Callable[[CodeTable], None]


class LiveCodes(Mapping[str, CodeTable]):
    """By name. Until the topic is started those of the tree; callbacks hear of each table that is applied."""

    def __init__(self, topic: CompactedTopic, seeds: Mapping[str, CodeTable]) -> None:
        self.topic = topic
        self._seeds = seeds
        self._applied: dict[str, tuple[CodeTable, dict[str, Any]]] = {}
        self._callbacks: list[OnTable] = []
        topic.on_change(self._changed)

    def __getitem__(self, name: str) -> CodeTable:
        applied = self._applied.get(name)
        return applied[0] if applied is not None else self._seeds[name]

    def __iter__(self) -> Iterator[str]:
        return iter(sorted({*self._seeds, *self._applied}))

    def __len__(self) -> int:
        return len({*self._seeds, *self._applied})

    def on_table(self, callback: OnTable) -> None:
        """Call it with each table that is applied, also with those that the topic holds already. It must not raise."""
        self._callbacks.append(callback)

    def applied(self, name: str) -> dict[str, Any]:
        """Version, who and when of a table; empty for one of the tree."""
        found = self._applied.get(name)
        return dict(found[1]) if found is not None else {}

    async def follow(self) -> None:
        """Follow the topic until cancelled; Kafka's absence is waited out."""
        try:
            while True:
                try:
                    await self.topic.start()
                    break
                except ConnectorError as error:
                    log.info("codes_wait", cause=str(error))
                    await asyncio.sleep(RETRY_S)
            await asyncio.Event().wait()
        finally:
            await self.topic.stop()

    async def apply(self, table: CodeTable, by: str, at: int) -> int:
        """Let a table take effect everywhere; its version. WriteUncertainError if Kafka did not confirm it."""
        version = int(self.applied(table.name).get("version", 0)) + 1
        record = {"version": version, "text": as_csv(table), "by": by, "at": at}
        await self.topic.put(table.name, orjson.dumps(record))
        return version

    async def withdraw(self, name: str) -> None:
        """Back to the table of the tree."""
        await self.topic.put(name, None)

    def _changed(self, key: str, value: bytes | None) -> None:
        if value is None:
            self._applied.pop(key, None)
        else:
            try:
                record = orjson.loads(value)
                self._applied[key] = read_table(key, record.pop("text"), key), record
            except (orjson.JSONDecodeError, ContractError, KeyError, AttributeError, TypeError) as error:
                log.warning("codes_unreadable", table=key, reason=str(error)[:300])
                return
        if key in self:
            for callback in self._callbacks:
                callback(self[key])
