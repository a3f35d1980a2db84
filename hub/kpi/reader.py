"""Reading the warehouse for people: bounded in time, and quick to say that it is away."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from hub.kpi.errors import WarehouseAwayError
from hub.kpi.query import Statement
from streams.errors import WarehouseError, WarehouseUnavailableError

QUERY_TIMEOUT_S = 5
"""A question of a screen that takes longer is cut off by the warehouse."""

ANSWER_TIMEOUT_S = QUERY_TIMEOUT_S + 1
"""For the client's connection: a warehouse that stands still cuts nothing off itself."""

OF_SUMS: dict[str, Any] = {"optimize_move_to_prewhere": 0}
"""How the warehouse plans a question about rollups: their rows are narrow and ordered by day, so that to read some
columns before others saves less than planning it costs (5.6 instead of 6.2 ms over seven parts)."""
LIGHTLY: dict[str, Any] = {**OF_SUMS, "optimize_use_projections": 0}
"""Of a light statement: both together 4.7 ms, 0.6 less than without over a table of one part."""

RETRY_AFTER = timedelta(milliseconds=500)
"""After a failure the warehouse is left alone for so long: many viewers must not queue for a dead server."""


class Queries(Protocol):
    """What this package needs of `streams.warehouse.client.Warehouse`."""

    def rows(self, sql: str, parameters: dict[str, Any] | None = None, **settings: Any) -> Sequence[Sequence[Any]]: ...


@dataclass(frozen=True, slots=True)
class Outage:
    """Since when the warehouse is away, and why: a code that is safe to show."""

    since: datetime
    cause: str


class Reader:
    """Runs statements; maps every failure to WarehouseAwayError; safe from several threads; calls block."""

    def __init__(self, warehouse: Queries, clock: Callable[[], datetime]) -> None:
        self._warehouse = warehouse
        self._clock = clock
        self._lock = threading.Lock()
        self._outage: Outage | None = None
        self._failed_at: datetime | None = None
        self._probing = False

    @property
    def outage(self) -> Outage | None:
        """The outage seen by the last statement, or None."""
        return self._outage

    def rows(self, statement: Statement) -> Sequence[Sequence[Any]]:
        """All rows of the answer; WarehouseAwayError if there is none within `QUERY_TIMEOUT_S`."""
        probe = self._fail_fast()
        try:
            asked = statement.sql, dict(statement.parameters)
            rows = self._warehouse.rows(*asked, max_execution_time=QUERY_TIMEOUT_S, **_planning(statement))
        except WarehouseError as error:
            raise self._record(error) from error
        finally:
            if probe:
                self._probing = False
        with self._lock:
            self._outage = self._failed_at = None
        return rows

    def ping(self) -> None:
        """Ask for nothing; WarehouseAwayError with the cause."""
        self.rows(Statement("SELECT 1", {}))

    def _fail_fast(self) -> bool:
        """Raise at once what is known of an outage, but for one statement at a time, which finds out: then True."""
        with self._lock:
            if self._outage is None or self._failed_at is None:
                return False
            if self._probing or self._clock() - self._failed_at < RETRY_AFTER:
                raise WarehouseAwayError(self._outage.cause)
            self._probing = True
            return True

    def _record(self, error: WarehouseError) -> WarehouseAwayError:
        now = self._clock()
        cause = _cause(error)
        with self._lock:
            self._outage = Outage(self._outage.since if self._outage else now, cause)
            self._failed_at = now
        return WarehouseAwayError(cause)


def _planning(statement: Statement) -> dict[str, Any]:
    """Settings of a union, whose parts are sums; of none else."""
    if not statement.selects:
        return {}
    return LIGHTLY if statement.light else OF_SUMS


def _cause(error: WarehouseError) -> str:
    """A code without addresses: `no_connection`, `timed_out`, `refused`, or ClickHouse's own error name."""
    name = re.search(r"\(([A-Z][A-Z0-9_]{3,})\)", str(error))
    if name:
        return name.group(1)
    if isinstance(error, WarehouseUnavailableError):
        return "timed_out" if "timed out" in str(error).lower() else "no_connection"
    return "refused"
