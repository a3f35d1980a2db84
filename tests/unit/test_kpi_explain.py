"""A figure explains itself: its records add up to it, what came since makes the difference, as known then."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from hub.entities.errors import CursorError, FilterError, NoSuchRecordError, UnknownFieldError
from hub.entities.filters import Filter
from hub.entities.listing import Listing
from hub.kpi.division import adds_up
from hub.kpi.errors import UnknownDimensionError, UnknownRoleError
from hub.kpi.inquiry import Inquiry
from hub.kpi.period import Period
from tests.dossiers import START_MS, dossier
from tests.told import Told, told

YEAR = Period(date(2022, 1, 1), date(2022, 12, 31))
FIRST = datetime(2022, 9, 18, 2, 0, tzinfo=UTC)
SECOND = datetime(2022, 9, 19, 2, 0, tzinfo=UTC)
THIRD = datetime(2022, 9, 20, 2, 0, tzinfo=UTC)
KPIS = ("dossier.received", "dossier.on_time_share", "dossier.online_share", "dossier.open", "dossier.overdue",
        "procedure.online_with_dossier_share", "dossier.score_766")  # fmt: skip


def _history(seed: int) -> list[list[dict[str, Any]]]:
    """Three days' deliveries: progress, corrections, recalls of what was finished, deletions, late news."""
    dice = random.Random(seed)
    days: list[list[dict[str, Any]]] = [[], [], []]
    for number in range(60):
        days[0].append(dossier(number, 1, dice.choice([2, 4, 9, 10])))
        for day, status in ((1, dice.choice([4, 9, 9, 10, 3])), (2, dice.choice([4, 9, 10]))):
            if dice.random() < 0.6:
                op = dice.choice(["UPSERT", "UPSERT", "CORRECT", "DELETE"])
                moved = {"org_code": f"H53.{dice.randrange(20):02d}"} if dice.random() < 0.2 else {}
                days[day].append(dossier(number, day + 1, status, op, **moved))
    days[2] += [dossier(number, 1, 9) for number in range(100, 110)]
    for deliveries in days:
        dice.shuffle(deliveries)
    return days


@pytest.fixture(scope="module")
def lived() -> Iterator[tuple[Told, dict[datetime, dict[str, Any]]]]:
    """Three days, and what each KPI showed at the end of each."""
    with told() as world:
        shown: dict[datetime, dict[str, Any]] = {}
        for at, deliveries in zip((FIRST, SECOND, THIRD), _history(7), strict=True):
            world.feed(deliveries, at)
            world.clock[0] = at + timedelta(minutes=30)
            shown[world.now] = {kpi: world.service.answer(kpi, YEAR).figures for kpi in KPIS}
        world.clock[0] = THIRD + timedelta(minutes=30)
        yield world, shown


Lived = tuple[Told, dict[datetime, dict[str, Any]]]


def test_every_figure_is_known_as_it_was_shown(lived: Lived) -> None:
    world, shown = lived
    for at, figures in shown.items():
        for kpi, then in figures.items():
            found = world.inquirer.find(Inquiry(kpi, YEAR, known_at=at)).answer
            if kpi != "dossier.overdue":
                assert found.figures == then, (kpi, at)
    assert shown[min(shown)]["dossier.received"] != shown[max(shown)]["dossier.received"]


def _all_records(world: Told, asked: Inquiry, role: str, limit: int = 7) -> list[Any]:
    found: list[Any] = []
    cursor: str | None = None
    while True:
        page = world.explainer.records(asked, role, limit, cursor)
        found += page.items
        cursor = page.next
        if cursor is None:
            return found
        assert len(page.items) == limit


@pytest.mark.parametrize("known_at", [None, FIRST + timedelta(minutes=1), SECOND + timedelta(minutes=1)])
@pytest.mark.parametrize("where", [(), (("channel", ("ONLINE",)),), (("org_code", ("H53.05", "H53.06")),)])
def test_the_records_of_each_role_add_up_to_its_figure_page_by_page(lived: Lived, known_at: Any, where: Any) -> None:
    world, _ = lived
    asked = Inquiry("dossier.on_time_share", YEAR, where=where, known_at=known_at)
    figures = world.inquirer.find(asked).answer.figures
    for role, expected in (("numerator", figures.numerator), ("denominator", figures.denominator)):
        found = _all_records(world, asked, role)
        keys = [item["entity_key"] for item in found]
        assert keys == sorted(set(keys))
        assert sum(item["amount"] for item in found) == expected
    assert all("applicant" not in item for item in found), "pseudonyms are personal data still"


def test_what_is_overdue_is_listed_as_it_is_counted(lived: Lived) -> None:
    world, _ = lived
    asked = Inquiry("dossier.overdue", YEAR)
    value = world.inquirer.find(asked).answer.figures.value
    assert value and len(_all_records(world, asked, "value")) == value


