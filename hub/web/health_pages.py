"""The page of one data set: the chain with the failing stage, refusals, incidents, and what goes stale."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse

from hub.api.datasets import Datasets
from hub.api.questions import known_parameters
from hub.api.timing import timed
from hub.api.v1 import ConnectorScope
from hub.web import health_views as views
from hub.web.observation_views import charts, hours
from hub.web.rendering import page, reader_of
from hub.web.views import promise_text

router = APIRouter(dependencies=[Depends(known_parameters)], include_in_schema=False)


@router.get("/integration/{dataset}")
async def dataset_page(request: Request, dataset: str, scope: ConnectorScope) -> HTMLResponse:
    """Why a data set is in its state."""
    datasets: Datasets = request.app.state.datasets
    with timed(request, "warehouse"):
        found = await run_in_threadpool(lambda: datasets.why(dataset, scope.org))
        seen = await run_in_threadpool(lambda: datasets.observed(found[0].judged.feed))
    why, reader = found[0], reader_of(request)
    return page(
        request,
        "dataset.html",
        why=why,
        dataset=views.dataset_view(why.judged, reader),
        stages=views.stage_views(why, reader),
        promise=promise_text(why.judged.feed, reader),
        charts=charts(why.judged.feed, seen, reader),
        hours=hours(seen, reader),
        line=views.timelines([why.judged], why.incidents, reader)[0],
        incidents=views.incident_views(why.incidents, [why.judged], reader),
        live=None,
    )
