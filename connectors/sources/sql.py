"""Source kind `sql`: a table, view or query, by (change time, key) or as a whole with deletes by comparison."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from connectors import misfit
from connectors.clock import epoch_ms
from connectors.errors import SourceRefusedError, Text
from connectors.manifest import Manifest
from connectors.patience import patiently
from connectors.source import REVISION, Check, Cursor, Page, Preview, Refusal, Source, Step, Surroundings, run_checks
from connectors.sql_config import Config, Incremental
from connectors.sql_engine import Database
from connectors.sql_select import earlier, from_position, page, plain, to_position, without
from connectors.sql_snapshot import SnapshotState, next_revision

__all__ = ["Config", "SqlSource", "open_source"]

FUTURE_TOLERANCE = timedelta(minutes=2)
"""A change time further ahead than this does not move the position, or one wrong clock would hide what follows."""
TIMELESS_ROWS = 100
"""Rows without a change time that are named in the quarantine, once per process."""

Row = dict[str, Any]
Result = TypeVar("Result")


class SqlSource:
    """See `Source`. One connection, used from one thread of its own."""

    def __init__(self, config: Config, zone: ZoneInfo, around: Surroundings) -> None:
        secrets = around.secrets
        self._config = config
        self._zone = zone
        self._around = around
        self._database = Database(
            secrets.resolve(config.url),
            None if config.username is None else secrets.resolve(config.username),
            None if config.password is None else secrets.resolve(config.password),
            config.statement_timeout_s,
            around.folders,
        )
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sql")
        self._seen: dict[tuple[Any, ...], Any] = {}
        self._stored: Cursor | None = None
        self._timeless_named = self._closed = False

    @property
    def poll_interval_s(self) -> float:
        return self._config.poll_interval_s

    async def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._database.cancel()
            self._thread.submit(self._database.close)  # after what it is doing, which has just been broken off
            self._thread.shutdown(wait=False)

    def read(self, cursor: Cursor | None) -> AsyncIterator[Page]:
        if isinstance(self._config.read, Incremental):
            return self._changes(self._config.read, cursor)
        return self._snapshot(cursor)

    async def preview(self, count: int) -> Preview:
        return Preview([_json(row) for row in await self._page(self._order(), None, None, count)])

    def check(self) -> AsyncIterator[Step]:
        """See `Source.check`: address, connection and columns, rows without a change time."""

        async def reach() -> Text:
            address = await self._address()
            return Text(f"địa chỉ {address or 'tệp'}", f"address {address or 'file'}")

        async def read() -> Text:
            rows = await self._page(self._order(), None, None, 1)
            self._check_columns(rows)
            return Text(
                "đọc được dòng đầu" if rows else "bảng đang rỗng", "read the first row" if rows else "it has no rows"
            )

        async def timeless() -> Text:
            count = len(await self._timeless())
            return Text(f"{count} dòng không có thời điểm thay đổi", f"{count} rows have no change time")

        checks = [
            Check("resolve", Text("Tìm máy chủ", "Find the host"), reach),
            Check("read", Text("Kết nối chỉ đọc, đọc thử", "Connect read-only, read"), read),
        ]
        if isinstance(self._config.read, Incremental):
            checks.append(Check("change_time", Text("Kiểm tra cột thời điểm", "Check the change time"), timeless))
        return run_checks(*checks)

    async def _changes(self, how: Incremental, cursor: Cursor | None) -> AsyncIterator[Page]:
        """Pages in the order of (time, key); the next one is asked for while the caller works."""
        if cursor != self._stored:
            self._seen = {}
        newest = from_position(cursor["at"]) if cursor and "at" in cursor else how.start
        since = earlier(newest, how.lookback_s) if cursor else newest
        order, refused = self._order(), await self._name_timeless()
        rows = await self._patiently(lambda: self._page(order, None, since, self._config.page_size))
        while True:
            full = len(rows) == self._config.page_size
            last = [rows[-1][name] for name in order] if full else None
            ahead = asyncio.create_task(self._patiently(self._next(order, last))) if last else None
            try:
                fresh = [row for row in rows if self._identity(row) not in self._seen]
                newest = self._advanced(newest, rows, how.time)
                after = {"at": to_position(newest)} if newest is not None else {}
                newest_ms, repeats = self._newest_ms(fresh, how.time), len(rows) - len(fresh)
                yield Page([_json(row) for row in fresh], after, newest_ms, refused, repeats=repeats)
                self._remember(rows, earlier(newest, how.lookback_s), how.time)
                self._stored, refused = after, []
                if ahead is None:
                    return
                rows = await ahead
            finally:
                if ahead is not None:
                    ahead.cancel()
                    await asyncio.gather(ahead, return_exceptions=True)

    async def _snapshot(self, cursor: Cursor | None) -> AsyncIterator[Page]:
        """Changed rows page by page in the order of the key, then what vanished; the position moves at the end."""
        assert not isinstance(self._config.read, Incremental)
        state = SnapshotState(self._config.read, cursor)
        revision = next_revision(cursor, epoch_ms(self._around.now()))
        underway = {**(cursor or {}), "revision": revision}
        order, last, moved, refused = self._order(), None, cursor is None, await self._name_timeless()
        while True:
            rows = await self._patiently(self._next(order, last))
            changed = [row for row in map(_json, rows) if state.changed(row)]
            if len(rows) < self._config.page_size:
                break
            last = [rows[-1][name] for name in order]
            if changed:
                moved = True
                yield Page([{**row, **state.upsert, REVISION: revision} for row in changed], underway, None, refused)
                refused = []
        gone = [{**row, REVISION: revision} for row in state.vanished()]
        records = [{**row, **state.upsert, REVISION: revision} for row in changed] + gone
        moved = moved or bool(records)
        yield Page(records, state.position(revision) if moved or cursor is None else dict(cursor), None, refused)

    def _next(self, order: list[str], last: list[Any] | None) -> Callable[[], Awaitable[list[Row]]]:
        return lambda: self._page(order, last, None, self._config.page_size)

    def _order(self) -> list[str]:
        how = self._config.read
        return [how.time, *how.key] if isinstance(how, Incremental) else list(how.key)

    async def _page(self, order: list[str], after: list[Any] | None, since: Any, limit: int) -> list[Row]:
        statement = page(self._config, order, after, since, limit)
        address = await self._address()
        rows = await self._run(lambda: self._database.rows(statement, address))
        self._check_columns(rows)
        return rows

    async def _patiently(self, ask: Callable[[], Awaitable[list[Row]]]) -> list[Row]:
        return await patiently(ask, self._around.report)

    async def _run(self, work: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def _address(self) -> str | None:
        place = self._database.place
        return None if place is None else await self._around.hosts.address(*place)

    def _check_columns(self, rows: list[Row]) -> None:
        """The columns that order and compare must be there under these very names."""
        missing = [name for name in self._order() if rows and name not in rows[0]]
        if missing:
            raise SourceRefusedError(
                Text(
                    f"Bảng không có cột {', '.join(missing)}; các cột: {', '.join(rows[0])}",
                    f"The table has no column {', '.join(missing)}; its columns: {', '.join(rows[0])}",
                )
            )

    async def _timeless(self) -> list[Row]:
        statement, address = without(self._config, self._order()[0], TIMELESS_ROWS), await self._address()
        return await self._run(lambda: self._database.rows(statement, address))

    async def _name_timeless(self) -> list[Refusal]:
        """Rows without the first column of the order, which can never be given: named once per process, in the open."""
        if self._timeless_named:
            return []
        rows = await self._patiently(self._timeless)
        self._timeless_named = True
        return [Refusal(_json(row), misfit.missing().at(self._order()[0])) for row in rows]

    def _identity(self, row: Row) -> tuple[Any, ...]:
        return tuple(row[name] for name in self._order())

    def _advanced(self, newest: Any, rows: list[Row], time: str) -> Any:
        """The newest change time that is not far ahead of our clock; rows come in its order."""
        for row in reversed(rows):
            if not self._is_ahead(row[time]):
                return row[time]
        return newest

    def _is_ahead(self, value: Any) -> bool:
        moment = self._moment(value)
        return moment is not None and moment > self._around.now() + FUTURE_TOLERANCE

    def _moment(self, value: Any) -> datetime | None:
        if isinstance(value, str):
            try:
                value = datetime.fromisoformat(value)
            except ValueError:
                return None
        if not isinstance(value, datetime):
            return None
        return value if value.tzinfo is not None else value.replace(tzinfo=self._zone)

    def _remember(self, rows: list[Row], floor: Any, time: str) -> None:
        """Rows that the next read will give again, being at or after its beginning."""
        if floor is None:
            return
        known = {**self._seen, **{self._identity(row): row[time] for row in rows}}
        self._seen = {identity: at for identity, at in known.items() if at >= floor}

    def _newest_ms(self, rows: list[Row], time: str) -> int | None:
        moment = self._moment(rows[-1][time]) if rows else None
        return None if moment is None else epoch_ms(moment)


def _json(row: Row) -> Row:
    return {name: plain(value) for name, value in row.items()}


def open_source(manifest: Manifest, around: Surroundings) -> Source:
    """The source of a manifest of this kind; NotConfiguredError if a reference has no value."""
    return SqlSource(manifest.source, manifest.zone, around)
