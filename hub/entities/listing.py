"""One page of an entity's records as a statement: by filters, sorted, from a cursor on. Pure.

Pages are cut by key, never by number: a page costs the same at any depth. The warehouse keeps records by `entity_key`;
another order ends with it, so that it is total.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hub.entities.cursor import closed, mark_of, opened
from hub.entities.filters import Filter, conditions, field_of, visible
from hub.kpi.conditions import Slice
from hub.kpi.statement import Statement
from schemas.contract import Contract
from schemas.contract_field import Field

KEY = "entity_key"
PAGE, MAX_PAGE = 50, 1000

_SORTED_AS = {
    "timestamp": "DateTime64(3, 'UTC')",
    **dict.fromkeys(("int", "long"), "Int64"),
    **dict.fromkeys(("float", "double"), "Float64"),
    "boolean": "Bool",
}


@dataclass(frozen=True, slots=True)
class Listing:
    """What a list of records is asked for. `sort`: a field, with `-` in front the largest first."""

    entity: str
    filters: tuple[Filter, ...] = ()
    sort: str = KEY
    limit: int = PAGE
    cursor: str | None = None

    @property
    def mark(self) -> str:
        """Of the question that a cursor belongs to."""
        return mark_of(self.entity, self.filters, self.sort)

    @property
    def sorted_by(self) -> tuple[str, bool]:
        """The field, and whether the largest comes first."""
        return self.sort.removeprefix("-"), self.sort.startswith("-")


@dataclass(frozen=True, slots=True)
class Page:
    """Records as mappings from field to value; `next` leads on, None on the last page. `total` where it was asked."""

    items: tuple[Mapping[str, Any], ...]
    next: str | None
    total: int | None = None


def statement(asked: Listing, contract: Contract, chosen: Slice, zone: str) -> Statement:
    """One row more than the page; UnknownFieldError, FilterError, CursorError."""
    parameters: dict[str, str] = {"limit": str(asked.limit + 1)}
    columns = ", ".join(f"`{field.name}`" for field in visible(contract))
    name, falling = asked.sorted_by
    field = field_of(contract, name, "sort")
    where = [*_rows(asked, contract, chosen, zone, parameters)]
    if asked.cursor is not None:
        where.append(_after(opened(asked.mark, asked.cursor, 2), field, falling, parameters))
    way = " DESC" if falling else ""
    order = KEY + way if name == KEY else f"isNull(`{name}`), `{name}`{way}, {KEY}"
    return Statement(
        f"SELECT {columns} FROM {contract.current_table} FINAL WHERE {' AND '.join(where)}"
        f" ORDER BY {order} LIMIT {{limit:UInt32}}",
        parameters,
    )


def by_key(
    asked: Listing, contract: Contract, chosen: Slice, zone: str
) -> tuple[list[str], dict[str, str], str | None]:
    """Of a list in the order of its keys: conditions, parameters and the key after which it begins; the errors of
    `statement`."""
    parameters: dict[str, str] = {}
    scope = chosen.conditions("s", parameters, contract.by_name)
    where = [f"1{scope}", *conditions(asked.filters, contract, zone, parameters)]
    after = None if asked.cursor is None else opened(asked.mark, asked.cursor, 2)[1]
    return where, parameters, after


def count_statement(asked: Listing, contract: Contract, chosen: Slice, zone: str) -> Statement:
    """How many records there are in all."""
    parameters: dict[str, str] = {}
    where = _rows(replace(asked, cursor=None), contract, chosen, zone, parameters)
    return Statement(f"SELECT count() FROM {contract.current_table} FINAL WHERE {' AND '.join(where)}", parameters)


def page(asked: Listing, contract: Contract, rows: Sequence[Sequence[Any]]) -> Page:
    """The page of what `statement` gave."""
    names = [field.name for field in visible(contract)]
    items = tuple(dict(zip(names, row, strict=True)) for row in rows[: asked.limit])
    if len(rows) <= asked.limit:
        return Page(items, None)
    name, _ = asked.sorted_by
    return Page(items, closed(asked.mark, (as_text(items[-1][name]), str(items[-1][KEY]))))


def as_text(value: Any) -> str | None:
    """A value as the warehouse reads it in a parameter."""
    if value is None:
        return None
    if hasattr(value, "isoformat"):
        return str(value.strftime("%Y-%m-%d %H:%M:%S.")) + f"{value.microsecond // 1000:03d}"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _rows(asked: Listing, contract: Contract, chosen: Slice, zone: str, parameters: dict[str, str]) -> list[str]:
    scope = chosen.conditions("s", parameters, contract.by_name)
    return [f"deleted = 0{scope}", *conditions(asked.filters, contract, zone, parameters)]


def _after(place: list[str | None], field: Field, falling: bool, parameters: dict[str, str]) -> str:
    value, key = place
    parameters["after_key"] = key or ""
    beyond = "<" if falling else ">"
    if field.name == KEY:
        return f"{KEY} {beyond} {{after_key:String}}"
    same_then_key = f"{KEY} > {{after_key:String}}"
    column = f"`{field.name}`"
    if value is None:
        return f"({column} IS NULL AND {same_then_key})"
    parameters["after"] = value
    kind = _SORTED_AS.get(field.base, "String")
    if field.base == "decimal":
        kind = f"Decimal({field.precision}, {field.scale})"
    after = f"{{after:{kind}}}"
    return (
        f"({column} IS NULL OR {column} {beyond} {after} OR ({column} = {after} AND {same_then_key}))"
        if field.nullable
        else f"({column} {beyond} {after} OR ({column} = {after} AND {same_then_key}))"
    )
