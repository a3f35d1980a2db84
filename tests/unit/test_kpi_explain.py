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
def test_the_figure_above_a_division_is_the_one_without_it(lived: Lived) -> None:
    world, _ = lived
    slices = itertools.cycle(itertools.product((None, "H53.14"), ((), (("channel", ("ONLINE",)),))))
    divided = 0
    kpis = [kpi for kpi in world.service.kpis if kpi.entity in ("dossier", "procedure")]
    for kpi, by in [(kpi, by) for kpi in kpis for by in world.inquirer.dimensions(kpi)]:
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
