"""The statements of a `sql` source, and its values as JSON. Pure: builds, runs nothing."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from connectors.sql_config import Config

Value = Any


def from_part(config: Config) -> sa.FromClause | sa.TextClause:
    """The table or view, or the query in brackets, so that it can be nothing but a SELECT."""
    if config.query is not None:
        escaped = config.query.strip().rstrip(";").replace(":", r"\:")
        return sa.text(f"({escaped}) q")
    schema, _, name = (config.table or "").rpartition(".")
    return sa.table(name, schema=schema or None)


def page(
    config: Config, order: Sequence[str], after: Sequence[Value] | None, since: Value | None, limit: int
) -> sa.Select[Any]:
    """`limit` rows in the order of the columns: after the row with these values, or from `since` on (included)."""
    columns: list[sa.ColumnClause[Any]] = [sa.column(name) for name in order]
    statement = sa.select(sa.text("*")).select_from(from_part(config))
    if after is not None:
        statement = statement.where(_beyond(columns, after))
    elif since is not None:
        statement = statement.where(columns[0] >= _bound(since))
    else:
        statement = statement.where(columns[0].is_not(None))
    return statement.order_by(*columns).limit(limit)


def _beyond(columns: Sequence[sa.ColumnClause[Any]], values: Sequence[Value]) -> sa.ColumnElement[bool]:
    """Row comparison `(a, b) > (x, y)`, spelt out for databases that lack it."""
    head, rest = columns[0], columns[1:]
    if not rest:
        return head > _bound(values[0])
    same = sa.and_(head == _bound(values[0]), _beyond(rest, values[1:]))
    return sa.or_(head > _bound(values[0]), same)


def _bound(value: Value) -> sa.BindParameter[Any]:
    """A parameter without a type of its own: the database takes it as the column's."""
    return sa.literal(value, sa.types.NULLTYPE)


def without(config: Config, column: str, limit: int) -> sa.Select[Any]:
    """Rows in which the column is null."""
    statement = sa.select(sa.text("*")).select_from(from_part(config))
    return statement.where(sa.column(column).is_(None)).limit(limit)


def plain(value: Value) -> Any:
    """A database's value as JSON has it: times in ISO form, exact numbers as numbers where nothing is lost."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, Decimal):
        if value == value.to_integral_value() and value.as_tuple().exponent == 0:
            return int(value)
        return float(value) if Decimal(repr(float(value))) == value else str(value)
    if isinstance(value, bytes | memoryview):
        return base64.b64encode(bytes(value)).decode()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    return str(value)


def to_position(value: Value) -> list[Any]:
    """A value with its type, for a stored position."""
    if isinstance(value, datetime):
        return ["datetime", value.isoformat()]
    if isinstance(value, date):
        return ["date", value.isoformat()]
    if isinstance(value, Decimal):
        return ["decimal", str(value)]
    if isinstance(value, int | str | float):
        return ["plain", value]
    return ["plain", str(value)]


def from_position(stored: Sequence[Any]) -> Value:
    """The value of `to_position`."""
    kind, value = stored
    readers: dict[str, Any] = {
        "datetime": datetime.fromisoformat,
        "date": date.fromisoformat,
        "decimal": Decimal,
        "plain": lambda same: same,
    }
    return readers[kind](value)


def earlier(value: Value, seconds: float) -> Value:
    """The time so many seconds before; of a text that is an ISO time too; of anything else the value itself."""
    if not seconds:
        return value
    if isinstance(value, datetime):
        return value - timedelta(seconds=seconds)
    if isinstance(value, date):
        return value - timedelta(days=-(-seconds // 86_400))
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value) - timedelta(seconds=seconds)
        except ValueError:
            return value
        return moment.isoformat(sep=value[10] if len(value) > 10 else "T")
    return value
