"""The application: routes, errors and the live feed put together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from connectors.errors import ConnectorError
from hub.api import alerts, catalogue, codes, entities, health, integration, kpis, live, sql, v1
from hub.api.breakdowns import Breakdowns
from hub.api.connector_board import ConnectorBoard
from hub.api.datasets import Datasets
from hub.api.deps import ApiDeps
from hub.api.described import describe
from hub.api.gate import Gate
from hub.api.invalid import invalid
from hub.api.language import texts_of
from hub.api.live_feed import LiveFeed
from hub.api.metrics import http_metrics
from hub.api.problems import Problem, problem_response
from hub.api.refusals import REFUSALS
from hub.api.shelf import Shelf
from hub.connect.faults import Fault
from hub.entities.service import Entities
from hub.kpi.errors import WarehouseAwayError
from hub.kpi.explain import Explainer
from hub.kpi.inquiry import Inquirer
from hub.kpi.units import Units
from hub.web import connector_pages, pages

RETRY_AFTER_S = 2
"""Told to clients while the warehouse is away."""


def create_api(deps: ApiDeps) -> FastAPI:
    """The whole HTTP face over `deps`. Starts nothing before its lifespan begins."""
    app = FastAPI(
        title="IOC integration hub",
        version=deps.version,
        description="KPIs with what they rest on, connectors, quarantine, live updates.",
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan,
    )
    app.state.deps = deps
    app.state.language = deps.language
    app.state.metrics = http_metrics(deps.metrics, deps.version)
    app.state.connectors = ConnectorBoard(deps.kpis)
    app.state.themes = deps.themes
    app.state.unit_sets = deps.unit_sets
    app.state.datasets = Datasets(
        deps.kpis, deps.reader, deps.incidents, deps.way, deps.observed, deps.judged_kept, deps.judged
    )
    declared = deps.catalogue.declared if deps.catalogue is not None else None
    in_use, tables = (declared.in_use, declared.codes) if declared is not None else ({}, {})
    app.state.inquirer = Inquirer(deps.kpis, in_use, Units.of(tables))
    app.state.explainer = Explainer(app.state.inquirer)
    app.state.breakdowns = Breakdowns(app.state.inquirer)
    app.state.entities = Entities(deps.kpis, in_use)
    app.router.routes.extend(deps.extra_routes)
    for part in (v1, kpis, entities, sql, alerts, integration, catalogue, codes, live, health):
        app.include_router(part.router)
    pages.mount(app)
    describe(app)
    app.add_middleware(Shelf, stamp=deps.kpis.written, lately=deps.kpis.foundations.written_lately)
    app.add_middleware(Gate, access=deps.access, metrics=app.state.metrics, requests_per_s=deps.requests_per_s)
    _handle_errors(app)
    _handle_connector_errors(app)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    feed = LiveFeed(app.state.deps.kpis, app.state.connectors)
    app.state.live = feed
    feed.start()
    try:
        yield
    finally:
        await feed.stop()


def end_streams(app: FastAPI) -> None:
    """Let open live streams finish at once; call it when the server is asked to end."""
    feed: LiveFeed | None = getattr(app.state, "live", None)
    if feed is not None:
        feed.close()


def _answered_by(problem_of: Callable[[Any], Problem]) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def answer(request: Request, error: Exception) -> Response:
        return pages.error_response(request, problem_of(error))

    return answer


def _handle_errors(app: FastAPI) -> None:
    @app.exception_handler(Problem)
    async def on_problem(request: Request, error: Problem) -> Response:
        return pages.error_response(request, error)

    for kind, problem_of in REFUSALS.items():
        app.add_exception_handler(kind, _answered_by(problem_of))

    @app.exception_handler(WarehouseAwayError)
    async def on_warehouse_away(request: Request, error: WarehouseAwayError) -> Response:
        problem = Problem(
            "warehouse-away",
            headers={"Retry-After": str(RETRY_AFTER_S)},
            values={"cause": texts_of(request).cause(error.cause)},
        )
        return pages.error_response(request, problem)

    @app.exception_handler(RequestValidationError)
    async def on_invalid(request: Request, error: RequestValidationError) -> Response:
        return pages.error_response(request, invalid(error))

    @app.exception_handler(HTTPException)
    async def on_http(request: Request, error: HTTPException) -> Response:
        # 400: a body that no parser takes, such as one nested without end.
        slugs = {400: "invalid-body", 404: "not-found", 405: "method-not-allowed"}
        slug = slugs.get(error.status_code, "internal")
        return pages.error_response(request, Problem(slug, headers=error.headers))

    @app.exception_handler(Exception)
    async def on_unforeseen(request: Request, error: Exception) -> Response:
        return problem_response(request, Problem("internal"))


def _handle_connector_errors(app: FastAPI) -> None:
    @app.exception_handler(ConnectorError)
    async def on_connector_error(request: Request, error: ConnectorError) -> Response:
        return pages.error_response(request, connector_pages.refused(error, texts_of(request).language))

    @app.exception_handler(Fault)
    async def on_fault(request: Request, error: Fault) -> Response:
        return pages.error_response(request, connector_pages.refused(error, texts_of(request).language))
