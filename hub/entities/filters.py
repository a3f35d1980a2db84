"""Filters and sorting of records: from texts of a question to SQL with parameters. Pure.

A filter is `where[FIELD]=VALUE`, more than one value means any of them; `where[FIELD][OP]=VALUE` compares otherwise, by
one of `OPERATORS`. Times are days (YYYY-MM-DD, where the province is) or ISO 8601 with a zone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo

from hub.entities.errors import FilterError, UnknownFieldError
from hub.kpi.conditions import ORG, unit_and_below
from schemas.contract import Contract
from schemas.contract_field import Field

OPERATORS = ("eq", "ne", "gt", "gte", "lt", "lte", "prefix", "null")
_MOMENTS = {
    "eq": "({column} >= {start} AND {column} < {end})",
    "gt": "{column} >= {end}",
    "gte": "{column} >= {start}",
    "lt": "{column} < {start}",
    "lte": "{column} < {end}",
}
_PLAIN = {
    "eq": "{column} = {start}",
    "gt": "{column} > {start}",
    "gte": "{column} >= {start}",
    "lt": "{column} < {start}",
    "lte": "{column} <= {start}",
}
_WIDE_INT = 2**63

Parameters = dict[str, str]


@dataclass(frozen=True, slots=True)
class Filter:
    """One condition on a field, as asked for."""

    field: str
    operator: str
    values: tuple[str, ...]

    @property
    def parameter(self) -> str:
        """Its name in a question."""
        return f"where[{self.field}]" + ("" if self.operator == "eq" else f"[{self.operator}]")


def visible(contract: Contract) -> tuple[Field, ...]:
    """The fields that are shown: all but personal ones, whose pseudonyms are personal data still."""
    return tuple(field for field in contract.fields if not field.pii)


def field_of(contract: Contract, name: str, parameter: str) -> Field:
    """A field that is shown; UnknownFieldError."""
    known = {field.name: field for field in visible(contract)}
    if name not in known:
        raise UnknownFieldError(parameter, name, tuple(known))
    return known[name]


def conditions(
    filters: Sequence[Filter], contract: Contract, zone: str, parameters: Parameters, prefix: str = "w"
) -> list[str]:
    """SQL of each filter; UnknownFieldError, FilterError. Its parameters are added."""
    return [
        _condition(item, field_of(contract, item.field, item.parameter), zone, parameters, f"{prefix}{number}")
        for number, item in enumerate(filters)
    ]


def _condition(asked: Filter, field: Field, zone: str, parameters: Parameters, prefix: str) -> str:
    if asked.operator not in OPERATORS:
        raise FilterError(asked.parameter, asked.operator, f"operator; allowed: {', '.join(OPERATORS)}")
    column = f"`{field.name}`"
    if asked.operator == "null":
        wanted = _truth(asked.parameter, asked.values[0])
        return f"{column} IS {'' if wanted == 'true' else 'NOT '}NULL"
    if asked.operator == "prefix":
        if field.base not in ("string", "enum"):
            raise FilterError(asked.parameter, asked.values[0], f"text: {field.name} is a {field.type_text}")
        parameters[prefix] = asked.values[0]
        return f"startsWith(ifNull({column}, ''), {{{prefix}:String}})"
    parts = []
    for number, value in enumerate(asked.values):
        kind, start, end = _value(asked, field, value, zone)
        names: list[str] = []
        for text in (start, end):
            name = f"{prefix}_{number}_{len(names)}"
            parameters[name] = text
            names.append(f"{{{name}:{kind}}}")
        parts.append(_compared(asked.operator, field, column, *names))
    return f"({' OR '.join(parts)})" if asked.operator != "ne" else f"({' AND '.join(parts)})"


def _compared(operator: str, field: Field, column: str, start: str, end: str) -> str:
    """`start` is what a value stands for; of a time, its first moment, and `end` the first one after it."""
    if field.name == ORG and operator in ("eq", "ne"):
        equal = unit_and_below(start)
    else:
        forms = _MOMENTS if field.base == "timestamp" else _PLAIN
        equal = forms["eq" if operator == "ne" else operator].format(column=column, start=start, end=end)
    return f"(NOT ifNull({equal}, 0))" if operator == "ne" else equal


def _value(asked: Filter, field: Field, value: str, zone: str) -> tuple[str, str, str]:
    """The warehouse's type, and the bounds of what the value stands for."""
    kind, read = _READERS.get(field.base, ("String", _text))
    if field.base == "timestamp":
        start, end = moments(asked.parameter, value, zone)
        return kind, start, end
    text = read(asked.parameter, value)
    if field.base == "enum" and asked.operator in ("eq", "ne") and value not in field.symbols:
        raise FilterError(asked.parameter, value, f"value of {field.name}; allowed: {', '.join(field.symbols)}")
    return kind, text, text


def moments(parameter: str, value: str, zone: str) -> tuple[str, str]:
    """The first moment of what is asked for and the first one after it: of a day, or of a millisecond."""
    try:
        if len(value) == len("YYYY-MM-DD"):
            day = date.fromisoformat(value)
            first = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone))
            return sql_time(first), sql_time(first + timedelta(days=1))
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise ValueError
        return sql_time(moment), sql_time(moment + timedelta(milliseconds=1))
    except (ValueError, OverflowError) as error:
        raise FilterError(parameter, value, "day (YYYY-MM-DD) or time with its zone (2022-09-19T08:00:00Z)") from error


def sql_time(moment: datetime) -> str:
    """A moment as the warehouse reads it: UTC, milliseconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.") + f"{moment.microsecond // 1000:03d}"


def _text(parameter: str, value: str) -> str:
    return value


def _whole(parameter: str, value: str) -> str:
    try:
        number = int(value)
    except ValueError as error:
        raise FilterError(parameter, value, "whole number") from error
    if not -_WIDE_INT <= number < _WIDE_INT:
        raise FilterError(parameter, value, "whole number of 64 bits")
    return str(number)


def _number(parameter: str, value: str) -> str:
    try:
        number = Decimal(value)
    except InvalidOperation as error:
        raise FilterError(parameter, value, "number, such as 12.5") from error
    if not number.is_finite():
        raise FilterError(parameter, value, "number, such as 12.5")
    return str(number)


def _truth(parameter: str, value: str) -> str:
    if value.lower() not in ("true", "false"):
        raise FilterError(parameter, value, "true or false")
    return value.lower()


_READERS: Mapping[str, tuple[str, Callable[[str, str], str]]] = {
    "int": ("Int64", _whole),
    "long": ("Int64", _whole),
    "float": ("Float64", _number),
    "double": ("Float64", _number),
    "decimal": ("Float64", _number),
    "boolean": ("Bool", _truth),
    "timestamp": ("DateTime64(3, 'UTC')", _text),
}
