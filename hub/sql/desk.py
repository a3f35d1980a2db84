"""Runs people's SQL: checked, bounded in time, rows and memory, and cut off when nobody waits for it. Calls block."""

from __future__ import annotations

import contextlib
import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from hub.kpi.errors import WarehouseAwayError
from hub.kpi.rollups import Served
from hub.sql.check import Checked, check, nearest_of, place_of
from hub.sql.errors import SqlFailedError, SqlParameterError
from hub.sql.offered import Offered, offered
from schemas.codes_table import CodeTable
from schemas.contract import Contract
from streams.errors import WarehouseError, WarehouseUnavailableError
from streams.plan import EntityPlan

LIMIT, MAX_LIMIT = 1000, 100_000
TIMEOUT_S = 30
"""A person's statement may take longer than a tile's."""

MEMORY_BYTES = 1_000_000_000
SETTINGS: Mapping[str, Any] = {
    "max_execution_time": TIMEOUT_S,
    "max_memory_usage": MEMORY_BYTES,
    # One of the warehouse's two threads stays free for the figures.
    "max_threads": 1,
    "readonly": 1,
}
_CUT_OFF = {159: "timed_out", 241: "too_much_memory", 394: "cancelled"}
_CODE = re.compile(r"Code: (\d+)")
_NAMES = re.compile(r"[`']([A-Za-z_][\w.]*)[`']")
_SAID = re.compile(r"DB::Exception: (.*?)(?:[:.] (?:While|In scope|Maybe you meant)|\. \(|\(version|$)", re.S | re.I)
_PARAMETER = re.compile(r"query parameter '?`?(\w+)")


class Warehouse(Protocol):
    """What is asked of `streams.warehouse.client.Warehouse`."""

    def result(
        self, sql: str, parameters: dict[str, Any], settings: dict[str, Any]
    ) -> tuple[tuple[str, ...], tuple[str, ...], Sequence[Sequence[Any]]]: ...
    def command(self, sql: str, settings: dict[str, Any] | None = None) -> Any: ...


@dataclass(frozen=True, slots=True)
class Result:
    """Columns with the warehouse's types, and rows."""

    names: tuple[str, ...]
    types: tuple[str, ...]
    rows: Sequence[Sequence[Any]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a statement gave. `truncated`: there are more rows than `limit`, and they were cut off."""

    result: Result
    limit: int
    truncated: bool
    read_at: datetime
    tables: tuple[str, ...]
    units: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Of those columns that have one, by language."""


class SqlDesk:
    """`reading`: a client of the read-only user, with more patience than `TIMEOUT_S`; `killing` may end statements."""

    def __init__(
        self,
        reading: Warehouse,
        killing: Warehouse,
        contracts: Mapping[str, Contract],
        plans: Mapping[str, EntityPlan],
        codes: Iterable[CodeTable],
        served: Callable[[], Served],
        clock: Callable[[], datetime],
    ) -> None:
        self._reading = reading
        self._killing = killing
        self._contracts = contracts
        self._plans = plans
        self._codes = tuple(codes)
        self._served = served
        self._clock = clock

    def tables(self) -> dict[str, Offered]:
        """What may be read, by name; WarehouseAwayError."""
        return offered(self._contracts, self._plans, self._codes, self._served())

    def check(self, text: str, limit: int = LIMIT) -> Checked:
        """The statement as it would run; SqlRefusedError, WarehouseAwayError."""
        return check(text, {name: table.sql for name, table in self.tables().items()}, limit)

    def run(self, checked: Checked, values: Mapping[str, str], mark: str) -> Answer:
        """Run it under `mark`; SqlParameterError, SqlFailedError, WarehouseAwayError."""
        known = {parameter.name: parameter.type for parameter in checked.parameters}
        for name in values:
            if name not in known:
                raise SqlParameterError(f"param_{name}", ", ".join(f"param_{one}" for one in known) or "–")
        for name, kind in known.items():
            if name not in values:
                raise SqlParameterError(f"param_{name}", kind)
        read_at = self._clock()
        with self._mapped(checked):
            result = Result(*self._reading.result(checked.sql, dict(values), {**SETTINGS, "log_comment": mark}))
        truncated = len(result.rows) > checked.limit
        kept = Result(result.names, result.types, result.rows[: checked.limit])
        return Answer(kept, checked.limit, truncated, read_at, checked.tables, self._units(checked, result.names))

    def _units(self, checked: Checked, names: Sequence[str]) -> dict[str, Mapping[str, str]]:
        tables = self.tables()
        known = {name: unit for table in checked.tables for name, unit in tables[table].units.items()}
        behind = {name: checked.sources.get(name, name if "*" in checked.sources else "") for name in names}
        return {name: known[source] for name, source in behind.items() if source in known}

    @contextlib.contextmanager
    def _mapped(self, checked: Checked) -> Iterator[None]:
        try:
            yield
        except WarehouseError as error:
            found = _CODE.search(str(error))
            code = int(found.group(1)) if found else 0
            if code in _CUT_OFF:
                raise SqlFailedError(_CUT_OFF[code]) from error
            if isinstance(error, WarehouseUnavailableError) and not code:
                raise WarehouseAwayError("no_connection") from error
            raise self._failed(_words(str(error)), checked) from error

    def _failed(self, words: str, checked: Checked) -> SqlFailedError | SqlParameterError:
        """What the warehouse says, with the place of the name it speaks of and the names there are."""
        kinds = {parameter.name: parameter.type for parameter in checked.parameters}
        parameter = _PARAMETER.search(words)
        if parameter is not None and parameter.group(1) in kinds:
            return SqlParameterError(f"param_{parameter.group(1)}", kinds[parameter.group(1)])
        tables = self.tables()
        columns = {name for table in checked.tables for name in tables[table].columns}
        for name in _NAMES.findall(words):
            last = name.rpartition(".")[2]
            place = place_of(checked.text, last)
            if place is not None and last not in columns:
                return SqlFailedError(words, place, nearest_of(last, columns))
        return SqlFailedError(words)

    def cancel(self, mark: str) -> None:
        """End the statement that runs under `mark`; idempotent. What cannot be told now ends by its time-out."""
        with contextlib.suppress(WarehouseError):
            self._killing.command(f"KILL QUERY WHERE Settings['log_comment'] = '{mark}' ASYNC")


def new_mark() -> str:
    """A mark for one statement: letters and digits."""
    return f"sql-{uuid.uuid4().hex}"


def _words(text: str) -> str:
    """ClickHouse's own words without addresses, statements and versions."""
    found = _SAID.search(text)
    return (found.group(1) if found else "refused")[:300].strip()
