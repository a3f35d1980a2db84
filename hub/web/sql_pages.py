"""The SQL page, for operators and administrators: ask, see a table with units, save, share. Works without scripts."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Form, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, RedirectResponse

from hub.api.alerts import caller_name
from hub.api.asking import wrong
from hub.api.language import texts_of
from hub.api.problems import Problem
from hub.api.questions import known_parameters
from hub.api.refusals import REFUSALS
from hub.api.sql import Desk, Named, Saved, SqlScope, Statement, Store, run_watched, values_asked
from hub.kpi.errors import WarehouseAwayError
from hub.sql.check import MAX_LENGTH, Checked, Parameter, parameters_of, place_of
from hub.sql.desk import SqlDesk
from hub.sql.errors import SqlError, SqlFailedError, SqlParameterError, SqlRefusedError
from hub.sql.offered import Offered
from hub.sql.saved import MAX_NAME, SavedQuery
from hub.web import sql_views as views
from hub.web.rendering import page, reader_of

router = APIRouter(prefix="/sql", dependencies=[Depends(known_parameters)], include_in_schema=False)

Rows = Annotated[int, Query(ge=1, le=views.MOST_SHOWN)]


@dataclass(slots=True)
class _Asked:
    """What became of a question: an answer, a fault with its status, or parameters that wait for a value."""

    text: str
    values: dict[str, str]
    parameters: tuple[Parameter, ...] = ()
    waiting: tuple[str, ...] = ()
    result: views.ResultView | None = None
    fault: views.FaultView | None = None
    status: int = 200
    tables: Mapping[str, Offered] = field(default_factory=dict)


@router.get("")
async def sql_page(
    request: Request,
    desk: Desk,
    store: Store,
    scope: SqlScope,
    query: Statement = None,
    saved: Saved = None,
    limit: Rows = views.SHOWN_LIMIT,
    param: Named = None,
) -> HTMLResponse:
    """The whole question is in the address: a statement or a saved one, and the values of its parameters."""
    if query is not None and saved is not None:
        raise wrong("query", "query, saved")
    opened = await run_in_threadpool(lambda: store.get(saved)) if saved is not None else None
    text = (opened.query if opened is not None else query or "").replace("\r\n", "\n")
    asked = _Asked(text, values_asked(request))
    await _answer(request, desk, asked, limit)
    return await _shown(request, store.all, asked, opened, limit)


@router.post("/saved")
async def save(
    request: Request,
    desk: Desk,
    store: Store,
    scope: SqlScope,
    name: Annotated[str, Form(min_length=1, max_length=MAX_NAME)],
    query: Annotated[str, Form(min_length=1, max_length=MAX_LENGTH)],
    values: Annotated[str, Form(max_length=MAX_LENGTH)] = "",
) -> RedirectResponse:
    """Checked, kept, and opened by its address, with the values it was asked with."""
    text = query.replace("\r\n", "\n")
    await run_in_threadpool(lambda: desk.check(text))
    made = await run_in_threadpool(lambda: store.save(name, text, caller_name(request)))
    return RedirectResponse(f"/sql?saved={made.id}{'&' if values else ''}{values}", 303)


@router.post("/saved/{query_id}/delete")
async def delete(request: Request, store: Store, scope: SqlScope, query_id: str) -> RedirectResponse:
    """One's own; an administrator may delete all."""
    found = await run_in_threadpool(lambda: store.get(query_id))
    if found.owner != caller_name(request) and request.state.caller.role != "admin":
        raise Problem("forbidden")
    await run_in_threadpool(lambda: store.delete(query_id))
    return RedirectResponse("/sql", 303)


async def _answer(request: Request, desk: SqlDesk, asked: _Asked, limit: int) -> None:
    """Fill in what became of the question."""
    try:
        asked.tables = await run_in_threadpool(desk.tables)
        if not asked.text.strip():
            return
        asked.parameters = await run_in_threadpool(lambda: parameters_of(asked.text))
        known = {one.name: one.type for one in asked.parameters}
        asked.values = {name: value for name, value in asked.values.items() if name in known}
        asked.waiting = tuple(name for name, kind in known.items() if not _given(name, kind, asked.values))
        checked = await run_in_threadpool(lambda: desk.check(asked.text, limit))
        if not asked.waiting:
            await _run(request, desk, asked, checked)
    except (SqlError, WarehouseAwayError) as error:
        asked.fault, asked.status = _fault(request, error, asked.text)


def _given(name: str, kind: str, values: Mapping[str, str]) -> bool:
    """An empty field is a value of a text alone."""
    return name in values and (values[name] != "" or kind == "String")


async def _run(request: Request, desk: SqlDesk, asked: _Asked, checked: Checked) -> None:
    begun = time.perf_counter()
    answer = await run_watched(request, desk, checked, asked.values)
    ms = (time.perf_counter() - begun) * 1000
    asked.result = views.result_view(answer, checked, asked.values, ms, reader_of(request))


def _fault(request: Request, error: SqlError | WarehouseAwayError, text: str) -> tuple[views.FaultView, int]:
    t = texts_of(request)
    if isinstance(error, WarehouseAwayError):
        words = t("problem.warehouse-away.detail", cause=t.cause(error.cause))
        return views.fault_view(words, text), 503
    problem = REFUSALS[type(error)](error)
    if isinstance(error, SqlParameterError):
        words = t("sql.parameter_wrong", name=error.name, kind=error.wanted)
        return views.fault_view(words, text, place_of(text, "{" + error.name.removeprefix("param_"))), problem.status
    told = problem.values.get("why", "")
    words = told[t.language] if isinstance(told, Mapping) else str(told)
    if isinstance(error, SqlRefusedError | SqlFailedError):
        return views.fault_view(words, text, error.place, error.nearest), problem.status
    return views.fault_view(words, text), problem.status


async def _shown(
    request: Request, all_saved: Any, asked: _Asked, opened: SavedQuery | None, limit: int
) -> HTMLResponse:
    reader, caller = reader_of(request), request.state.caller
    items = await run_in_threadpool(all_saved)
    values = urlencode([(f"param_{name}", value) for name, value in asked.values.items()])
    start = ("saved", opened.id) if opened is not None else ("query", asked.text)
    address = f"{request.url.scheme}://{request.url.netloc}/sql?{urlencode([start])}{'&' if values else ''}{values}"
    return page(
        request,
        "sql.html",
        asked.status,
        asked=asked,
        opened=opened,
        limit=limit,
        most_shown=views.MOST_SHOWN,
        values=values,
        address=address,
        saved=views.saved_views(items, caller_name(request), caller.role == "admin", reader),
        examples=views.example_views(asked.tables),
        functions=views.FUNCTIONS,
        live=None,
    )
