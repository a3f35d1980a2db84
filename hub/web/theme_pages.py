"""The screens declared by themes: the leader overview at `/`, the others at `/screen/<id>`, and the wall."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse

from hub.api.access import Scope, scope_of
from hub.api.breakdowns import Breakdowns
from hub.api.datasets import Datasets
from hub.api.problems import ParameterError, Problem
from hub.api.questions import Service, known_parameters
from hub.api.timing import timed
from hub.api.v1 import KpiScope
from hub.kpi.inquiry import Inquirer
from hub.kpi.period import PRESETS, Period
from hub.kpi.service import KpiService
from hub.kpi.units import COMMUNE, TODAY
from hub.security.access import Permission
from hub.web import health_views, wall
from hub.web import theme_views as views
from hub.web.periods import Chosen, period_query, period_text
from hub.web.places import UnitSet
from hub.web.rendering import fragment, page, reader_of
from hub.web.shown import Shown, unit_set
from hub.web.theme import HOME, Theme
from streams.kpi import Kpi

router = APIRouter(dependencies=[Depends(known_parameters)], include_in_schema=False)

Units = Annotated[str | None, Query(max_length=16, description="A code set of administrative units")]
At = Annotated[str | None, Query(max_length=16, description="The commune that maps are zoomed in around")]
Kiosk = Annotated[str | None, Query(max_length=400, description="The wall's playlist: ids of screens, empty for all")]
Every = Annotated[int, Query(ge=wall.LEAST_S, le=wall.MOST_S, description="Seconds that each part stands")]
Part = Annotated[int, Query(ge=1, le=99)]


async def _place(units: Units = None, at: At = None) -> tuple[str | None, str | None]:
    return units, at


async def _wish(kiosk: Kiosk = None, every: Every = wall.DEFAULT_S, part: Part = 1) -> wall.Wish:
    return wall.Wish(kiosk, every, part)


Place = Annotated[tuple[str | None, str | None], Depends(_place)]
"""The set of administrative units that maps show, and the commune they are zoomed in around."""
Wished = Annotated[wall.Wish, Depends(_wish)]


@router.get("/")
async def overview(
    request: Request,
    service: Service,
    chosen: Chosen,
    scope: KpiScope,
    place: Place,
    wish: Wished,
) -> HTMLResponse:
    """What the province's leaders look at first."""
    view = await _shown(request, service, _themes(request)[HOME], chosen[1], scope, place)
    return _page(request, _themes(request)[HOME], chosen, view, wish)


@router.get("/screen/{theme_id}")
async def screen(
    request: Request,
    service: Service,
    theme_id: str,
    chosen: Chosen,
    scope: KpiScope,
    place: Place,
    wish: Wished,
) -> HTMLResponse:
    """One field's figures."""
    theme = _theme(request, theme_id)
    view = await _shown(request, service, theme, chosen[1], scope, place)
    return _page(request, theme, chosen, view, wish)


@router.get("/screen/{theme_id}/block/{number}")
async def block(
    request: Request,
    service: Service,
    theme_id: str,
    number: int,
    chosen: Chosen,
    scope: KpiScope,
    place: Place,
) -> HTMLResponse:
    """One block of a screen, for a page that learnt of a change."""
    theme = _theme(request, theme_id)
    if not 0 <= number < len(theme.sections):
        raise Problem("not-found")
    view = await _shown(request, service, theme, chosen[1], scope, place, number)
    values = _block_values(theme, chosen, view)
    return HTMLResponse(fragment("_block.html", view.reader, block=views.block_view(theme, number, view), **values))


def _themes(request: Request) -> Mapping[str, Theme]:
    found: Mapping[str, Theme] = request.app.state.themes
    return found


def _theme(request: Request, theme_id: str) -> Theme:
    themes = _themes(request)
    if theme_id not in themes:
        raise Problem("unknown-screen", values={"id": theme_id[:40], "known": ", ".join(themes)})
    return themes[theme_id]


async def _shown(
    request: Request,
    service: KpiService,
    theme: Theme,
    period: Period,
    scope: Scope,
    place: tuple[str | None, str | None],
    only: int | None = None,
) -> Shown:
    """Everything a theme's blocks lean on, read from the warehouse; with `only` of one block."""
    sets: tuple[UnitSet, ...] = request.app.state.unit_sets
    units, at = place
    if units is not None and units not in {one.name for one in sets}:
        bound = ", ".join(one.name for one in sets) or "–"
        wrong = ParameterError("units", "problem.parameter.bound", {"bound": bound})
        raise Problem("invalid-parameter", [wrong], values={"name": "units"})
    breakdowns: Breakdowns = request.app.state.breakdowns
    inquirer: Inquirer = request.app.state.inquirer
    chosen = unit_set(sets, units, period.end)
    view = TODAY if sets and chosen is sets[-1] else COMMUNE
    with timed(request, "warehouse"):
        board = await run_in_threadpool(lambda: service.board(period, scope.org))
        divided = await run_in_threadpool(
            lambda: {pair: breakdowns.get(*pair, period, scope.org) for pair in views.needed(theme, view, only)}
        )
    reader = reader_of(request)
    departments = await _departments(request, theme, only)
    declared = {kpi.id: kpi.name[reader.language] for kpi in service.kpis}

    def name_of(kpi: Kpi, by: str, key: str) -> str | None:
        return inquirer.named(kpi)(by, key)

    return Shown(board, divided, sets, name_of, reader, units, at, departments, declared)


async def _departments(request: Request, theme: Theme, only: int | None) -> tuple[health_views.DepartmentView, ...]:
    """The data sets by department, for themes that show them to those who may see connectors."""
    blocks = theme.sections if only is None else (theme.sections[only],)
    if not any(block.kind == "feeds" for block in blocks) or not request.state.caller.may(Permission.CONNECTOR_READ):
        return ()
    datasets: Datasets = request.app.state.datasets
    org = scope_of(request, Permission.CONNECTOR_READ).org
    judged = await run_in_threadpool(lambda: datasets.all(org))
    return tuple(health_views.departments(judged, reader_of(request)))


def _block_values(theme: Theme, chosen: tuple[str, Period], view: Shown) -> dict[str, Any]:
    """What the blocks' templates need beside the block: addresses mainly."""
    query = period_query(*chosen)
    place = {name: value for name, value in (("units", view.units), ("at", view.at)) if value}
    place_query = f"&{urlencode(place)}" if place else ""
    return {"theme": theme, "period_query": query, "place_query": place_query, "outage": view.board.outage}


def _page(request: Request, theme: Theme, chosen: tuple[str, Period], view: Shown, wish: wall.Wish) -> HTMLResponse:
    name, period = chosen
    blocks = views.block_views(theme, view)
    standing = wall.standing(wish, theme, blocks, _themes(request), period_query(name, period))
    return page(
        request,
        "theme.html",
        blocks=blocks if standing is None else standing.blocks,
        wall=standing,
        empty=view.board.outage is None and all(tile.answer.basis.as_of is None for tile in view.board.tiles),
        chosen=name,
        period=period,
        presets=PRESETS,
        period_text=period_text(period, view.reader.language),
        live=f"/live?{period_query(name, period)}&screen={theme.id}",
        **_block_values(theme, chosen, view),
    )
