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
from hub.web.rendering import page, reader_of

router = APIRouter(dependencies=[Depends(known_parameters)], include_in_schema=False)


@router.get("/integration/{dataset}")
async def dataset_page(request: Request, dataset: str, scope: ConnectorScope) -> HTMLResponse:
    """Why a data set is in its state."""
    datasets: Datasets = request.app.state.datasets
    with timed(request, "warehouse"):
        found = await run_in_threadpool(lambda: datasets.why(dataset, scope.org))
    why, reader = found[0], reader_of(request)
    return page(
        request,
        "dataset.html",
        why=why,
        dataset=views.dataset_view(why.judged, reader),
        stages=views.stage_views(why, reader),
        incidents=views.incident_views(why.incidents, [why.judged], reader),
        live=None,
    )
