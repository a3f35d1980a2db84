"""`/v1/health`: freshness of every data set, why one is late, incidents."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse

from hub.api.datasets import Datasets, by_department, dataset_json, incident_json, observation_json, why_json
from hub.api.language import language_of
from hub.api.problems import Problem
from hub.api.questions import known_parameters
from hub.api.v1 import ConnectorScope, blocking
from hub.kpi.statement import Statement
from hub.security.access import Permission, Principal

router = APIRouter(prefix="/v1/health", dependencies=[Depends(known_parameters)])

Days = Annotated[int, Query(ge=1, le=400, description="How many days back")]
Month = Annotated[
    str | None, Query(pattern=r"^20\d\d-(0[1-9]|1[0-2])$", description="A month instead, YYYY-MM, in the hub's zone")
]
PROBES = (
    "SELECT number FROM canary_changes WHERE run = {run:String} AND number >= {least:Int64} AND kind = 'applied'"
    " AND event_time > now() - INTERVAL 1 DAY LIMIT 1000"
)
"""Read where each change is written, so that a probe is seen once it is counted."""


async def probes_alone(request: Request) -> None:
    """Only the hub's own roles, and who may do all, ask for probes."""
    caller: Principal = request.state.caller
    if not caller.may(Permission.CANARY_READ):
        raise Problem("forbidden")


Department = Annotated[str | None, Query(max_length=64, description="A unit's code, such as H53.14, or its name")]


@router.get("/datasets", summary="How fresh every data set is")
async def list_datasets(request: Request, scope: ConnectorScope, department: Department = None) -> JSONResponse:
    """State, age, and when the next data are due and late."""
    datasets: Datasets = request.app.state.datasets
    found = await blocking(request, "warehouse", lambda: datasets.all(scope.org))
    language = language_of(request)
    items = [dataset_json(one, language) for one in found if department in (None, one.feed.org, one.feed.department)]
    return JSONResponse({"items": items})


@router.get("/datasets/{dataset}", summary="Why a data set is in its state")
async def read_dataset(request: Request, dataset: str, scope: ConnectorScope) -> JSONResponse:
    """The chain from source to API with the failing stage, refusals by rule, incidents, and the KPIs that go stale."""
    datasets: Datasets = request.app.state.datasets
    found = await blocking(request, "warehouse", lambda: datasets.why(dataset, scope.org))
    return JSONResponse({"items": [why_json(one, language_of(request)) for one in found]})


@router.get("/datasets/{dataset}/observations", summary="A data set minute by minute, over the last day")
async def read_observations(request: Request, dataset: str, scope: ConnectorScope) -> JSONResponse:
    """State, age of the youngest event, and the records of its topic that the warehouse does not have yet."""
    datasets: Datasets = request.app.state.datasets

    def observed() -> list[dict[str, Any]]:
        found = datasets.named(dataset, scope.org)
        return [observation_json(one.feed, seen) for one in found for seen in datasets.observed(one.feed)]

    return JSONResponse({"items": await blocking(request, "warehouse", observed)})


@router.get("/canary", summary="Which of the hub's own probes have come out", include_in_schema=False)
async def read_canary(
    request: Request,
    caller: Annotated[None, Depends(probes_alone)],
    run: Annotated[str, Query(pattern="^[0-9a-f]{12}$")],
    least: Annotated[int, Query(ge=0)],
) -> JSONResponse:
    """The numbers from `least` on of one run that the warehouse has."""
    reader = request.app.state.deps.reader
    asked = Statement(PROBES, {"run": run, "least": str(least)})
    found = await blocking(request, "warehouse", lambda: reader.rows(asked))
    return JSONResponse({"seen": [int(row[0]) for row in found]})


@router.get("/incidents", summary="Incidents, the open ones first")
async def list_incidents(
    request: Request, scope: ConnectorScope, days: Days = 30, department: Department = None, month: Month = None
) -> JSONResponse:
    """With their duration, and summed by department and state; of a month, what falls into it."""
    datasets: Datasets = request.app.state.datasets
    around = request.app.state.deps.kpis.around
    now = around.clock()
    since, until = _bounds(month, around.timezone) if month else (now - timedelta(days=days), now)
    found = datasets.incidents(since, scope.org)
    kept = [one for one in found if department in (None, one.department) and one.began < until]
    items = [incident_json(one, now) for one in kept]
    names = {feed.org: feed.department for feed in around.feeds}
    sums = by_department(kept, names, min(now, until), since if month else None)
    return JSONResponse({"items": items, "by_department": sums})


def _bounds(month: str, timezone: str) -> tuple[datetime, datetime]:
    """A month's beginning and end."""
    begin = datetime.fromisoformat(f"{month}-01").replace(tzinfo=ZoneInfo(timezone))
    return begin, begin.replace(year=begin.year + begin.month // 12, month=begin.month % 12 + 1)
