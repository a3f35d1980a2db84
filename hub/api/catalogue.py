"""`/v1/catalogue`: what data there are, what they mean, where they come from; versions, differences, downloads."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from hub.api.access import Scope
from hub.api.language import language_of
from hub.api.problems import ParameterError, Problem
from hub.api.questions import known_parameters
from hub.api.timing import timed
from hub.api.v1 import blocking, scope_for
from hub.catalogue.downloads import FORMATS, Download, download, whole_dictionary
from hub.catalogue.service import Catalogue, Entry, VersionEntry
from hub.catalogue.shapes import change_json, entry_json, field_json, version_json
from hub.security.access import Permission
from schemas.contract_diff import Change

router = APIRouter(prefix="/v1", dependencies=[Depends(known_parameters)])

CatalogueScope = Annotated[Scope, Depends(scope_for(Permission.CATALOGUE_READ))]


async def catalogue_of(request: Request) -> Catalogue:
    found: Catalogue | None = request.app.state.deps.catalogue
    if found is None:
        raise Problem("not-found")
    return found


Given = Annotated[Catalogue, Depends(catalogue_of)]


def entries(request: Request, catalogue: Catalogue, scope: Scope) -> tuple[Entry, ...]:
    """All entries as the caller may see them; blocks."""
    rows = request.app.state.connectors.rows(scope.org)
    return catalogue.entries(rows, whole=scope.org is None)


def entry(request: Request, catalogue: Catalogue, scope: Scope, entity: str) -> Entry:
    """One entry as the caller may see it; blocks."""
    catalogue.contract(entity)
    rows = request.app.state.connectors.rows(scope.org)
    return catalogue.entry(entity, rows, whole=scope.org is None)


async def versions(request: Request, catalogue: Catalogue, entity: str) -> tuple[VersionEntry, ...] | None:
    """The registered versions, newest first; None while the registry does not tell."""
    with timed(request, "registry"):
        return await run_in_threadpool(lambda: catalogue.versions(entity))


@router.get("/catalogue", summary="All data sets")
async def list_catalogue(request: Request, catalogue: Given, scope: CatalogueScope) -> JSONResponse:
    """Every contract with owner, sources, volume, freshness, quality and personal data, those in use first."""
    found = await blocking(request, "warehouse", lambda: entries(request, catalogue, scope))
    language = language_of(request)
    return JSONResponse({"items": [entry_json(item, language) for item in found]}, headers=_languages(language))


@router.get("/catalogue.xlsx", summary="The data dictionary of all data sets, for Excel")
async def whole_workbook(request: Request, catalogue: Given, scope: CatalogueScope) -> Response:
    """One sheet per data set, in Vietnamese unless English is asked for."""
    return _file(
        await run_in_threadpool(
            lambda: whole_dictionary(catalogue.declared, language_of(request), catalogue.manifests())
        )
    )


@router.get("/catalogue/{entity}", summary="One data set")
async def read_catalogue(request: Request, catalogue: Given, scope: CatalogueScope, entity: str) -> JSONResponse:
    """The fields with their meaning, sources and the KPIs that use them."""
    found = await blocking(request, "warehouse", lambda: entry(request, catalogue, scope, entity))
    language = language_of(request)
    sources, kpis = catalogue.lineage(entity)
    body = entry_json(found, language)
    body["fields"] = [field_json(field, language, sources, kpis) for field in found.contract.fields]
    body["downloads"] = {form: f"/v1/catalogue/{entity}/download/{form}" for form in FORMATS}
    return JSONResponse(body, headers=_languages(language))


@router.get("/catalogue/{entity}/versions", summary="Versions of a contract, newest first")
async def list_versions(request: Request, catalogue: Given, scope: CatalogueScope, entity: str) -> JSONResponse:
    """Each with what it changed of the one before. `items` is null while the registry does not answer."""
    found = await versions(request, catalogue, entity)
    language = language_of(request)
    items = None if found is None else [version_json(item, language) for item in found]
    return JSONResponse({"entity": entity, "items": items}, headers=_languages(language))


def compared(catalogue: Catalogue, entity: str, start: int, end: int) -> tuple[Change, ...] | None:
    """The differences; a problem names the version that there is not. Blocks."""
    try:
        return catalogue.diff(entity, start, end)
    except KeyError as error:
        known = ", ".join(str(item.registered.version) for item in catalogue.versions(entity) or ())
        name = "from" if error.args[0] == start else "to"
        wrong = ParameterError(name, "problem.parameter.bound", {"bound": known or "–"})
        raise Problem("invalid-parameter", [wrong], values={"name": name}) from error


@router.get("/catalogue/{entity}/diff", summary="What a version changes of another")
async def read_diff(
    request: Request,
    catalogue: Given,
    scope: CatalogueScope,
    entity: str,
    start: Annotated[int, Query(alias="from", ge=1)],
    end: Annotated[int, Query(alias="to", ge=1)],
) -> JSONResponse:
    """Each change with its field's path, before, after and a sentence; null while the registry does not answer."""
    found = await blocking(request, "registry", lambda: compared(catalogue, entity, start, end))
    language = language_of(request)
    items = None if found is None else [change_json(item, language) for item in found]
    return JSONResponse({"entity": entity, "from": start, "to": end, "items": items}, headers=_languages(language))


@router.get("/catalogue/{entity}/download/{form}", summary="A contract as a file: avsc, json-schema, md, xlsx")
async def download_contract(
    request: Request, catalogue: Given, scope: CatalogueScope, entity: str, form: str
) -> Response:
    """Markdown and Excel are in Vietnamese unless English is asked for."""
    catalogue.contract(entity)
    if form not in FORMATS:
        wrong = ParameterError("form", "problem.parameter.bound", {"bound": ", ".join(FORMATS)})
        raise Problem("invalid-parameter", [wrong], values={"name": "form"})
    language = language_of(request)
    return _file(
        await run_in_threadpool(lambda: download(catalogue.declared, entity, form, language, catalogue.manifests()))
    )


def _file(made: Download) -> Response:
    return Response(
        made.body, media_type=made.media_type, headers={"Content-Disposition": f'attachment; filename="{made.name}"'}
    )


def _languages(language: str) -> dict[str, Any]:
    return {"Content-Language": language, "Vary": "Accept-Language"}
