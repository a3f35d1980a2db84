"""`/v1/sql`: questions of operators and administrators in SQL, read-only; saved ones have addresses to share."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from hub.api.access import Scope
from hub.api.alerts import caller_name
from hub.api.asking import wrong
from hub.api.files import ForExcel, checked_form, file_answer
from hub.api.kpi_shapes import value_json
from hub.api.language import language_of
from hub.api.problems import Problem
from hub.api.questions import PARAMETERS, known_parameters
from hub.api.timing import timed
from hub.api.v1 import scope_for
from hub.exports.contents import result_table
from hub.security.access import Permission
from hub.sql.check import MAX_LENGTH, Checked
from hub.sql.desk import LIMIT, MAX_LIMIT, Answer, SqlDesk, new_mark
from hub.sql.saved import MAX_NAME, SavedQueries, SavedQuery

router = APIRouter(prefix="/v1", dependencies=[Depends(known_parameters)])

LOOK_S = 0.1
"""Between two looks whether the client still waits."""

SqlScope = Annotated[Scope, Depends(scope_for(Permission.SQL_READ))]
Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="Rows; what is cut off is told by `truncated`")]
Statement = Annotated[str | None, Query(max_length=MAX_LENGTH, description="One SELECT; parameters as {name:Type}")]
Saved = Annotated[str | None, Query(max_length=40, description="The id of a saved query, instead of `query`")]
Named = Annotated[str | None, Query(alias=PARAMETERS, description="The value of the parameter {name:Type}")]


class Asked(BaseModel):
    """A statement in a body: for what is too long for an address."""

    model_config = ConfigDict(extra="forbid")

    query: str = Field(max_length=MAX_LENGTH)
    parameters: dict[str, str] = {}
    limit: int = Field(LIMIT, ge=1, le=MAX_LIMIT)


class ToSave(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=MAX_NAME)
    query: str = Field(max_length=MAX_LENGTH)


async def desk_of(request: Request) -> SqlDesk:
    """The desk of this process; a not-found problem where there is none."""
    found: SqlDesk | None = request.app.state.deps.sql
    if found is None:
        raise Problem("not-found")
    return found


async def saved_of(request: Request) -> SavedQueries:
    found: SavedQueries | None = request.app.state.deps.saved
    if found is None:
        raise Problem("not-found")
    return found


Desk = Annotated[SqlDesk, Depends(desk_of)]
Store = Annotated[SavedQueries, Depends(saved_of)]


def statement_asked(store: Store, query: Statement = None, saved: Saved = None) -> str:
    """The statement itself or the saved one."""
    if (query is None) == (saved is None):
        raise wrong("query", "query, saved")
    return query if query is not None else store.get(saved or "").query


AskedStatement = Annotated[str, Depends(statement_asked)]


@router.get("/sql", summary="Ask in SQL")
async def ask(
    request: Request, desk: Desk, scope: SqlScope, statement: AskedStatement, limit: Limit = LIMIT, param: Named = None
) -> Response:
    """The whole question is in the address, so that it can be shared. `truncated` says that rows were cut off."""
    return JSONResponse(
        answer_json(await _run(request, desk, statement, values_asked(request), limit), language_of(request))
    )


@router.post("/sql", summary="Ask in SQL, the statement in the body")
async def ask_long(request: Request, desk: Desk, scope: SqlScope, asked: Asked) -> Response:
    """As the address with `query`, `limit` and `param_…`."""
    return JSONResponse(
        answer_json(await _run(request, desk, asked.query, asked.parameters, asked.limit), language_of(request))
    )


@router.get("/sql.{form}", summary="An answer in SQL as a file")
async def ask_file(
    request: Request,
    desk: Desk,
    scope: SqlScope,
    form: str,
    statement: AskedStatement,
    limit: Limit = MAX_LIMIT,
    param: Named = None,
    excel: ForExcel = False,
) -> Response:
    """csv, xlsx, parquet or json; the header `X-Truncated` says whether rows were cut off."""
    checked_form(form)
    answer = await _run(request, desk, statement, values_asked(request), limit)
    made = file_answer(request, result_table(answer, request.app.state.deps.kpis.around.timezone), form, excel)
    made.headers["X-Truncated"] = "true" if answer.truncated else "false"
    return made


@router.get("/sql/tables", summary="What SQL may read")
async def list_tables(request: Request, desk: Desk, scope: SqlScope) -> Response:
    """Tables with their columns."""
    found = await run_in_threadpool(desk.tables)
    return JSONResponse({"items": [{"table": one.name, "columns": list(one.columns)} for one in found.values()]})


@router.get("/sql/saved", summary="Saved queries")
async def list_saved(store: Store, scope: SqlScope) -> Response:
    """The newest first."""
    return JSONResponse({"items": [saved_json(item) for item in await run_in_threadpool(store.all)]})


@router.post("/sql/saved", summary="Save a query", status_code=201)
async def save(request: Request, desk: Desk, store: Store, scope: SqlScope, asked: ToSave) -> Response:
    """It is checked first. `url` is its address."""
    await run_in_threadpool(lambda: desk.check(asked.query))
    made = await run_in_threadpool(lambda: store.save(asked.name, asked.query, caller_name(request)))
    return JSONResponse(saved_json(made), 201, {"Location": f"/v1/sql/saved/{made.id}"})


@router.get("/sql/saved/{query_id}", summary="A saved query")
async def read_saved(store: Store, scope: SqlScope, query_id: str) -> Response:
    return JSONResponse(saved_json(await run_in_threadpool(lambda: store.get(query_id))))


@router.delete("/sql/saved/{query_id}", summary="Delete a saved query", status_code=204)
async def delete_saved(request: Request, store: Store, scope: SqlScope, query_id: str) -> Response:
    """One's own; an administrator may delete all."""
    found = await run_in_threadpool(lambda: store.get(query_id))
    if found.owner != caller_name(request) and request.state.caller.role != "admin":
        raise Problem("forbidden")
    await run_in_threadpool(lambda: store.delete(query_id))
    return Response(status_code=204)


