"""`/v1`: connectors and the quarantine as JSON."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from hub.api import quarantine
from hub.api.access import Scope, scope_of
from hub.api.connector_board import ConnectorBoard
from hub.api.language import language_of
from hub.api.problems import Problem
from hub.api.questions import known_parameters
from hub.api.shapes import connector_json
from hub.api.timing import timed
from hub.security.access import Permission, within

Answer = TypeVar("Answer")

router = APIRouter(prefix="/v1", dependencies=[Depends(known_parameters)])


async def blocking(request: Request, name: str, call: Callable[[], Answer]) -> Answer:
    """Run a call that waits for the warehouse on a thread, its time shown in Server-Timing."""
    with timed(request, name):
        return await run_in_threadpool(call)


def scope_for(permission: Permission) -> Callable[[Request], Awaitable[Scope]]:
    """A dependency: the caller's scope, if the role has `permission`."""

    async def scope(request: Request) -> Scope:
        return scope_of(request, permission)

    return scope


def connectors_in(request: Request, scope: Scope) -> list[str] | None:
    """The connectors a scope holds; None: all."""
    if scope.org is None:
        return None
    feeds = request.app.state.deps.kpis.around.feeds
    return [feed.connector for feed in feeds if within(feed.org, scope.org)]


KpiScope = Annotated[Scope, Depends(scope_for(Permission.KPI_READ))]
ConnectorScope = Annotated[Scope, Depends(scope_for(Permission.CONNECTOR_READ))]
QuarantineScope = Annotated[Scope, Depends(scope_for(Permission.QUARANTINE_READ))]


@router.get("/connectors", summary="The connectors' state")
async def list_connectors(request: Request, scope: ConnectorScope) -> JSONResponse:
    """Last event, rate, lag, quarantine and state of every connector. With the warehouse away its columns are null."""
    board: ConnectorBoard = request.app.state.connectors
    rows = await blocking(request, "warehouse", lambda: board.rows(scope.org))
    language = language_of(request)
    return JSONResponse({"items": [connector_json(row, language) for row in rows]})


@router.get("/quarantine", summary="Refused records, newest first")
async def list_quarantine(
    request: Request,
    scope: QuarantineScope,
    limit: Annotated[int, Query(ge=1, le=quarantine.MAX_PAGE)] = quarantine.PAGE,
    cursor: Annotated[str | None, Query(max_length=1000, description="`next` of the page before")] = None,
    connector: Annotated[str | None, Query(max_length=64)] = None,
) -> JSONResponse:
    """`next` leads to older entries; it is null on the last page."""
    visible = connectors_in(request, scope)
    if connector is not None:
        if visible is not None and connector not in visible:
            raise Problem("forbidden")
        visible = [connector]
    reader = request.app.state.deps.reader
    found = await blocking(request, "warehouse", lambda: quarantine.page(reader, limit, cursor, visible))
    language = language_of(request)
    headers = {}
    if found.next:
        url = request.url.include_query_params(cursor=found.next)
        headers["Link"] = f'<{url.path}?{url.query}>; rel="next"'
    items = [quarantine.entry_json(item, language) for item in found.entries]
    return JSONResponse({"items": items, "next": found.next}, headers=headers)


@router.get("/quarantine/{entry_id:path}", summary="One refused record")
async def read_quarantine(request: Request, entry_id: str, scope: QuarantineScope) -> JSONResponse:
    visible = connectors_in(request, scope)
    reader = request.app.state.deps.reader
    item = await blocking(request, "warehouse", lambda: quarantine.entry(reader, entry_id, visible))
    return JSONResponse(quarantine.entry_json(item, language_of(request)))
