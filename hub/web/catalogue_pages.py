"""The catalogue's pages: the list of data sets, and one data set with its fields, sources, figures and versions."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse

from hub.api.catalogue import CatalogueScope, Given, compared, entries, entry, versions
from hub.api.questions import known_parameters
from hub.api.timing import timed
from hub.catalogue.downloads import FORMATS
from hub.web import catalogue_views as views
from hub.web.rendering import page, reader_of

router = APIRouter(dependencies=[Depends(known_parameters)], include_in_schema=False)

Version = Annotated[int | None, Query(ge=1)]


@router.get("/catalogue")
async def catalogue_page(request: Request, catalogue: Given, scope: CatalogueScope) -> HTMLResponse:
    """All data sets, those in use first."""
    with timed(request, "warehouse"):
        found = await run_in_threadpool(lambda: entries(request, catalogue, scope))
    reader = reader_of(request)
    shown = [views.entry_view(item, reader) for item in found]
    return page(
        request,
        "catalogue.html",
        groups=[
            (key, [view for view in shown if view.in_use is used])
            for key, used in (("catalogue.in_use", True), ("catalogue.not_in_use", False))
        ],
        outage=request.app.state.deps.kpis.outage,
        live=None,
    )


@router.get("/catalogue/{entity}")
async def entity_page(
    request: Request,
    catalogue: Given,
    scope: CatalogueScope,
    entity: str,
    start: Annotated[Version, Query(alias="from")] = None,
    end: Annotated[Version, Query(alias="to")] = None,
) -> HTMLResponse:
    """One data set; with `from` and `to` also what one version changes of another."""
    with timed(request, "warehouse"):
        found = await run_in_threadpool(lambda: entry(request, catalogue, scope, entity))
    history = await versions(request, catalogue, entity)
    difference = None
    if start is not None and end is not None:
        difference = await run_in_threadpool(lambda: compared(catalogue, entity, start, end))
    reader = reader_of(request)
    sources, kpis = catalogue.lineage(entity)
    return page(
        request,
        "catalogue_entity.html",
        entry=views.entry_view(found, reader),
        facts=views.facts(found, reader),
        own=views.fields(found.contract, reader, sources, kpis, envelope=False),
        envelope=views.fields(found.contract, reader, sources, kpis, envelope=True),
        history=None if history is None else [views.version_view(item, reader) for item in history],
        difference=None if difference is None else [(item.path, item.text(reader.language)) for item in difference],
        compared=(start, end),
        formats=tuple(FORMATS),
        outage=request.app.state.deps.kpis.outage,
        live=None,
    )
