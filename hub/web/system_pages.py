"""The page of one connected system: `/connectors/<id>/about`, and the same as Markdown. Made of the declarations."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request
from starlette.responses import HTMLResponse, PlainTextResponse

from hub.api.catalogue import Given
from hub.api.problems import Problem
from hub.api.questions import known_parameters
from hub.api.v1 import ConnectorScope, connectors_in
from hub.catalogue.service import Catalogue
from hub.catalogue.system_page import SystemPage, markdown, system_page
from hub.web.rendering import page, reader_of

router = APIRouter(dependencies=[Depends(known_parameters)], include_in_schema=False)


def _system(request: Request, catalogue: Catalogue, scope: ConnectorScope, connector: str) -> SystemPage:
    """The connector's page in the reader's language; a not-found problem for one that the caller may not see."""
    visible = connectors_in(request, scope)
    manifests = catalogue.manifests()
    if connector not in manifests or (visible is not None and connector not in visible):
        raise Problem("not-found")
    manifest, declared = manifests[connector], catalogue.declared
    if manifest.entity not in declared.contracts:
        raise Problem("not-found")
    contract, plan = declared.contracts[manifest.entity], declared.plans.get(manifest.entity)
    return system_page(manifest, contract, plan, reader_of(request).language)


@router.get("/connectors/{connector}/about")
async def about(request: Request, catalogue: Given, scope: ConnectorScope, connector: str) -> HTMLResponse:
    """What it sends, how it is mapped, how its KPIs are computed, and why."""
    return page(request, "system.html", system=_system(request, catalogue, scope, connector), live=None)


@router.get("/connectors/{connector}/about.md")
async def about_markdown(
    request: Request, catalogue: Given, scope: ConnectorScope, connector: str
) -> PlainTextResponse:
    """The same to keep."""
    text = markdown(_system(request, catalogue, scope, connector))
    return PlainTextResponse(text, media_type="text/markdown; charset=utf-8")
