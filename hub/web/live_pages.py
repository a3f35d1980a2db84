"""`/live`: parts of open pages as they change."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import StreamingResponse

from hub.api.live import Render, stream
from hub.api.live_feed import Topic
from hub.api.problems import Problem
from hub.api.questions import known_parameters
from hub.api.v1 import KpiScope
from hub.kpi.service import KpiService
from hub.web import views
from hub.web.periods import Chosen, period_query
from hub.web.rendering import fragment, reader_of
from hub.web.theme import Theme
from hub.web.tile_view import tile_view
from streams.plan import Kpi

router = APIRouter(dependencies=[Depends(known_parameters)], include_in_schema=False)

FEEDS = "feeds"
"""What a block that shows data sets leans on, in the place of KPIs."""


@router.get("/live")
async def live(
    request: Request,
    chosen: Chosen,
    scope: KpiScope,
    show: Annotated[str, Query(pattern="^(kpi|row|connector)$")] = "kpi",
    screen: Annotated[str | None, Query(max_length=32)] = None,
) -> StreamingResponse:
    """Events `part` are `{"id": element, "html": text}`; `touched` names a KPI whose blocks are to be read again."""
    name, period = chosen
    query = period_query(name, period)
    variant = (reader_of(request).language, show, screen, query, scope.org)
    topic = Topic(period, scope.org)
    if screen is None:
        return stream(request, topic, _of_kind(request, show, query), variant)
    themes: dict[str, Theme] = request.app.state.themes
    if screen not in themes:
        raise Problem("unknown-screen", values={"id": screen, "known": ", ".join(themes)})
    service: KpiService = request.app.state.deps.kpis
    return stream(request, topic, _of_screen(request, themes[screen], service.kpis, query), variant)


def _of_kind(request: Request, show: str, query: str) -> Render:
    """Tiles, rows of KPIs, or connectors."""

    def render(key: str, item: Any) -> tuple[str, str] | None:
        kind, _, name = key.partition(":")
        if kind == "outage":
            return _outage(request, item)
        if kind != ("kpi" if show == "row" else show):
            return None
        reader = reader_of(request)
        if kind == "kpi":
            template = "_row.html" if show == "row" else "_tile.html"
            html = fragment(template, reader, tile=tile_view(item, reader), period_query=query)
            return _part(f"kpi-{name}", html)
        return _part(f"connector-{name}", fragment("_connector.html", reader, row=views.connector_view(item, reader)))

    return render


def _of_screen(request: Request, theme: Theme, kpis: Iterable[Kpi], query: str) -> Render:
    """The tiles of a screen, and what its other blocks lean on."""
    declared = [(kpi.id, kpi.entity) for kpi in kpis if kpi.tile]
    tiled: set[str] = set()
    leaned: set[str] = set()
    for block in theme.sections:
        (tiled if block.kind == "tiles" else leaned).update(theme.kpis_of(block, declared))
    feeds = any(block.kind == "feeds" for block in theme.sections)

    def render(key: str, item: Any) -> tuple[str, str] | None:
        kind, _, name = key.partition(":")
        if kind == "outage":
            return _outage(request, item)
        if kind == "connector":
            return ("touched", json.dumps({"kpi": FEEDS})) if feeds else None
        if name in tiled:
            reader = reader_of(request)
            html = fragment("_tile.html", reader, tile=tile_view(item, reader), period_query=query)
            return _part(f"kpi-{name}", html)
        return ("touched", json.dumps({"kpi": name})) if name in leaned else None

    return render


def _outage(request: Request, item: Any) -> tuple[str, str]:
    return _part("outage", fragment("_outage.html", reader_of(request), outage=item))


def _part(element: str, html: str) -> tuple[str, str]:
    return "part", json.dumps({"id": element, "html": html})
