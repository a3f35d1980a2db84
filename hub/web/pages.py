"""The pages' addresses."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles

from hub.api import quarantine
from hub.api.connector_board import ConnectorBoard
from hub.api.datasets import Datasets
from hub.api.gate import wants_page
from hub.api.problems import Problem, problem_response
from hub.api.questions import Service, known_parameters
from hub.api.timing import timed
from hub.api.v1 import ConnectorScope, KpiScope, QuarantineScope, connectors_in
from hub.kpi.period import PRESETS
from hub.kpi.service import KpiService
from hub.web import (
    alert_pages,
    catalogue_pages,
    code_pages,
    connector_pages,
    department_pages,
    entity_pages,
    health_pages,
    health_views,
    kpi_pages,
    live_pages,
    signin,
    sql_pages,
    system_pages,
    theme_pages,
    upload_pages,
    views,
)
from hub.web.periods import Chosen, period_query, period_text
from hub.web.quarantine_entry import entry_page
from hub.web.rendering import WEB, page, reader_of
from hub.web.tile_view import groups

router = APIRouter(dependencies=[Depends(known_parameters)], include_in_schema=False)

SHOWN_INCIDENTS = 20


def mount(app: FastAPI) -> None:
    """Add the pages and their static files."""
    app.include_router(router)
    for pages_of in (
        theme_pages,
        kpi_pages,
        entity_pages,
        alert_pages,
        catalogue_pages,
        code_pages,
        sql_pages,
        upload_pages,
        department_pages,
        system_pages,
        connector_pages,
        health_pages,
        live_pages,
    ):
        app.include_router(pages_of.router)
    app.include_router(signin.router)
    app.mount("/static/vendor", StaticFiles(directory=WEB / "vendor", check_dir=False), name="vendor")
    app.mount("/static", StaticFiles(directory=WEB / "static"), name="static")


def error_response(request: Request, problem: Problem) -> Response:
    """A problem as a page for people, as problem+json for programs."""
    if not wants_page(request):
        return problem_response(request, problem)
    request.state.problem = problem.slug
    told = {"slug": problem.slug, "values": problem.values, "errors": problem.errors}
    response = page(request, "error.html", problem.status, **told, live=None)
    response.headers.update(problem.headers)
    return response


View = Annotated[str, Query(pattern="^(tiles|table)$")]


@router.get("/kpis")
async def all_kpis(
    request: Request, service: Service, chosen: Chosen, scope: KpiScope, view: View = "tiles"
) -> HTMLResponse:
    """Every KPI over a period, by entity."""
    name, period = chosen
    with timed(request, "warehouse"):
        board = await run_in_threadpool(lambda: service.board(period, scope.org))
    reader = reader_of(request)
    return page(
        request,
        "dashboard.html",
        groups=groups(board, reader, whole=view == "table"),
        outage=board.outage,
        empty=board.outage is None and all(tile.answer.basis.as_of is None for tile in board.tiles),
        chosen=name,
        period=period,
        presets=PRESETS,
        period_text=period_text(period, reader.language),
        view=view,
        period_query=period_query(name, period),
        live=f"/live?{period_query(name, period)}&show={'kpi' if view == 'tiles' else 'row'}",
    )


@router.get("/integration")
async def integration(request: Request, scope: ConnectorScope) -> HTMLResponse:
    """The connectors, data sets by department, fourteen days, incidents."""
    board: ConnectorBoard = request.app.state.connectors
    datasets: Datasets = request.app.state.datasets
    service: KpiService = request.app.state.deps.kpis
    with timed(request, "warehouse"):
        rows = await run_in_threadpool(lambda: board.rows(scope.org))
        judged = await run_in_threadpool(lambda: datasets.all(scope.org))
    reader = reader_of(request)
    incidents = datasets.incidents(reader.now - timedelta(days=health_views.DAYS), scope.org)
    return page(
        request,
        "integration.html",
        departments=health_views.departments(judged, reader),
        timelines=health_views.timelines(judged, incidents, reader),
        incidents=health_views.incident_views(incidents[:SHOWN_INCIDENTS], judged, reader),
        systems=views.by_system([views.connector_view(row, reader) for row in rows]),
        outage=service.outage,
        live="/live?period=today&show=connector",
    )


@router.get("/quarantine")
async def quarantine_page(
    request: Request,
    scope: QuarantineScope,
    cursor: Annotated[str | None, Query(max_length=1000)] = None,
    connector: Annotated[str | None, Query(max_length=64)] = None,
) -> HTMLResponse:
    """Refused records, newest first, of all connectors or of one."""
    reader_ = request.app.state.deps.reader
    visible = connectors_in(request, scope)
    if connector is not None:
        if visible is not None and connector not in visible:
            raise Problem("forbidden")
        visible = [connector]
    with timed(request, "warehouse"):
        found = await run_in_threadpool(lambda: quarantine.page(reader_, quarantine.PAGE, cursor, visible))
    return page(request, "quarantine.html", found=found, cursor=cursor, connector=connector, live=None)


@router.get("/quarantine/{entry_id:path}")
async def quarantine_entry(request: Request, entry_id: str, scope: QuarantineScope) -> HTMLResponse:
    """One refused record."""
    reader_ = request.app.state.deps.reader
    visible = connectors_in(request, scope)
    item = await run_in_threadpool(lambda: quarantine.entry(reader_, entry_id, visible))
    return entry_page(request, item)


@router.get("/docs")
async def docs(request: Request) -> HTMLResponse:
    """The API's description, from files of the hub itself."""
    return page(request, "docs.html", live=None)