@pytest.mark.parametrize("kpi", ["dossier.received", "dossier.on_time_share", "dossier.online_share", "dossier.open"])
@pytest.mark.parametrize(
    "since", [FIRST - timedelta(days=1), FIRST + timedelta(minutes=30), SECOND + timedelta(minutes=30)]
)
def test_what_came_since_makes_the_difference_exactly(lived: Lived, kpi: str, since: datetime) -> None:
    world, shown = lived
    told_why = world.explainer.explain(Inquiry(kpi, YEAR), "vi", since).changed
    assert told_why.contributions is not None
    before = told_why.before
    if since in shown:
        assert before == shown[since][kpi]
    else:
        assert (before.value or 0, before.denominator or 0) == (0, 0)
    reasons = {item.reason for item in told_why.contributions}
    assert reasons <= {"new", "late", "corrected", "recalled"}
    if since == FIRST + timedelta(minutes=30) and kpi == "dossier.on_time_share":
        assert {"corrected", "recalled"} <= reasons
    if since < FIRST:
        assert "late" in reasons, "what happened in January and arrived in September is late"


def test_an_explanation_says_the_formula_in_words_and_where_the_data_come_from(lived: Lived) -> None:
    world, _ = lived
    found = world.explainer.explain(Inquiry("dossier.on_time_share", YEAR), "vi")
    assert found.formula == "[Hồ sơ xử lý xong đúng hạn] ÷ [Hồ sơ đã xử lý xong] × 100"
    assert [term.time for term in found.terms] == ["ended_at", "ended_at"]
    [origin] = found.origins
    assert (origin.connector, origin.topic) == ("portal", "ioc.administration.dossier")
    assert origin.tables == ("dossier_changes", "dossier_by_ended_at")
    assert found.page is not None and found.role == "numerator"
    score = world.explainer.explain(Inquiry("dossier.score_766", YEAR), "en")
    assert score.formula.startswith("sum of the groups: 18 × [Transparency] ÷ 100 + 20 × [Progress]")
    assert score.page is None and score.changed.contributions is None


def test_a_question_over_time_by_dimension_and_against_another_period_agrees_with_the_whole(lived: Lived) -> None:
    world, _ = lived
    by_month = world.inquirer.find(Inquiry("dossier.received", YEAR, by="channel", grain="month", compare="previous"))
    value = by_month.answer.figures.value
    assert by_month.series is not None and by_month.rows is not None and by_month.compared is not None
    assert len(by_month.series) == 12
    assert sum(point.figures.value or 0 for point in by_month.series) == value
    assert sum(row.figures.value or 0 for row in by_month.rows) == value
    assert by_month.compared.figures.value == 0 and by_month.compared.difference == value
    for grain, buckets in (("day", 365), ("week", 53), ("quarter", 4), ("year", 1)):
        series = world.inquirer.find(Inquiry("dossier.received", YEAR, grain=grain)).series
        assert series is not None and len(series) == buckets
        assert sum(point.figures.value or 0 for point in series) == value, grain
    plan = world.inquirer.find(Inquiry("dossier.online_share", YEAR, compare="plan"))
    assert plan.compared is not None and plan.compared.difference == plan.answer.gap


def test_the_figure_above_a_division_is_the_one_without_it(lived: Lived) -> None:
    world, _ = lived
    slices = itertools.cycle(itertools.product((None, "H53.14"), ((), (("channel", ("ONLINE",)),))))
    divided = 0
    kpis = [kpi for kpi in world.service.kpis if kpi.entity in ("dossier", "procedure")]
    asked = [(kpi, by) for kpi in kpis for by in world.inquirer.dimensions(kpi)]
    for kpi, by in asked:
        org, where = next(slices)
        where = where if "channel" in world.inquirer.filters(kpi) else ()
        found = world.inquirer.find(Inquiry(kpi.id, YEAR, org, by, where=where))
        whole = world.inquirer.find(Inquiry(kpi.id, YEAR, org, where=where)).answer
        assert (found.answer.figures, found.answer.target) == (whole.figures, whole.target), (kpi.id, by)
        if adds_up(kpi) and found.rows and whole.figures.numerator is not None:
            divided += 1
            assert sum(row.figures.numerator or 0 for row in found.rows) == whole.figures.numerator, (kpi.id, by)
    assert divided > 5


def test_figures_by_commune_say_which_code_set_and_are_re_mapped_by_adding_counts(lived: Lived) -> None:
    world, _ = lived
    total = world.inquirer.find(Inquiry("dossier.online_share", YEAR)).answer.figures
    for view, key, codesets in (
        ("commune", "2022/25459", ("2022",)),
        ("district", "2022/703", ("2022",)),
        ("commune_today", "2025/25459", ("2025",)),
    ):
        found = world.inquirer.find(Inquiry("dossier.online_share", YEAR, by=view))
        assert found.rows is not None and found.units is not None
        assert [(row.key, row.figures.denominator) for row in found.rows] == [(key, total.denominator)]
        assert found.units.codesets == codesets
        assert found.units.remapped == (1 if view == "commune_today" else 0)
    with pytest.raises(UnknownDimensionError) as caught:
        world.inquirer.find(Inquiry("dossier.online_share", YEAR, by="colour"))
    assert "commune_today" in caught.value.allowed


