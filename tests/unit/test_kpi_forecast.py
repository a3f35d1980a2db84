"""The forecast of what will be done in time, against a slow and obvious evaluation record by record."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml

from hub.kpi.inquiry import Inquiry
from hub.kpi.period import Period
from schemas.contract import load_contracts
from streams.errors import PlanError
from streams.plan import load_plans, package_root, plan_entity
from tests.dossiers import dossier
from tests.told import NOW, Told, told

KPI = "dossier.on_time_forecast"
ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
PERIOD = Period(date(2022, 1, 1), date(2022, 12, 31))
DAY = timedelta(days=1)
OPEN, DONE = (2, 4, 6), (9, 10)


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def _made(number: int, due: datetime, ended: datetime | None = None, unit: int = 14, procedure: int = 1) -> Any:
    """One dossier: done at `ended`, or in progress."""
    received = NOW - 60 * DAY
    return dossier(
        number, 1, 4 if ended is None else 9, org_code=f"H53.{unit}", procedure_code=f"1.{procedure:06d}",
        received_at=_ms(received), due_at=_ms(due), ended_at=None if ended is None else _ms(ended),
        event_time=_ms(NOW - DAY), ingest_time=_ms(NOW - DAY),
    )  # fmt: skip


@pytest.fixture
def world() -> Iterator[Told]:
    with told() as made:
        yield made


def _figures(world: Told, asked: Inquiry | None = None) -> Any:
    return world.inquirer.find(asked or Inquiry(KPI, PERIOD)).answer.figures


def _slow(records: list[Any], now: datetime) -> float:
    """The rule word by word."""
    minute = now.replace(second=0, microsecond=0)
    since = minute.date() - timedelta(days=90)
    done = [one for one in records if one["status"] in DONE and one["due_at"] is not None]
    done = [one for one in done if _day(one["ended_at"]) >= since]
    expected = 0.0
    for one in (one for one in records if one["status"] in OPEN and one["due_at"] is not None):
        left = _at(one["due_at"]) - minute
        if left < timedelta():
            continue
        bound = next((days for days in (1, 3, 7) if left <= days * DAY), None)
        for like in (("procedure_code", "org_code"), ("procedure_code",), ()):
            near = [other for other in done if all(other[name] == one[name] for name in like)]
            if bound is not None:
                near = [other for other in near if _at(other["ended_at"]) + bound * DAY >= _at(other["due_at"])]
            if len(near) >= (10 if like else 1):
                expected += sum(_day(other["ended_at"]) <= _day(other["due_at"]) for other in near) / len(near)
                break
    return expected


def _at(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


def _day(ms: int) -> date:
    return _at(ms).astimezone(ZONE).date()


def test_the_forecast_is_that_of_the_rule_applied_to_each_record_and_follows_corrections(world: Told) -> None:
    dice, records = random.Random(5), []
    for number in range(400):
        due = NOW + timedelta(hours=dice.uniform(-100 * 24, 12 * 24))
        ended = due + timedelta(hours=dice.uniform(-15 * 24, 5 * 24))
        open_still = ended > NOW or dice.random() < 0.1
        records.append(_made(number, due, None if open_still else ended, dice.choice([14, 20]), dice.choice([1, 2, 3])))
    world.feed(records, NOW - timedelta(hours=2))
    found = _figures(world)
    assert found.denominator == sum(one["status"] in OPEN for one in records) > 50
    assert found.numerator == round(_slow(records, NOW)) and 0 < found.numerator < found.denominator
    # Some that had been late were on time after all: the chances of the others change with them.
    corrected = [
        {**one, "revision": 2, "op": "CORRECT", "event_id": f"{one['event_id']}c", "due_at": one["ended_at"] + 1000}
        for one in records
        if one["status"] in DONE and one["ended_at"] > one["due_at"]
    ]
    world.feed(corrected, NOW - timedelta(hours=1))
    world.clock[0] = NOW + timedelta(seconds=2)
    by_key = {one["entity_key"]: one for one in [*records, *corrected]}
    after = _figures(world)
    assert after.numerator == round(_slow(list(by_key.values()), world.now)) > found.numerator
    before = _figures(world, Inquiry(KPI, PERIOD, known_at=NOW - timedelta(minutes=90)))
    assert (before.numerator, before.denominator) == (found.numerator, found.denominator)
    _is_explained(world, after)


def _is_explained(world: Told, figures: Any) -> None:
    told_why = world.explainer.explain(Inquiry(KPI, PERIOD), "en")
    assert told_why.formula.startswith("[Dossiers in progress] expected in time ÷ [Dossiers in progress] × 100.")
    assert told_why.role == "value" and told_why.page is not None
    assert sum(item["amount"] for item in told_why.page.items) == 20
    page = world.explainer.records(Inquiry(KPI, PERIOD), "value", 1000)
    assert sum(item["amount"] for item in page.items) == figures.denominator
    rows = world.service.rows(KPI, PERIOD, "org_code")
    assert {row.key for row in rows} == {"H53.14", "H53.20"}
    assert sum(row.figures.denominator or 0 for row in rows) == figures.denominator
    own = world.service.answer(KPI, PERIOD, "H53.14").figures
    assert own.denominator == next(row for row in rows if row.key == "H53.14").figures.denominator


WRONG = {
    "left": ({"left": {0: "finished"}}, "write {1: MEASURE, 3: MEASURE}"),
    "measure": ({"left": {1: "nothing"}}, "no measure 'nothing'"),
    "like": ({"like": ["nothing"]}, "write a list of dimensions"),
    "back_days": ({"back_days": 0}, "write a whole number from 1"),
    "least": ({"least": "ten"}, "write a whole number from 1"),
}


@pytest.mark.parametrize("name", sorted(WRONG))
def test_a_wrong_declaration_is_refused_with_its_place(name: str) -> None:
    raw = yaml.safe_load((package_root() / "dossier.yaml").read_text(encoding="utf-8"))
    declared = next(kpi for kpi in raw["kpis"] if kpi["id"] == KPI)
    changes, cure = WRONG[name]
    declared.update(changes)
    with pytest.raises(PlanError, match=cure.replace("{", r"\{")):
        plan_entity(raw, load_contracts(), "dossier.yaml")
    assert load_plans(load_contracts())
