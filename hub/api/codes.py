"""`/v1/codes`: the code tables by validity – read, taken out as a file, compared with a new one, replaced."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from hub.api.access import Scope
from hub.api.alerts import caller_name
from hub.api.language import language_of
from hub.api.problems import ParameterError, Problem
from hub.api.questions import known_parameters
from hub.api.v1 import scope_for
from hub.catalogue.downloads import XLSX
from hub.code_files import FORMS, code_file, code_table_in
from hub.codes_desk import CodesDesk, Looked, rows_on
from hub.security.access import Permission
from schemas.codes_table import CodeTable
from schemas.errors import ContractError

router = APIRouter(prefix="/v1/codes", dependencies=[Depends(known_parameters)])

ReadScope = Annotated[Scope, Depends(scope_for(Permission.CATALOGUE_READ))]
WriteScope = Annotated[Scope, Depends(scope_for(Permission.CODES_WRITE))]
On = Annotated[date | None, Query(description="Only rows in force on this day, such as 2022-09-19")]
FileName = Annotated[str, Query(alias="file", max_length=200, description="The body's name: ….csv or ….xlsx")]
Base = Annotated[int, Query(ge=0, le=2**31, description="The version that the change was seen against")]
MEDIA_TYPES = {"csv": "text/csv; charset=utf-8", "xlsx": XLSX}


async def desk_of(request: Request) -> CodesDesk:
    """The desk of this process; a not-found problem where there is none."""
    desk: CodesDesk | None = request.app.state.deps.codes
    if desk is None:
        raise Problem("not-found")
    return desk


Desk = Annotated[CodesDesk, Depends(desk_of)]


@router.get("", summary="All code tables")
async def list_tables(desk: Desk, scope: ReadScope) -> JSONResponse:
    """Each with its columns, rows and who let it take effect; version 0 is the one that comes with the hub."""
    return JSONResponse({"items": [summary(desk, name, table) for name, table in desk.tables().items()]})


@router.get("/{table}", summary="A code table")
async def read_table(desk: Desk, scope: ReadScope, table: str, on: On = None) -> JSONResponse:
    """Its rows, all or those in force on a day."""
    found = desk.table(table)
    return JSONResponse({**summary(desk, table, found), "rows": rows_on(found, on)})


@router.get("/{table}/download/{form}", summary="A code table as a file: csv, xlsx")
async def download_table(desk: Desk, scope: ReadScope, table: str, form: str) -> Response:
    """As it has to be to come back by `PUT`."""
    found = desk.table(table)
    if form not in FORMS:
        wrong = ParameterError("form", "problem.parameter.bound", {"bound": ", ".join(FORMS)})
        raise Problem("invalid-parameter", [wrong], values={"name": "form"})
    made = await run_in_threadpool(lambda: code_file(found, form))
    headers = {"Content-Disposition": f'attachment; filename="{table}.{form}"'}
    return Response(made, media_type=MEDIA_TYPES[form], headers=headers)


@router.post("/{table}/diff", summary="What a new code table would change")
async def diff_table(
    request: Request, desk: Desk, scope: WriteScope, table: str, file: FileName = ".csv"
) -> JSONResponse:
    """The body is the file. Each change with what it means; `faults` forbid it; `base` goes with the `PUT`."""
    desk.table(table)
    given = await given_table(request, await request.body(), file, table)
    looked = await run_in_threadpool(lambda: desk.look(given))
    return JSONResponse(looked_json(looked, language_of(request)))


@router.put("/{table}", summary="Let a code table take effect")
async def apply_table(
    request: Request, desk: Desk, scope: WriteScope, table: str, base: Base, file: FileName = ".csv"
) -> JSONResponse:
    """The body is the file. Everything that maps by it goes on with it; days before keep what was in force."""
    desk.table(table)
    given = await given_table(request, await request.body(), file, table)
    looked = await desk.apply(given, base, caller_name(request))
    return JSONResponse({**looked_json(looked, language_of(request)), "version": desk.version(table)})


async def given_table(request: Request, data: bytes, file: str, table: str) -> CodeTable:
    """The table in what was sent; a problem names line, column and cure."""
    try:
        return await run_in_threadpool(lambda: code_table_in(data, file, table))
    except ContractError as error:
        raise Problem("codes-refused", values={"reason": {"vi": error.vi, "en": str(error)}}) from error


def summary(desk: CodesDesk, name: str, table: CodeTable) -> dict[str, Any]:
    """A table without its rows."""
    applied = desk.applied(name)
    at = applied.get("at")
    return {
        "table": name,
        "columns": list(table.columns),
        "count": len(table.rows),
        "version": desk.version(name),
        "applied_by": applied.get("by"),
        "applied_at": None if at is None else datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="seconds"),
    }


def looked_json(looked: Looked, language: str) -> dict[str, Any]:
    """The changes in words too."""
    return {
        "table": looked.table.name,
        "base": looked.base,
        "changes": [
            {
                "kind": each.kind,
                "code": each.code,
                "valid_from": each.valid_from,
                "column": each.column or None,
                "before": each.before,
                "after": each.after,
                "text": each.text().to(language),
            }
            for each in looked.changes
        ],
        "faults": list(looked.faults),
    }
