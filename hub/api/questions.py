"""What a request asks for, checked: unknown parameters, dates, periods.

Dependencies are coroutines though they wait for nothing: a plain function is run on a thread, and the eight of a KPI's
question were a third of what the API does for it. They await one another instead of depending on each other: FastAPI's
own solving of nine dependencies was a third of the event loop's work for a KPI.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Annotated

from fastapi import Depends, Query, Request
from fastapi.dependencies.models import Dependant

from hub.api.problems import ParameterError, Problem, unknown_parameter
from hub.kpi.period import EARLIEST, LATEST, Period, preset, today
from hub.kpi.service import KpiService

EVERYWHERE_ALLOWED = frozenset({"lang"})
WHERE = "where[field]"
PARAMETERS = "param_name"
MANY = {WHERE: "where[", PARAMETERS: "param_"}
"""Each stands for all that begin so, on a route that declares it; what there are is the route's own to say."""


async def known_parameters(request: Request) -> None:
    """Refuse a query parameter that the route does not declare: a typing error must not change a figure."""
    route = request.scope["route"]
    allowed = set(_query_names(route.dependant))
    for name in request.query_params:
        many = any(whole in allowed and name.startswith(start) for whole, start in MANY.items())
        if name not in allowed | EVERYWHERE_ALLOWED and not many:
            raise unknown_parameter(name, allowed)


def _query_names(dependant: Dependant) -> Iterator[str]:
    yield from (field.alias for field in dependant.query_params)
    for needed in dependant.dependencies:
        yield from _query_names(needed)


async def kpi_service(request: Request) -> KpiService:
    service: KpiService = request.app.state.deps.kpis
    return service


FromDay = Annotated[
    str | None, Query(alias="from", description="First day, YYYY-MM-DD; default: 1 January of this year")
]
ToDay = Annotated[str | None, Query(alias="to", description="Last day, YYYY-MM-DD; default: today")]


async def period_asked(request: Request, start: FromDay = None, end: ToDay = None) -> Period:
    """The days from `from` to `to`; by default this year so far, where the province is."""
    around = request.app.state.deps.kpis.around
    now = today(around.clock(), around.timezone)
    errors: list[ParameterError] = []
    last = _day("to", end, errors) or now
    first = _day("from", start, errors) or preset("year", last).start
    if errors:
        raise Problem("invalid-parameter", errors, values={"name": errors[0].parameter})
    if first > last:
        raise Problem("invalid-period", values={"start": first.isoformat(), "end": last.isoformat()})
    return Period(first, last)


def _day(name: str, text: str | None, errors: list[ParameterError]) -> date | None:
    if text is None:
        return None
    try:
        day = date.fromisoformat(text)
        if len(text) != len("YYYY-MM-DD"):
            raise ValueError
    except ValueError:
        errors.append(ParameterError(name, "problem.parameter.date", {"value": text[:40]}))
        return None
    if not EARLIEST <= day <= LATEST:
        errors.append(ParameterError(name, "problem.parameter.date_range", {"first": EARLIEST, "last": LATEST}))
        return None
    return day


AskedPeriod = Annotated[Period, Depends(period_asked)]
Service = Annotated[KpiService, Depends(kpi_service)]
