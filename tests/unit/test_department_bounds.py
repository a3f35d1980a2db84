"""Whatever a department asks, through KPIs, records or entities, it sees its own rows alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.entities.errors import NoSuchRecordError
from hub.entities.filters import Filter
from hub.entities.listing import Listing
from hub.kpi.inquiry import COMPARISONS, Inquiry
from hub.kpi.period import GRAINS, Period
from hub.security.access import within
from tests.dossiers import dossier
from tests.told import Told, told

AT = datetime(2022, 9, 18, 2, 0, tzinfo=UTC)
UNITS = ("H53.14", "H53.14.1", "H53.14.2", "H53.140", "H53.15", "H53", "H53.1")
OF_ROWS = re.compile(r"\b(?:FROM|from) (dossier_\w+)")


class Spied:
    """A reader whose statements are looked at: each SELECT over dossiers must be kept to a unit."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.bound = False

    def rows(self, statement: Any) -> Any:
        tables = OF_ROWS.findall(statement.sql)
        if self.bound and tables:
            assert statement.sql.count("startsWith(org_code, concat(") >= len(tables), statement.sql
        return self.inner.rows(statement)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


@pytest.fixture(scope="module")
def world() -> Iterator[tuple[Told, Spied]]:
    with told() as made:
        made.feed([dossier(n, 1, (4, 9, 10)[n % 3], org_code=UNITS[n % len(UNITS)]) for n in range(70)], AT)
        moved = [dossier(n, 2, 9, org_code=UNITS[(n + 3) % len(UNITS)]) for n in range(0, 70, 5)]
        made.feed(moved, AT + timedelta(days=1))
        made.clock[0] = AT + timedelta(days=1, hours=1)
        spied = Spied(made.service.reader)
        foundations = made.service.foundations
        for user in (made.service, made.inquirer, made.explainer, made.entities, foundations, foundations.memo):
            user._reader = spied  # type: ignore[attr-defined]
        yield made, spied


PERIODS = st.builds(
    lambda start, days: Period(start, start + timedelta(days=days)),
    st.dates(date(2021, 12, 1), date(2022, 12, 1)),
    st.integers(0, 400),
)
WHERE = st.lists(
    st.one_of(
        st.tuples(st.just("org_code"), st.lists(st.sampled_from(UNITS), min_size=1, max_size=3).map(tuple)),
        st.tuples(st.just("channel"), st.sampled_from([("ONLINE",), ("COUNTER", "POST"), ("",), ("' OR 1=1 --",)])),
    ),
    max_size=2,
    unique_by=lambda item: item[0],
).map(tuple)
KPIS = ("dossier.received", "dossier.on_time_share", "dossier.open", "dossier.overdue", "dossier.score_766",
        "procedure.online_with_dossier_share", "dossier.late_corrections")  # fmt: skip


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    kpi=st.sampled_from(KPIS),
    unit=st.sampled_from(UNITS),
    period=PERIODS,
    where=WHERE,
    by=st.sampled_from([None, "org_code"]),
    grain=st.sampled_from([None, *GRAINS[2:]]),
    compare=st.sampled_from([None, *COMPARISONS]),
    known_at=st.sampled_from([None, AT + timedelta(hours=1)]),
)
def test_a_units_figures_are_those_of_its_own_rows(
    world: tuple[Told, Spied], kpi: str, unit: str, period: Period, where: Any, by: Any, grain: Any, compare: Any,
    known_at: Any,
) -> None:  # fmt: skip
    made, spied = world
    if kpi == "dossier.late_corrections":
        where = tuple(item for item in where if item[0] == "org_code")
    spied.bound = True
    asked = Inquiry(kpi, period, unit, by, grain, where, compare, known_at)
    mine = made.inquirer.find(asked)
    if by is not None and mine.rows is not None:
        assert all(within(row.key, unit) for row in mine.rows)
    role = next(iter(made.service.kpi(kpi).terms), None)
    if role is not None and kpi != "procedure.online_with_dossier_share":
        page = made.explainer.records(asked, role)
        assert all(within(item["org_code"], unit) for item in page.items)
    spied.bound = False
    if not any(name == "org_code" for name, _ in where):
        whole = made.inquirer.find(
            Inquiry(kpi, period, None, None, None, (*where, ("org_code", (unit,))), None, known_at)
        )
        assert whole.answer.figures == mine.answer.figures


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    unit=st.sampled_from(UNITS),
    filters=st.lists(
        st.sampled_from(
            [
                Filter("org_code", "eq", ("H53.15",)),
                Filter("org_code", "ne", ("H53.14",)),
                Filter("org_code", "prefix", ("",)),
                Filter("status", "gte", ("4",)),
                Filter("ended_at", "null", ("true",)),
                Filter("channel", "eq", ("ONLINE", "POST")),
            ]
        ),
        max_size=3,
        unique=True,
    ).map(tuple),
    sort=st.sampled_from(["entity_key", "-received_at", "status"]),
)
def test_a_unit_lists_and_opens_its_own_records_alone(
    world: tuple[Told, Spied], unit: str, filters: tuple[Filter, ...], sort: str
) -> None:
    made, spied = world
    spied.bound = True
    page = made.entities.page(Listing("dossier", filters, sort, 100), unit, total=True)
    assert all(within(item["org_code"], unit) for item in page.items) and page.total == len(page.items)
    spied.bound = False
    everything = {
        item["entity_key"]: item["org_code"] for item in made.entities.page(Listing("dossier", limit=100)).items
    }
    spied.bound = True
    for key, org in list(everything.items())[:6]:
        try:
            record = made.entities.record("dossier", key, unit)
        except NoSuchRecordError:
            assert not within(org, unit)
        else:
            assert all(within(item.state["org_code"], unit) for item in record.revisions)
            assert (record.state is not None) == within(org, unit)
