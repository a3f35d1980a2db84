"""`/v1/entities`: the records themselves, filtered and sorted, page by page, each with its whole history."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from hub.api.answers import json_answer
from hub.api.asking import Filters
from hub.api.files import ForExcel, file_answer, form_of
from hub.api.kpi_shapes import record_detail_json, record_json
from hub.api.kpis import next_link
from hub.api.language import language_of
from hub.api.questions import known_parameters
from hub.api.v1 import KpiScope, blocking
from hub.entities.listing import KEY, MAX_PAGE, PAGE, Listing
from hub.entities.service import Entities
from hub.exports.contents import records_table

router = APIRouter(prefix="/v1", dependencies=[Depends(known_parameters)])


async def entities_of(request: Request) -> Entities:
    found: Entities = request.app.state.entities
    return found


Given = Annotated[Entities, Depends(entities_of)]


@router.get("/entities", summary="The entities that have records")
async def list_entities(request: Request, entities: Given, scope: KpiScope) -> Response:
    """By name, with their fields' names; `/v1/catalogue` tells what they mean."""
    language = language_of(request)
    items = [
        {"entity": name, "title": entities.contract(name).title(language), "records": f"/v1/entities/{name}"}
        for name in entities.names
    ]
    return json_answer(request, {"items": items})


@router.get("/entities/{entity}", summary="Records of an entity, page by page")
async def list_records(
    request: Request,
    entities: Given,
    entity: str,
    scope: KpiScope,
    filters: Filters,
    sort: Annotated[str, Query(max_length=64, description="A field; -field: the largest first")] = KEY,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = PAGE,
    cursor: Annotated[str | None, Query(max_length=1000, description="`next` of the page before")] = None,
    total: Annotated[bool, Query(description="Count all of them too")] = False,
    excel: ForExcel = False,
) -> Response:
    """`where[field]=value`, `where[field][gte]=…`; personal fields are withheld. In the order of keys a page costs the
    same at any depth. With .csv, .xlsx, .parquet or .json at the end of the entity: all of them as a file."""
    entity, form = form_of(entity)
    asked = Listing(entity, filters, sort, limit, cursor)
    if form is not None or excel:
        zone = request.app.state.deps.kpis.around.timezone
        made = await blocking(
            request, "warehouse", lambda: records_table(entities, asked, scope.org, zone, language_of(request))
        )
        return file_answer(request, made, form or "json", excel)
    page = await blocking(request, "warehouse", lambda: entities.page(asked, scope.org, total))
    body: dict[str, Any] = {
        "entity": entity,
        "items": [record_json(item) for item in page.items],
        "next": page.next,
        "withheld": list(entities.contract(entity).pii_fields),
    }
    if total:
        body["total"] = page.total
    return json_answer(request, body, next_link(request, page.next))


@router.get("/entities/{entity}/{key:path}", summary="One record with its whole history")
async def read_record(request: Request, entities: Given, entity: str, key: str, scope: KpiScope) -> Response:
    """Every delivery, newest first: what became of it, source system, offset, arrival, and what it changed."""
    record = await blocking(request, "warehouse", lambda: entities.record(entity, key, scope.org))
    return json_answer(request, record_detail_json(record, language_of(request)))
