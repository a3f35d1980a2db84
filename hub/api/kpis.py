"""`/v1/kpis`: figures, their breakdowns and series, their records, and why they are what they are."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from hub.api.access import scope_of
from hub.api.answers import json_answer
from hub.api.asking import KnownAt, WhereParameter, moment_asked, one_of, where_asked, wrong
from hub.api.files import ForExcel, checked_form, file_answer, form_of
from hub.api.kpi_shapes import describe_json, explanation_json, finding_json, record_json
from hub.api.language import language_of
from hub.api.questions import AskedPeriod, FromDay, Service, ToDay, known_parameters, period_asked
from hub.api.shapes import kpi_json
from hub.api.v1 import KpiScope, blocking
from hub.exports.contents import finding_table, kpis_table
from hub.kpi.explain import Explainer
from hub.kpi.inquiry import COMPARISONS, Finding, Inquirer, Inquiry
from hub.kpi.period import GRAINS, MAX_BUCKETS, series_of
from hub.kpi.records import MAX_PAGE, PAGE
from hub.kpi.rollups import Unserved
from hub.security.access import Permission

router = APIRouter(prefix="/v1", dependencies=[Depends(known_parameters)])


def inquirer_of(request: Request) -> Inquirer:
    """Who answers inquiries."""
    found: Inquirer = request.app.state.inquirer
    return found


async def explainer_of(request: Request) -> Explainer:
    found: Explainer = request.app.state.explainer
    return found


Explaining = Annotated[Explainer, Depends(explainer_of)]
By = Annotated[
    str | None, Query(description="A dimension of the KPI, such as org_code; commune, district", max_length=64)
]
Grain = Annotated[str | None, Query(description=f"A series: {', '.join(GRAINS)}")]
Compare = Annotated[str | None, Query(description=f"Held against: {', '.join(COMPARISONS)}")]


async def whole_asked(
    request: Request,
    kpi_id: str,
    start: FromDay = None,
    end: ToDay = None,
    where: WhereParameter = None,
    as_known_at: KnownAt = None,
) -> Inquiry:
    """A checked inquiry about a figure that is not divided; a problem names what is wrong with it."""
    scope, period = scope_of(request, Permission.KPI_READ), await period_asked(request, start, end)
    known_at, now = moment_asked("as_known_at", as_known_at), inquirer_of(request).service.around.clock()
    if known_at is not None and known_at > now:
        raise wrong("as_known_at", f"≤ {now.isoformat(timespec='seconds')}")
    rows = await where_asked(request, where)
    return Inquiry(kpi_id, period, scope.org, where=rows, known_at=known_at)


AskedWhole = Annotated[Inquiry, Depends(whole_asked)]


async def inquiry_asked(whole: AskedWhole, by: By = None, grain: Grain = None, compare: Compare = None) -> Inquiry:
    """The same, divided, over time or against another period."""
    one_of("grain", grain, GRAINS)
    one_of("compare", compare, COMPARISONS)
    if grain is not None and len(series_of(whole.period, grain).buckets()) > MAX_BUCKETS:
        raise wrong("grain", f"≤ {MAX_BUCKETS} × {grain}")
    return replace(whole, by=by, grain=grain, compare=compare)


Asked = Annotated[Inquiry, Depends(inquiry_asked)]


@router.get("/kpis", summary="All KPIs over a period")
async def list_kpis(request: Request, service: Service, period: AskedPeriod, scope: KpiScope) -> Response:
    """Every KPI's value, target, gap and what it rests on."""
    answers = await blocking(request, "warehouse", lambda: service.answers(period, scope.org))
    language = language_of(request)
    body = {
        "from": period.start.isoformat(),
        "to": period.end.isoformat(),
        "items": [kpi_json(answer, language) for answer in answers],
    }
    return json_answer(request, body)


