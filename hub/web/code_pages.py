"""The code tables' pages: the list, one table by day, and a new one: looked at as a diff, then applied."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.responses import HTMLResponse

from hub.api.alerts import caller_name
from hub.api.codes import Desk, On, ReadScope, WriteScope, given_table
from hub.api.gate import CODES_LIMIT_BYTES
from hub.api.problems import Problem
from hub.api.questions import known_parameters
from hub.codes_desk import CodesDesk, CodesRefusedError, Looked, rows_on
from hub.security.access import Permission
from hub.web.rendering import page, reader_of
from schemas.codes_table import CodeTable, as_csv

router = APIRouter(dependencies=[Depends(known_parameters)], include_in_schema=False)

SHOWN_ROWS = 200
SHOWN_CHANGES = 500
EDITED_ROWS = 400
"""A longer table is changed in a spreadsheet, not in a text field."""


@router.get("/codes")
async def tables_page(request: Request, desk: Desk, scope: ReadScope) -> HTMLResponse:
    """All tables."""
    tables = [(name, table, desk.applied(name)) for name, table in desk.tables().items()]
    return page(request, "codes.html", tables=tables, live=None)


@router.get("/codes/{table}")
async def table_page(
    request: Request,
    desk: Desk,
    scope: ReadScope,
    table: str,
    on: On = None,
    wanted: Annotated[str, Query(alias="q", max_length=80)] = "",
) -> HTMLResponse:
    """Rows, all or those in force on a day, or those with a text."""
    return _shown(request, desk, desk.table(table), rows=rows_on(desk.table(table), on, wanted), on=on, wanted=wanted)


@router.post("/codes/{table}")
async def change_table(request: Request, desk: Desk, scope: WriteScope, table: str) -> HTMLResponse:
    """Look at a file or a text; with `base`, let the text that was looked at take effect."""
    known = desk.table(table)
    async with request.form(max_files=1, max_part_size=CODES_LIMIT_BYTES) as form:
        base = form.get("base")
        try:
            given = await _given(request, form, table)
        except Problem as problem:
            if problem.slug != "codes-refused":
                raise
            reason = problem.values["reason"][reader_of(request).language]
            return _shown(request, desk, known, text=_text(form), error=reason, status=422)
    if given is None:
        return _shown(request, desk, known, error=reader_of(request).t("upload.no_file"), status=422)
    if not isinstance(base, str):
        return _shown(request, desk, known, looked=await run_in_threadpool(lambda: desk.look(given)))
    try:
        looked = await desk.apply(given, int(base) if base.isdigit() else -1, caller_name(request))
    except CodesRefusedError as error:
        again = await run_in_threadpool(lambda: desk.look(given))
        moved = None if error.reasons else reader_of(request).t("codes.moved")
        return _shown(request, desk, known, looked=again, error=moved, status=409)
    return _shown(request, desk, desk.table(table), applied=looked)


def _text(form: FormData) -> str | None:
    text = form.get("text")
    return text.replace("\r\n", "\n") if isinstance(text, str) else None


async def _given(request: Request, form: FormData, table: str) -> CodeTable | None:
    """The file, or the text without one; None if there is neither. A problem says what is wrong with it."""
    file = form.get("file")
    if isinstance(file, UploadFile) and file.filename:
        return await given_table(request, await file.read(), file.filename, table)
    text = _text(form)
    return None if not text else await given_table(request, text.encode(), f"{table}.csv", table)


def _shown(
    request: Request,
    desk: CodesDesk,
    table: CodeTable,
    *,
    rows: list[dict[str, str]] | None = None,
    looked: Looked | None = None,
    status: int = 200,
    **values: Any,
) -> HTMLResponse:
    reader = reader_of(request)
    rows = rows_on(table, None) if rows is None else rows
    text = values.pop("text", None) or as_csv(looked.table if looked is not None else table)
    shown: dict[str, Any] = {"on": None, "wanted": "", "error": None, "applied": None} | values
    return page(
        request,
        "code_table.html",
        status,
        table=table,
        version=desk.applied(table.name),
        rows=rows[:SHOWN_ROWS],
        count=len(rows),
        text=text if len(table.rows) <= EDITED_ROWS else None,
        looked=looked,
        looked_text=None if looked is None else as_csv(looked.table),
        changes=[] if looked is None else [(each, each.text().to(reader.language)) for each in looked.changes],
        most=SHOWN_CHANGES,
        may_write=request.state.caller.may(Permission.CODES_WRITE),
        **shown,
        live=None,
    )