def values_asked(request: Request) -> dict[str, str]:
    """The values of parameters in an address, by name."""
    return {
        name.removeprefix("param_"): value
        for name, value in request.query_params.multi_items()
        if name.startswith("param_")
    }


async def _run(request: Request, desk: SqlDesk, statement: str, values: Mapping[str, str], limit: int) -> Answer:
    return await run_watched(request, desk, await run_in_threadpool(lambda: desk.check(statement, limit)), values)


async def run_watched(request: Request, desk: SqlDesk, checked: Checked, values: Mapping[str, str]) -> Answer:
    """Run it; when the client leaves meanwhile, it is ended in the warehouse."""
    mark = new_mark()
    with timed(request, "sql"):
        running = asyncio.ensure_future(run_in_threadpool(lambda: desk.run(checked, values, mark)))
        while True:
            done, _ = await asyncio.wait({running}, timeout=LOOK_S)
            if done:
                return running.result()
            if await request.is_disconnected():
                await run_in_threadpool(lambda: desk.cancel(mark))
                await asyncio.wait({running})
                return running.result()


def answer_json(answer: Answer, language: str) -> dict[str, Any]:
    """Columns with types, rows as arrays, and whether there are more."""
    result = answer.result
    return {
        "columns": [
            {"name": name, "type": kind, "unit": answer.units.get(name, {}).get(language)}
            for name, kind in zip(result.names, result.types, strict=True)
        ],
        "rows": [[value_json(value) for value in row] for row in result.rows],
        "row_count": len(result.rows),
        "truncated": answer.truncated,
        "limit": answer.limit,
        "read_at": value_json(answer.read_at),
        "tables": list(answer.tables),
    }


def saved_json(item: SavedQuery) -> dict[str, Any]:
    return {
        "id": item.id,
        "name": item.name,
        "query": item.query,
        "owner": item.owner,
        "saved_at": item.saved_at,
        "url": f"/v1/sql?saved={item.id}",
    }
