"""The records themselves: lists, and one record with every delivery of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse

from hub.api.asking import Filters
from hub.api.entities import Given
from hub.api.kpis import inquirer_of
from hub.api.questions import known_parameters
from hub.api.timing import timed
from hub.api.v1 import KpiScope
from hub.entities.filters import visible
from hub.entities.listing import KEY, PAGE, Listing
from hub.kpi.inquiry import Inquirer
from hub.web.record_views import FIRST, LAST, MOST_COLUMNS, field_views, record_table, revision_views
from hub.web.rendering import page, reader_of
from schemas.contract import Contract
from schemas.contract_field import Field

router = APIRouter(dependencies=[Depends(known_parameters)], include_in_schema=False)


@router.get("/entity/{entity}")
async def list_page(
    request: Request,
    entities: Given,
    entity: str,
    scope: KpiScope,
    filters: Filters,
    sort: Annotated[str, Query(max_length=64)] = KEY,
    cursor: Annotated[str | None, Query(max_length=1000)] = None,
) -> HTMLResponse:
    """Records in the order of their keys, found by the beginning of a key or by a field."""
    contract, reader = entities.contract(entity), reader_of(request)
    given = tuple(one for one in filters if any(one.values))
    with timed(request, "warehouse"):
        found = await run_in_threadpool(lambda: entities.page(Listing(entity, given, sort, PAGE, cursor), scope.org))
    address = request.url.include_query_params(cursor=found.next) if found.next else None
    return page(
        request,
        "entity.html",
        entity=entity,
        title=contract.title(reader.language),
        records=record_table(found.items, _columns(contract), _named(inquirer_of(request), entity), reader),
        prefix=next((one.values[0] for one in given if one.field == KEY), ""),
        next=found.next,
        next_address="" if address is None else f"{address.path}?{address.query}",
        live=None,
    )


@router.get("/entity/{entity}/{key:path}")
async def record_page(request: Request, entities: Given, entity: str, key: str, scope: KpiScope) -> HTMLResponse:
    """One record: its state, and its deliveries with what each changed."""
    with timed(request, "warehouse"):
        found = await run_in_threadpool(lambda: entities.record(entity, key, scope.org))
    reader, named = reader_of(request), _named(inquirer_of(request), entity)
    return page(
        request,
        "record.html",
        entity=entity,
        title=found.contract.title(reader.language),
        key=key,
        state=None if found.state is None else field_views(found.contract, found.state, named, reader),
        deleted=found.deleted,
        revisions=revision_views(found.contract, found.revisions, named, reader),
        live=None,
    )


def _columns(contract: Contract) -> list[Field]:
    """Units and states first, then what the contract has, in its order."""
    own = [field for field in visible(contract) if field.role is None and field.name != KEY]
    names = [*FIRST, *(field.name for field in own), *LAST]
    fields = {field.name: field for field in visible(contract)}
    return [fields[name] for name in dict.fromkeys(names) if name in fields][:MOST_COLUMNS]


def _named(inquirer: Inquirer, entity: str) -> Callable[[str, str], str | None]:
    """Names of codes; units by the entity's own fields."""
    kpi = next((kpi for kpi in inquirer.service.kpis if kpi.entity == entity), None)
    if kpi is None:
        return lambda field, key: None
    return lambda field, key: inquirer.service.name_of(kpi, field, key)
