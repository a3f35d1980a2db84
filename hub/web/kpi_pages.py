"""Explaining a figure: why it is what it is, down to its records, and what it was known to be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse

from hub.api.asking import AskedWhere, wrong
from hub.api.kpis import Explaining, inquirer_of
from hub.api.questions import Service, known_parameters
from hub.api.timing import timed
from hub.api.v1 import KpiScope
from hub.kpi.answer import SHARES
from hub.kpi.errors import WarehouseAwayError
from hub.kpi.explain import Explainer, Explanation, roles_of
from hub.kpi.inquiry import Finding, Inquirer, Inquiry
from hub.kpi.period import PRESETS, Period
from hub.kpi.service import Tile
from hub.web import explain_views as views
from hub.web import formats
from hub.web.periods import Chosen, period_query, period_text
from hub.web.record_views import RecordTable, columns_for, record_table
from hub.web.rendering import page, reader_of
from hub.web.tile_view import tile_view
from hub.web.views import Reader, breakdown_view
from streams.kpi import Kpi

router = APIRouter(dependencies=[Depends(known_parameters)], include_in_schema=False)

FIRST_RECORDS = 10
RECORDS = 50
"""Records of the explanation, and of a page of their own."""
LINKED = "org_code"
"""The dimension whose values lead on to the figure of one unit."""

Known = Annotated[
    str | None, Query(max_length=32, description="As it was known at this moment of the province, YYYY-MM-DDThh:mm")
]
By = Annotated[str | None, Query(max_length=64)]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a page of one KPI is asked for, checked."""

    name: str
    period: Period
    inquiry: Inquiry
    known: str | None

    def query(self, **more: str) -> str:
        """The same question in an address."""
        kept = [(f"where[{field}]", value) for field, values in self.inquiry.where for value in values]
        pairs = [*kept, *(("known", self.known),) * bool(self.known), *more.items()]
        return "&".join(filter(None, [period_query(self.name, self.period), urlencode(pairs)]))


async def asked_of(
    service: Service, kpi_id: str, chosen: Chosen, scope: KpiScope, where: AskedWhere, known: Known = None
) -> Asked:
    """The question of a page; a problem names what is wrong with it."""
    name, period = chosen
    known_at = None
    if known:
        now = service.around.clock()
        try:
            known_at = datetime.fromisoformat(known).replace(tzinfo=ZoneInfo(service.around.timezone))
        except ValueError as error:
            raise wrong("known", "2022-09-19T17:00") from error
        if known_at > now:
            raise wrong("known", f"≤ {now.astimezone(known_at.tzinfo).isoformat(timespec='minutes')}")
    return Asked(name, period, Inquiry(kpi_id, period, scope.org, where=where, known_at=known_at), known or None)


AskedPage = Annotated[Asked, Depends(asked_of)]


@dataclass(frozen=True, slots=True)
class _Read:
    """Everything of one page, read from the warehouse. `now`: the figure as it is, beside one of an earlier time."""

    explanation: Explanation
    now: Finding | None
    rows: Finding | None


@router.get("/kpi/{kpi_id}")
async def kpi_page(
    request: Request, service: Service, explainer: Explaining, asked: AskedPage, by: By = None
) -> HTMLResponse:
    """One KPI: its formula with its figures, what changed it, its records, its parts and where its data come from."""
    kpi, inquirer = service.kpi(asked.inquiry.kpi_id), inquirer_of(request)
    dimensions = inquirer.dimensions(kpi)
    dimension = by or (LINKED if LINKED in dimensions else next(iter(dimensions), None))
    reader = reader_of(request)
    with timed(request, "warehouse"):
        board = await run_in_threadpool(lambda: service.board(asked.period, asked.inquiry.org))
        read = await run_in_threadpool(lambda: _read(explainer, inquirer, asked, dimension, reader))
    tile = next(tile for tile in board.tiles if tile.answer.kpi.id == kpi.id)
    live = asked.inquiry.known_at is None and not asked.inquiry.where
    if read is not None and not live:
        tile = Tile(read.explanation.finding.answer)
    return page(
        request,
        "kpi.html",
        tile=tile_view(tile, reader),
        kpi=kpi,
        outage=board.outage,
        trend=_trend(tile, reader),
        asked=asked,
        narrowed=", ".join(_names(inquirer, kpi, field, values) for field, values in asked.inquiry.where),
        told=None if read is None else _told(read, inquirer, reader),
        parts=None if read is None else _divided(read, inquirer, dimension, reader),
        by=dimension,
        dimensions=dimensions,
        share=kpi.kind in SHARES,
        linked=dimension == LINKED and not asked.inquiry.where,
        presets=PRESETS,
        chosen=asked.name,
        period=asked.period,
        period_text=period_text(asked.period, reader.language),
        period_query=period_query(asked.name, asked.period),
        live=f"/live?{period_query(asked.name, asked.period)}&show=kpi" if live else None,
    )