def test_wrong_questions_name_what_is_allowed(lived: Lived) -> None:
    world, _ = lived
    with pytest.raises(UnknownRoleError) as role:
        world.explainer.records(Inquiry("dossier.received", YEAR), "numerator")
    assert role.value.allowed == ("value",)
    with pytest.raises(UnknownDimensionError) as where:
        world.inquirer.find(Inquiry("dossier.received", YEAR, where=(("colour", ("red",)),)))
    assert where.value.parameter == "where[colour]"
    page = world.explainer.records(Inquiry("dossier.received", YEAR), "value", 2)
    with pytest.raises(CursorError):
        world.explainer.records(Inquiry("dossier.open", YEAR), "value", 2, page.next)


def test_a_records_history_tells_every_delivery_with_its_offset_arrival_and_what_it_changed() -> None:
    with told() as world:
        world.feed([dossier(5, 1, 4)], FIRST)
        world.feed([dossier(5, 1, 4), dossier(5, 2, 9, result_electronic=True)], SECOND)
        world.feed([dossier(5, 1, 3), dossier(5, 3, 4, "CORRECT")], THIRD)
        record = world.entities.record("dossier", "H53.14-220101-000005")
        assert record.state is not None and record.state["status"] == 4
        told_of = [(item.offset, item.kind, item.took_back, item.arrived_at) for item in record.revisions]
        assert [item[:3] for item in told_of] == [
            (4, "applied", True),
            (3, "superseded", False),
            (2, "applied", True),
            (1, "repeat", False),
            (0, "applied", False),
        ]
        assert told_of[0][3].replace(tzinfo=UTC) == THIRD
        changed = {change.field: (change.before, change.after) for change in record.revisions[2].changes}
        assert changed["status"] == (4, 9) and changed["result_electronic"] == (False, True)
        with pytest.raises(NoSuchRecordError):
            world.entities.record("dossier", "H53.14-220101-000005", org="H53.14")
        world.feed([dossier(5, 4, 4, "DELETE")], THIRD + timedelta(hours=1))
        assert world.entities.record("dossier", "H53.14-220101-000005").deleted


@pytest.mark.parametrize("sort", ["entity_key", "-entity_key", "received_at", "-ended_at", "channel", "-status"])
def test_lists_are_paged_without_gaps_or_doubles_in_every_order(lived: Lived, sort: str) -> None:
    world, _ = lived
    found: list[Any] = []
    cursor: str | None = None
    while True:
        page = world.entities.page(Listing("dossier", sort=sort, limit=9, cursor=cursor), total=True)
        found += page.items
        cursor = page.next
        if cursor is None:
            break
    assert len(found) == page.total == len({item["entity_key"] for item in found})
    name = sort.removeprefix("-")
    values = [item[name] for item in found if item[name] is not None]
    assert values == sorted(values, reverse=sort.startswith("-"))
    assert None not in [item[name] for item in found][: len(values)]


def test_filters_choose_and_wrong_ones_are_refused_with_what_is_allowed(lived: Lived) -> None:
    world, _ = lived

    def keys(*filters: Filter) -> list[Any]:
        return list(world.entities.page(Listing("dossier", filters, limit=1000)).items)

    whole = keys()
    online = keys(Filter("channel", "eq", ("ONLINE",)))
    assert online and {item["channel"] for item in online} == {"ONLINE"}
    assert len(keys(Filter("channel", "ne", ("ONLINE",)))) == len(whole) - len(online)
    day = datetime.fromtimestamp(START_MS / 1000, UTC).date().isoformat()
    before, on, later = (keys(Filter("received_at", op, (day,))) for op in ("lt", "eq", "gt"))
    unreceived = keys(Filter("received_at", "null", ("true",)))
    assert on and len(before) + len(on) + len(later) + len(unreceived) == len(whole)
    assert len(keys(Filter("received_at", "gte", (day,)))) == len(on) + len(later)
    assert len(keys(Filter("entity_key", "prefix", ("H53.14-220101-00000",)))) <= 10
    for wrong in (
        Filter("channel", "eq", ("ONLIN",)),
        Filter("status", "eq", ("nine",)),
        Filter("received_at", "gt", ("yesterday",)),
        Filter("received_at", "gt", ("2022-01-01T00:00:00",)),
        Filter("status", "like", ("9",)),
        Filter("paid_online", "eq", ("yes",)),
    ):
        with pytest.raises(FilterError):
            keys(wrong)
    with pytest.raises(UnknownFieldError) as withheld:
        keys(Filter("applicant", "eq", ("x",)))
    assert "applicant" not in withheld.value.allowed
