"""Answers as files: CSV, CSV for Excel, XLSX, Parquet, JSON, sent while they are made."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Annotated
from urllib.parse import quote

from fastapi import Query, Request
from starlette.responses import StreamingResponse

from hub.api.asking import wrong
from hub.exports.files import parquet_chunks, xlsx_chunks
from hub.exports.table import FORMS, Table
from hub.exports.texts import csv_chunks, excel_csv_chunks, json_chunks

MEDIA_TYPES = {
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "parquet": "application/vnd.apache.parquet",
}
_WRITERS: dict[str, Callable[[Table], Iterator[bytes]]] = {
    "json": json_chunks,
    "csv": csv_chunks,
    "xlsx": xlsx_chunks,
    "parquet": parquet_chunks,
}

ForExcel = Annotated[
    bool, Query(alias="excel", description="CSV for Excel: byte-order mark, semicolons, decimal commas, local times")
]


def form_of(name: str) -> tuple[str, str | None]:
    """A name and the form asked for by its end: `dossier.received.csv`; None without one."""
    stem, _, end = name.rpartition(".")
    return (stem, end) if stem and end in FORMS else (name, None)


def checked_form(form: str) -> str:
    """One of `FORMS`; a problem names them."""
    if form not in FORMS:
        raise wrong("form", ", ".join(FORMS))
    return form


def file_answer(request: Request, table: Table, form: str, excel: bool = False) -> StreamingResponse:
    """The table as a file. What fails once the first bytes are sent breaks the connection off: no half file looks
    whole."""
    if excel and form != "csv":
        raise wrong("excel", "NAME.csv?excel=true")
    writer = excel_csv_chunks if excel else _WRITERS[form]
    name = quote(f"{table.name}.{form}")
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{name}", "Cache-Control": "no-store"}
    return StreamingResponse(writer(table), media_type=MEDIA_TYPES[form], headers=headers)
