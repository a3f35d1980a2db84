"""Uploading a file to a connector: looked at row by row first, taken when its sender says so."""

from __future__ import annotations

import asyncio
import fnmatch
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.datastructures import UploadFile
from starlette.responses import HTMLResponse, Response

from connectors.clock import now_ms
from connectors.file_config import Upload
from connectors.manifest import Manifest
from connectors.mapping import Mapper
from connectors.upload import SHOWN, Checked, check_file, corrected_file
from hub.api.gate import UPLOAD_LIMIT_BYTES
from hub.api.problems import Problem
from hub.api.questions import known_parameters
from hub.connector_desk import Desk
from hub.uploads import Pending, Uploads
from hub.web.connector_pages import GivenDesk, OperateScope, caller_in
from hub.web.rendering import page, reader_of

router = APIRouter(dependencies=[Depends(known_parameters)], include_in_schema=False)

MEDIA_TYPES = {
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "csv": "text/csv",
    "jsonl": "application/x-ndjson",
}


@dataclass(frozen=True, slots=True)
class Counter:
    """Where files of one connector are handed in."""

    manifest: Manifest
    mapper: Mapper
    uploads: Uploads

    async def look(self, pending: Pending) -> Checked:
        data = await asyncio.to_thread(pending.path.read_bytes)
        form = self.manifest.source.format
        return await asyncio.to_thread(check_file, data, pending.name, form, self.manifest, self.mapper, now_ms())


def counter_of(request: Request, desk: GivenDesk, scope: OperateScope, connector: str) -> Counter:
    """Of a connector of the caller's that takes uploads and has an approved version; else a not-found problem."""
    declared = desk.known(connector, caller_in(request)).declared
    if declared.approved is None:
        raise Problem("connector-refused", values={"reason": reader_of(request).t("upload.not_approved")})
    manifest = desk.parts.checked(declared.approved.manifest, f"{connector}.yaml")
    if manifest.kind != "files" or not isinstance(manifest.source.place, Upload) or not desk.around.folders:
        raise Problem("not-found")
    return Counter(manifest, _mapper(desk, manifest), Uploads(desk.around.folders[0]))


def _mapper(desk: Desk, manifest: Manifest) -> Mapper:
    return desk.parts.intakes.check(manifest)


GivenCounter = Annotated[Counter, Depends(counter_of)]


@router.get("/connectors/{connector}/upload")
async def upload_page(request: Request, counter: GivenCounter, connector: str) -> HTMLResponse:
    """The form."""
    return _shown(request, counter, connector)


@router.post("/connectors/{connector}/upload")
async def upload(request: Request, counter: GivenCounter, connector: str) -> HTMLResponse:
    """Look at a file; with `token`, take the one that was looked at."""
    async with request.form(max_files=1) as form:
        token = form.get("token")
        if isinstance(token, str):
            return await _take(request, counter, connector, token)
        given = form.get("file")
        if not isinstance(given, UploadFile) or not given.filename:
            return _shown(request, counter, connector, error="upload.no_file", status=422)
        if not fnmatch.fnmatch(given.filename, counter.manifest.source.pattern):
            return _shown(request, counter, connector, error="upload.wrong_name", status=422)
        data = await given.read(UPLOAD_LIMIT_BYTES + 1)
    if len(data) > min(UPLOAD_LIMIT_BYTES, counter.manifest.source.max_file_bytes):
        raise Problem("body-too-large", values={"limit": UPLOAD_LIMIT_BYTES})
    pending = await asyncio.to_thread(counter.uploads.keep, connector, given.filename, data)
    return _shown(request, counter, connector, pending=pending, checked=await counter.look(pending))


async def _take(request: Request, counter: Counter, connector: str, token: str) -> HTMLResponse:
    pending = await asyncio.to_thread(counter.uploads.find, connector, token)
    if pending is None:
        return _shown(request, counter, connector, error="upload.gone", status=422)
    checked = await counter.look(pending)
    if checked.untagged or not checked.accepted:
        return _shown(request, counter, connector, pending=pending, checked=checked, status=422)
    name = await asyncio.to_thread(counter.uploads.take, connector, pending)
    return _shown(request, counter, connector, checked=checked, taken=name)


@router.get("/connectors/{connector}/upload/{token}")
async def corrected(request: Request, counter: GivenCounter, connector: str, token: str) -> Response:
    """The refused rows of a file that was looked at, with their reasons, in the connector's own format."""
    pending = await asyncio.to_thread(counter.uploads.find, connector, token)
    if pending is None:
        raise Problem("not-found")
    checked = await counter.look(pending)
    language, form = reader_of(request).language, counter.manifest.source.format
    made = await asyncio.to_thread(corrected_file, checked, form, language)
    name = f"{connector}-{'can-sua' if language == 'vi' else 'to-correct'}.{form.type}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(made, media_type=MEDIA_TYPES[form.type], headers=headers)


def _shown(
    request: Request,
    counter: Counter,
    connector: str,
    *,
    pending: Pending | None = None,
    checked: Checked | None = None,
    taken: str | None = None,
    error: str | None = None,
    status: int = 200,
) -> HTMLResponse:
    reader = reader_of(request)
    values: dict[str, Any] = {"pending": pending, "checked": checked, "taken": taken, "error": error}
    if checked is not None:
        values["rows"] = [(row.number, row.error.reason.to(reader.language)) for row in checked.refused[:SHOWN]]
    return page(
        request,
        "upload.html",
        status,
        connector=connector,
        name=getattr(counter.manifest.name, reader.language),
        pattern=counter.manifest.source.pattern,
        form=counter.manifest.source.format,
        **values,
        live=None,
    )
