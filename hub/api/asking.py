"""What a request about KPIs and records asks for: filters, moments, forms. Checked; a problem names the parameter."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, TypeVar

from fastapi import Depends, Query, Request

from hub.api.problems import ParameterError, Problem
from hub.api.questions import WHERE
from hub.entities.filters import OPERATORS, Filter
from hub.kpi.conditions import Where

MAX_VALUES = 200
"""Values in all filters of one request."""

_WHERE = re.compile(r"where\[([A-Za-z_]\w*)\](?:\[(\w+)\])?")

WhereParameter = Annotated[
    str | None,
    Query(alias=WHERE, description="`where[org_code]=H53.14`: only these rows; repeated: any of the values"),
]

Choice = TypeVar("Choice", bound=str)


async def filters_asked(request: Request, where: WhereParameter = None) -> tuple[Filter, ...]:
    """The filters of a request, in the order in which they were asked for."""
    values: dict[tuple[str, str], list[str]] = {}
    for name, value in request.query_params.multi_items():
        if not name.startswith("where"):
            continue
        match = _WHERE.fullmatch(name)
        operator = (match.group(2) or "eq") if match else ""
        if match is None or operator not in OPERATORS:
            raise wrong(name, f"where[FIELD], where[FIELD][{'|'.join(OPERATORS)}]")
        values.setdefault((match.group(1), operator), []).append(value)
    if sum(map(len, values.values())) > MAX_VALUES:
        raise wrong(WHERE, f"≤ {MAX_VALUES}")
    return tuple(Filter(name, operator, tuple(found)) for (name, operator), found in values.items())


Filters = Annotated[tuple[Filter, ...], Depends(filters_asked)]


async def where_asked(request: Request, where: WhereParameter = None) -> Where:
    """The rows of a KPI asked for: equality alone, since rollups have nothing else."""
    filters = await filters_asked(request, where)
    for item in filters:
        if item.operator != "eq":
            raise wrong(item.parameter, f"where[{item.field}]=VALUE")
    return tuple((item.field, item.values) for item in filters)


AskedWhere = Annotated[Where, Depends(where_asked)]


def moment_asked(name: str, text: str | None) -> datetime | None:
    """An ISO 8601 moment with its zone."""
    if text is None:
        return None
    try:
        # A plus in an address is a space to those who did not write %2B.
        moment = datetime.fromisoformat(text.replace(" ", "+"))
        if moment.tzinfo is None or not 1970 <= moment.year < 2200:
            raise ValueError
    except ValueError as error:
        raise wrong(name, "2022-09-19T17:00:00+07:00") from error
    return moment.astimezone(UTC)


KnownAt = Annotated[
    str | None, Query(description="The figures as they were known at this moment, ISO 8601 with a zone")
]


def one_of(name: str, value: str | None, allowed: Sequence[str]) -> str | None:
    """`value` if it is allowed or None; else a problem that names what is."""
    if value is not None and value not in allowed:
        raise wrong(name, ", ".join(allowed))
    return value


def wrong(name: str, allowed: str) -> Problem:
    """A parameter with a value that is not allowed."""
    error = ParameterError(name, "problem.parameter.bound", {"bound": allowed})
    return Problem("invalid-parameter", [error], extra={"allowed": allowed.split(", ")}, values={"name": name})
