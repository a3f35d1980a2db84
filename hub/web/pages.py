"""The pages' addresses."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.staticfiles import StaticFiles

from hub.api import quarantine
from hub.api.connector_board import ConnectorBoard
from hub.api.datasets import Datasets
from hub.api.gate import wants_page
from hub.api.live import Render, stream
from hub.api.live_feed import Topic
from hub.api.problems import ParameterError, Problem, problem_response
from hub.api.questions import AskedPeriod, Service, known_parameters
from hub.api.timing import timed
from hub.api.v1 import ConnectorScope, KpiScope, QuarantineScope, connectors_in
from hub.kpi.answer import SHARES
from hub.kpi.period import PRESETS, Period, preset, today
from hub.kpi.service import KpiService
from hub.web import (
    catalogue_pages,
    connector_pages,
    department_pages,
    formats,
    health_pages,
    health_views,
    signin,
    upload_pages,
    views,
)
from hub.web.rendering import WEB, fragment, page, reader_of

router = APIRouter(dependencies=[Depends(known_parameters)], include_in_schema=False)

DEFAULT_PRESET = "year"
SHOWN_INCIDENTS = 20


def mount(app: FastAPI) -> None:
    """Add the pages and their static files."""
    app.include_router(router)
    for pages_of in (catalogue_pages, upload_pages, department_pages, connector_pages, health_pages):
        app.include_router(pages_of.router)
    app.include_router(signin.router)
    app.mount("/static/vendor", StaticFiles(directory=WEB / "vendor", check_dir=False), name="vendor")
    app.mount("/static", StaticFiles(directory=WEB / "static"), name="static")


def error_response(request: Request, problem: Problem) -> Response:
    """A problem as a page for people, as problem+json for programs."""
    if not wants_page(request):
        return problem_response(request, problem)
    request.state.problem = problem.slug
    response = page(request, "error.html", problem.status, slug=problem.slug, values=problem.values, live=None)
    response.headers.update(problem.headers)
    return response


Preset = Annotated[str | None, Query(alias="period")]
View = Annotated[str, Query(pattern="^(tiles|table)$")]


def chosen_period(service: Service, asked: AskedPeriod, request: Request, name: Preset = None) -> tuple[str, Period]:
    """A preset by name, or the days asked for; the default is this year."""
    if "from" in request.query_params or "to" in request.query_params:
        return "custom", asked
    if name is not None and name not in PRESETS:
        wrong = ParameterError("period", "problem.parameter.bound", {"bound": ", ".join(PRESETS)})
        raise Problem("invalid-parameter", [wrong], values={"name": "period"})
    chosen = name or DEFAULT_PRESET
    return chosen, preset(chosen, today(service.around.clock(), service.around.timezone))


Chosen = Annotated[tuple[str, Period], Depends(chosen_period)]


@router.get("/")
async def dashboard(
    request: Request, service: Service, chosen: Chosen, scope: KpiScope, view: View = "tiles"
) -> HTMLResponse:
    """All KPIs over a period."""
    name, period = chosen
    with timed(request, "warehouse"):
        board = await run_in_threadpool(lambda: service.board(period, scope.org))
    reader = reader_of(request)
    return page(
        request,
        "dashboard.html",
        groups=views.groups(board, reader, whole=view == "table"),
        outage=board.outage,
        empty=board.outage is None and all(tile.answer.basis.as_of is None for tile in board.tiles),
        chosen=name,
        period=period,
        presets=PRESETS,
        period_text=_period_text(period, reader.language),
        view=view,
        period_query=_period_query(name, period),
        live=f"/live?{_period_query(name, period)}&show={'kpi' if view == 'tiles' else 'row'}",
    )


@router.get("/kpi/{kpi_id}")
async def kpi_page(
    request: Request,
    service: Service,
    kpi_id: str,
    chosen: Chosen,
    scope: KpiScope,
    by: Annotated[str | None, Query(max_length=64)] = None,
) -> HTMLResponse:
    """One KPI: what it means, its figures, and its parts by a dimension."""
    name, period = chosen
    kpi = service.kpi(kpi_id)
    dimensions = service.dimensions(kpi)
    dimension = by or ("org_code" if "org_code" in dimensions else dimensions[0])
    with timed(request, "warehouse"):
        board = await run_in_threadpool(lambda: service.board(period, scope.org))
        rows = await run_in_threadpool(lambda: service.rows(kpi_id, period, dimension, scope.org))
    reader = reader_of(request)
    tile = next(tile for tile in board.tiles if tile.answer.kpi.id == kpi_id)
    return page(
        request,
        "kpi.html",
        tile=views.tile_view(tile, reader),
        outage=board.outage,
        kpi=kpi,
        rows=views.breakdown_view(
            rows, dimension, kpi.kind in SHARES, lambda key: service.name_of(kpi, dimension, key), reader
        ),
        share=kpi.kind in SHARES,
        by=dimension,
        dimensions=dimensions,
        trend=[
            (formats.bucket_text(point.day, tile.grain, reader.language), reader.number(point.figures.value))
            for point in tile.trend
        ],
        period=period,
        period_text=_period_text(period, reader.language),
        period_query=_period_query(name, period),
        live=f"/live?{_period_query(name, period)}&show=kpi",
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
        connectors=[views.connector_view(row, reader) for row in rows],
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
    return page(request, "quarantine_entry.html", item=item, payload=_pretty(item.payload), live=None)


@router.get("/docs")
async def docs(request: Request) -> HTMLResponse:
    """The API's description, from files of the hub itself."""
    return page(request, "docs.html", live=None)


@router.get("/live")
async def live(
    request: Request,
    chosen: Chosen,
    scope: KpiScope,
    show: Annotated[str, Query(pattern="^(kpi|row|connector)$")] = "kpi",
) -> StreamingResponse:
    """Parts of pages as they change; each event is `{"id": element, "html": text}`."""
    name, period = chosen
    return stream(request, Topic(period, scope.org), _renderer(request, show, _period_query(name, period)))


def _renderer(request: Request, show: str, period_query: str) -> Render:
    def render(key: str, item: Any) -> tuple[str, str] | None:
        kind, _, name = key.partition(":")
        reader = reader_of(request)
        if kind == "outage":
            return "part", json.dumps({"id": "outage", "html": fragment("_outage.html", reader, outage=item)})
        if kind != ("kpi" if show == "row" else show):
            return None
        if kind == "kpi":
            template = "_row.html" if show == "row" else "_tile.html"
            html = fragment(template, reader, tile=views.tile_view(item, reader), period_query=period_query)
            return "part", json.dumps({"id": f"kpi-{name}", "html": html})
        html = fragment("_connector.html", reader, row=views.connector_view(item, reader))
        return "part", json.dumps({"id": f"connector-{name}", "html": html})

    return render


def _period_query(name: str, period: Period) -> str:
    return f"from={period.start}&to={period.end}" if name == "custom" else f"period={name}"


def _period_text(period: Period, language: str) -> str:
    first, last = (formats.day_text(day, language) for day in (period.start, period.end))
    return first if period.start == period.end else f"{first} – {last}"


def _pretty(payload: str) -> str:
    try:
        return json.dumps(json.loads(payload), ensure_ascii=False, indent=2)
    except ValueError:
        return payload