@router.get("/kpi/{kpi_id}/records")
async def records_page(
    request: Request,
    service: Service,
    explainer: Explaining,
    asked: AskedPage,
    role: Annotated[str | None, Query(max_length=32)] = None,
    cursor: Annotated[str | None, Query(max_length=1000)] = None,
) -> HTMLResponse:
    """The records behind a figure, page by page; each with what it adds."""
    kpi, inquirer = service.kpi(asked.inquiry.kpi_id), inquirer_of(request)
    roles = roles_of(kpi)
    shown = role or next(iter(roles), "")
    reader = reader_of(request)
    with timed(request, "warehouse"):
        found = await run_in_threadpool(lambda: explainer.records(asked.inquiry, shown, RECORDS, cursor))
        finding = await run_in_threadpool(lambda: inquirer.find(asked.inquiry))
    return page(
        request,
        "kpi_records.html",
        kpi=kpi,
        asked=asked,
        role=shown,
        roles=roles,
        figures=views.figures_line(finding, reader),
        records=_table(kpi, shown, found.items, inquirer, reader),
        entity=kpi.entity,
        cursor=cursor,
        next=found.next,
        period_text=period_text(asked.period, reader.language),
        period_query=period_query(asked.name, asked.period),
        live=None,
    )


def _read(explainer: Explainer, inquirer: Inquirer, asked: Asked, by: str | None, reader: Reader) -> _Read | None:
    """None while the warehouse does not answer."""
    inquiry = asked.inquiry
    try:
        explanation = explainer.explain(inquiry, reader.language, limit=FIRST_RECORDS)
        now = inquirer.find(replace(inquiry, known_at=None)) if inquiry.known_at is not None else None
        rows = inquirer.find(replace(inquiry, by=by)) if by is not None else None
    except WarehouseAwayError:
        return None
    return _Read(explanation, now, rows)


def _told(read: _Read, inquirer: Inquirer, reader: Reader) -> dict[str, Any]:
    found = read.explanation
    kpi = found.finding.answer.kpi
    table = None
    if found.page is not None and found.role is not None:
        table = _table(kpi, found.role, found.page.items, inquirer, reader)
    return {
        "formula": found.formula,
        "worked": views.worked(found, reader),
        "terms": views.term_views(found, reader),
        "changed": views.changed_view(found, inquirer.named(kpi), reader),
        "origins": found.origins,
        "reported": views.reported_view(found.finding, reader),
        "figures": views.figures_line(found.finding, reader),
        "now": None if read.now is None else views.figures_line(read.now, reader),
        "roles": roles_of(kpi),
        "role": found.role,
        "records": table,
        "more": found.page is not None and found.page.next is not None,
    }


def _divided(read: _Read, inquirer: Inquirer, by: str | None, reader: Reader) -> dict[str, Any] | None:
    if read.rows is None or by is None:
        return None
    kpi = read.rows.answer.kpi
    named = inquirer.named(kpi)
    lines = breakdown_view(read.rows.rows or (), by, kpi.kind in SHARES, lambda key: named(by, key), reader)
    return {"lines": lines, "units": read.rows.units}


def _table(kpi: Kpi, role: str, items: Sequence[Mapping[str, Any]], inquirer: Inquirer, reader: Reader) -> RecordTable:
    contract, plan = inquirer.contracts[kpi.entity], inquirer.service.plans[kpi.entity]
    return record_table(items, columns_for(contract, plan, [kpi.terms[role]]), inquirer.named(kpi), reader)


def _names(inquirer: Inquirer, kpi: Kpi, field: str, values: tuple[str, ...]) -> str:
    return ", ".join(inquirer.named(kpi)(field, value) or value for value in values)


def _trend(tile: Tile, reader: Reader) -> list[tuple[str, str]]:
    return [
        (formats.bucket_text(point.day, tile.grain, reader.language), reader.number(point.figures.value))
        for point in tile.trend
    ]
