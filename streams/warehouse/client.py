"""The one way to the warehouse: the home module of `clickhouse_connect`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

import clickhouse_connect
from clickhouse_connect import common
from clickhouse_connect.driver.exceptions import ClickHouseError, DatabaseError, OperationalError
from urllib3.exceptions import HTTPError

from streams import faultpoints
from streams.errors import FencedError, WarehouseError, WarehouseUnavailableError

# A reader's limits are told by the server to be read-only, and yet it honours them: let it decide, not the client.
common.set_setting("invalid_setting_action", "send")

INSERT_SETTINGS: dict[str, Any] = {
    # A retry is only recognised as the same block if it is cut in the same way: force one block.
    "max_insert_block_size": 100_000_000,
    "min_insert_block_size_rows": 100_000_000,
    "min_insert_block_size_bytes": 0,
    # Tokens mean nothing to asynchronous inserts.
    "async_insert": 0,
    "deduplicate_blocks_in_dependent_materialized_views": 1,
    "parallel_view_processing": 1,
    # A view's rows come out of a GROUP BY and `current` is read by its newest version: collapsing them once more
    # before they are written cost 40% of the warehouse's CPU (12 against 7 µs a row with six views).
    "optimize_on_insert": 0,
}
"""Pinned for every insert that carries a token: identical on each retry."""

RETRIABLE_CODES = frozenset((159, 202, 209, 210, 218, 241, 252, 279, 319, 394))
"""ClickHouse's codes for time-outs, network, memory, too many parts, and a view's table that was dropped while the
insert began: the same block may be sent again."""


VIOLATED_CONSTRAINT = 469
"""The only constraint there is is the fence."""


class Warehouse:
    """A ClickHouse over HTTP. Methods block, are safe from several threads, and map the client's errors."""

    def __init__(self, url: str, timeout_s: float = 60.0) -> None:
        """`url` is `http[s]://[user:password@]host:port[/database]`. Does not connect before the first call."""
        self._url = urlsplit(url)
        self._timeout_s = timeout_s
        self._client: Any = None

    @property
    def client(self) -> Any:
        """The clickhouse-connect client, connected on first use; raises `WarehouseUnavailableError`."""
        if self._client is None:
            try:
                self._client = clickhouse_connect.get_client(
                    interface=self._url.scheme or "http",
                    host=self._url.hostname or "127.0.0.1",
                    port=self._url.port or 8123,
                    username=unquote(self._url.username or "default"),
                    password=unquote(self._url.password or ""),
                    database=self._url.path.strip("/") or "default",
                    compress=False,
                    query_limit=0,
                    send_receive_timeout=self._timeout_s,
                    autogenerate_session_id=False,
                )
            except (ClickHouseError, HTTPError, OSError) as error:
                raise WarehouseUnavailableError(f"the warehouse does not answer: {error}") from error
        return self._client

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def command(self, sql: str, settings: dict[str, Any] | None = None) -> Any:
        """Run a statement without a result set."""
        with _mapped():
            return self.client.command(sql, settings=settings)

    def rows(self, sql: str, parameters: dict[str, Any] | None = None, **settings: Any) -> Sequence[Sequence[Any]]:
        """Run a query; all rows as tuples."""
        with _mapped():
            result: Sequence[Sequence[Any]] = self.client.query(
                sql, parameters=parameters, settings=settings or None
            ).result_rows
            return result

    def result(
        self, sql: str, parameters: dict[str, Any], settings: dict[str, Any]
    ) -> tuple[tuple[str, ...], tuple[str, ...], Sequence[Sequence[Any]]]:
        """Run a query; names and types of the columns, and all rows."""
        with _mapped():
            found = self.client.query(sql, parameters=parameters, settings=settings)
            types = tuple(str(kind.name) for kind in found.column_types)
            return tuple(found.column_names), types, found.result_rows

    def arrow(self, sql: str, settings: dict[str, Any] | None = None) -> bytes:
        """Run a query; the result as an Arrow stream."""
        with _mapped():
            answer: bytes = self.client.raw_query(sql, fmt="ArrowStream", settings=settings)
            return answer

    def insert(self, table: str, columns: Sequence[str], block: bytes, token: str | None) -> None:
        """Insert an Arrow stream as one block. With a `token` the same call may be repeated until it succeeds."""
        settings = dict(INSERT_SETTINGS)
        if token is not None:
            settings["insert_deduplication_token"] = token
            faultpoints.reach("insert_unanswered")
        else:
            settings["insert_deduplicate"] = 0
        with _mapped():
            self.client.raw_insert(
                table,
                column_names=list(columns),
                insert_block=faultpoints.half_sent(block),
                settings=settings,
                fmt="ArrowStream",
            )


class _mapped:
    """Maps the client's exceptions to this package's."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, DatabaseError) and not isinstance(error, OperationalError):
            code = getattr(error, "code", None)
            if code == VIOLATED_CONSTRAINT:
                raise FencedError(str(error)) from error
            if code in RETRIABLE_CODES:
                raise WarehouseUnavailableError(str(error)) from error
            raise WarehouseError(str(error)) from error
        if isinstance(error, (ClickHouseError, HTTPError, OSError)):
            raise WarehouseUnavailableError(f"the warehouse does not answer: {error}") from error