@router.get("/kpis.{form}", summary="All KPIs over a period as a file")
async def list_kpis_file(
    request: Request, service: Service, period: AskedPeriod, scope: KpiScope, form: str, excel: ForExcel = False
) -> Response:
    """json, csv, xlsx or parquet; `excel=true` makes a CSV that Excel opens."""
    if checked_form(form) == "json":
        return await list_kpis(request, service, period, scope)
    answers = await blocking(request, "warehouse", lambda: service.answers(period, scope.org))
    return file_answer(request, kpis_table(answers, language_of(request)), form, excel)


@router.get("/kpis/{kpi_id}", summary="One KPI: whole, by a dimension, over time, against another period")
async def read_kpi(
    request: Request,
    kpi_id: str,
    asked: Asked,
    excel: ForExcel = False,
) -> Response:
    """Value, numerator, denominator, target, gap, as_of, freshness, completeness and badges; `by` adds rows, `grain` a
    series, `compare` another period's figures or the plan's. `as_known_at` answers as it was known at that moment. With
    .csv, .xlsx or .parquet at the end of the id: the rows, else the series, else the answer as a file."""
    kpi_id, form = form_of(kpi_id)
    asked, inquirer = replace(asked, kpi_id=kpi_id), inquirer_of(request)
    kpi = inquirer.service.kpi(kpi_id)

    def find() -> tuple[Finding, Unserved | None]:
        found = inquirer.find(asked)
        return found, inquirer.service.why_not(found.answer.kpi, inquirer.service.served(), asked.by)

    found, unserved = await blocking(request, "warehouse", find)
    if form not in (None, "json") or excel:
        made = finding_table(found, language_of(request), inquirer.named(kpi))
        return file_answer(request, made, form or "json", excel)
    body = finding_json(found, language_of(request), inquirer.named(kpi), unserved)
    body |= describe_json(kpi, inquirer.dimensions(kpi), inquirer.filters(kpi))
    return json_answer(request, body)


@router.get("/kpis/{kpi_id}/explain", summary="Why a figure is what it is")
async def explain_kpi(
    request: Request,
    explainer: Explaining,
    asked: AskedWhole,
    since: Annotated[str | None, Query(description="What changed since then; default: 24 hours before")] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 20,
) -> Response:
    """The formula in words, the first records behind it, what changed it by unit and reason, and its lineage."""
    inquirer = inquirer_of(request)
    kpi = inquirer.service.kpi(asked.kpi_id)
    begun, language = moment_asked("since", since), language_of(request)
    found = await blocking(request, "warehouse", lambda: explainer.explain(asked, language, begun, limit))
    address = f"/v1/kpis/{quote(asked.kpi_id)}/records"
    kept = [item for item in request.query_params.multi_items() if item[0] not in ("since", "limit", "lang")]
    body = explanation_json(
        found, language, inquirer.named(kpi), lambda role: f"{address}?{urlencode([*kept, ('role', role)])}"
    )
    return json_answer(request, body)


@router.get("/kpis/{kpi_id}/records", summary="The records behind a figure, page by page")
async def list_kpi_records(
    request: Request,
    explainer: Explaining,
    asked: AskedWhole,
    role: Annotated[str, Query(description="numerator, denominator, value or less")],
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = PAGE,
    cursor: Annotated[str | None, Query(max_length=1000, description="`next` of the page before")] = None,
) -> Response:
    """Each with `amount`, what it adds: the amounts of all pages sum up to the role's figure."""
    page = await blocking(request, "warehouse", lambda: explainer.records(asked, role, limit, cursor))
    items = [record_json(item) for item in page.items]
    entity = inquirer_of(request).service.kpi(asked.kpi_id).entity
    headers = next_link(request, page.next)
    return json_answer(request, {"entity": entity, "role": role, "items": items, "next": page.next}, headers)


def next_link(request: Request, cursor: str | None) -> dict[str, str]:
    """A Link header to the page after."""
    if cursor is None:
        return {}
    url = request.url.include_query_params(cursor=cursor)
    return {"Link": f'<{url.path}?{url.query}>; rel="next"'}
