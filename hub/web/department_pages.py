"""A department's page: its connectors, last records, quarantine, control totals and keys; nothing of another's."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, JSONResponse, Response

from hub.api import department, quarantine
from hub.api.access import Scope
from hub.api.connector_board import ConnectorBoard
from hub.api.gate import wants_page
from hub.api.language import texts_of
from hub.api.problems import Problem
from hub.api.questions import known_parameters
from hub.api.timing import timed
from hub.api.v1 import ConnectorScope, QuarantineScope
from hub.connector_replay import NotMendedError, Replayed
from hub.kpi.errors import WarehouseAwayError
from hub.security.access import Permission, within
from hub.web import connector_views, views
from hub.web.connector_pages import GivenDesk, OperateScope, caller_in
from hub.web.quarantine_entry import Mending, entry_page
from hub.web.rendering import page, reader_of

JSON = "application/json"

router = APIRouter(dependencies=[Depends(known_parameters)], include_in_schema=False)

Org = Annotated[str | None, Query(max_length=64, pattern=r"^H\d{2}(\.\d+)*$", description="A unit's code")]


def _narrowed(scope: Scope, org: str | None) -> str | None:
    """The unit looked at: the caller's own, or one below it."""
    if org is None:
        return scope.org
    if scope.org is not None and not within(org, scope.org):
        raise Problem("forbidden")
    return org


@router.get("/department")
async def department_page(request: Request, desk: GivenDesk, scope: ConnectorScope, org: Org = None) -> HTMLResponse:
    """Of the caller's unit; for those who see the whole province of all units, or of one."""
    unit, reader, deps = _narrowed(scope, org), reader_of(request), request.app.state.deps
    board: ConnectorBoard = request.app.state.connectors
    with timed(request, "warehouse"):
        rows = await run_in_threadpool(lambda: board.rows(unit))
        feeds = [row.feed for row in rows]
        try:
            totals = await run_in_threadpool(lambda: department.totals(deps.kpis, rows))
            recent = await run_in_threadpool(lambda: department.recent(deps.reader, feeds, unit))
            refused = await run_in_threadpool(lambda: department.refusals(deps.reader, feeds))
        except WarehouseAwayError:
            totals, recent, refused = [], [], []
    shown = {row.feed.connector for row in rows}
    waiting = [
        (known.declared, connector_views.word_of(known, reader))
        for known in desk.own(caller_in(request))
        if known.declared.waits
        and known.declared.id not in shown
        and (unit is None or within(known.declared.registered.org, unit))
    ]
    keys = [key for key in desk.made_keys() if unit is None or (key.org is not None and within(key.org, unit))]
    return page(
        request,
        "department.html",
        unit=unit,
        connectors=[views.connector_view(row, reader) for row in rows],
        waiting=waiting,
        totals=totals,
        recent=recent,
        refused=refused,
        keys=[connector_views.key_view(key, reader) for key in keys],
        may_write=caller_in(request).may(Permission.CONNECTOR_WRITE),
        outage=deps.kpis.outage,
        live=None,
    )


@router.post("/connectors/{connector}/replay")
async def replay(
    request: Request, desk: GivenDesk, scope: OperateScope, seen: QuarantineScope, connector: str
) -> HTMLResponse:
    """Publish the connector's refused records again, all or those with one reason, by its mapping of today."""
    form = await request.form()
    code = str(form.get("reason_code", "")) or None
    desk.known(connector, caller_in(request))
    reader = request.app.state.deps.reader
    with timed(request, "warehouse"):
        entries = await run_in_threadpool(lambda: quarantine.of_reason(reader, connector, code))
    outcome = await desk.replay(connector, entries, caller_in(request))
    return page(request, "replayed.html", connector=connector, outcome=outcome, live=None)


@router.post("/connectors/{connector}/mend")
async def mend(
    request: Request, desk: GivenDesk, scope: OperateScope, seen: QuarantineScope, connector: str
) -> Response:
    """Publish a record, put right by a person, in the place of a refused one; what is wrong with it is shown again."""
    given = await request.json() if request.headers.get("content-type") == JSON else await request.form()
    entry_id, text = str(given.get("entry", "")), str(given.get("record", ""))
    known = desk.known(connector, caller_in(request)).declared
    if not entry_id or not text:
        raise Problem("invalid-body")
    reader = request.app.state.deps.reader
    with timed(request, "warehouse"):
        entry = await run_in_threadpool(lambda: quarantine.entry(reader, entry_id, [known.id]))
    try:
        fields = await desk.mend(connector, entry, text, caller_in(request))
    except NotMendedError as error:
        if not wants_page(request):
            raise
        return entry_page(request, entry, Mending(text, error.text.to(texts_of(request).language)), 422)
    if not wants_page(request):
        return JSONResponse({"published": 1, "mended": list(fields)})
    return page(request, "replayed.html", connector=connector, outcome=Replayed(1, 0, 0), live=None)
