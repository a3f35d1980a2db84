"""KPI files: targets, thresholds and versions as declared; a wrong one is refused by place, type and cure."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from hub.kpi.period import Period, previous, year_before
from schemas.contract import load_contracts
from streams.errors import PlanError
from streams.kpi import Kpi, Thresholds
from streams.kpi_file import read_kpi
from streams.plan import plan_entity

TEXTS = {"vi": "Tỷ lệ", "en": "Share"}
BASE: dict[str, Any] = {
    "id": "dossier.share",
    "name": TEXTS,
    "explanation": TEXTS,
    "kind": "ratio",
    "unit": {"vi": "%", "en": "%"},
    "direction": "up",
    "owner": "VP UBND",
    "numerator": {"measure": "a"},
    "denominator": {"measure": "b", "time": "received_at"},
}


def read(**changes: Any) -> Kpi:
    return read_kpi({**BASE, **changes}, "dossier", ("org_code",), "dossier.yaml.kpis[0]")


def test_the_target_of_the_narrowest_period_and_the_nearest_unit_holds() -> None:
    target = {"default": 50, 2025: 80, "2025-Q1": {"all": 75, "H53.14": 90}, "2025-02": {"H53.14.2": 95}}
    kpi = read(target=target)
    days = {name: (date(2025, start, 1), date(2025, end, 28)) for name, start, end in
            (("february", 2, 2), ("quarter", 1, 3), ("half", 1, 6))}  # fmt: skip
    assert kpi.target_on(*days["february"], "H53.14.2.7") == 95
    assert kpi.target_on(*days["february"], "H53.14.3") == 90
    assert kpi.target_on(*days["february"]) == 75
    assert kpi.target_on(*days["quarter"], "H53.20") == 75
    assert kpi.target_on(*days["half"], "H53.14") == 80
    assert kpi.target_on(date(2024, 1, 1), date(2024, 1, 31)) == 50


def test_a_version_holds_from_its_day_and_an_older_one_before() -> None:
    kpi = read(version=3, valid_from=date(2025, 7, 1), target={"default": 80}, earlier=[
        {"version": 2, "valid_from": date(2023, 1, 1), "target": {"default": 50}},
        {"version": 1, "numerator": {"measure": "old"}},
    ])  # fmt: skip
    assert [kpi.at(day).version for day in (date(2025, 7, 1), date(2025, 6, 30), date(2022, 12, 31))] == [3, 2, 1]
    assert kpi.at(date(2024, 1, 1)).target == {"default": 50}
    assert kpi.at(date(2020, 1, 1)).terms["numerator"].measure == "old"


@pytest.mark.parametrize(
    ("direction", "values"),
    [("up", {90: "ok", 75: "warn", 60: "alarm"}), ("down", {50: "ok", 75: "alarm", 60: "warn"})],
)
def test_thresholds_are_reached_in_the_bad_direction(direction: str, values: dict[float, str]) -> None:
    bounds = Thresholds(75, 60) if direction == "up" else Thresholds(60, 75)
    assert {value: bounds.level(value, direction) for value in values} == values
    assert bounds.level(None, direction) is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"target": 50}, 'kpis[0].target: write {default: 50, "2025": 80}, found 50 (int)'),
        ({"target": {"2025-Q5": 1}}, "target.2025-Q5: no period"),
        ({"target": {"2025": {"H53": "x"}}}, "target.2025.H53: write a number, found 'x' (str)"),
        ({"thresholds": {"warn": 60, "alarm": 75}}, "with direction up warn comes before alarm"),
        ({"thresholds": {"low": 1}}, "thresholds: write {warn: 75, alarm: 60}"),
        ({"thresholds": {"warn": 1}, "direction": "none"}, "direction none has no bad values"),
        ({"direction": "upwards"}, "direction: 'upwards' is not one of up, down, none"),
        ({"id": "Dossier Share"}, "id: 'Dossier Share': write lower-case words"),
        ({"scale": 1.5}, "scale: only a ratio has one"),
        ({"due": "past"}, "due: a ratio has no such key; it has numerator, denominator"),
        ({"name": "Tỷ lệ"}, "name: write {vi: …, en: …}, both texts"),
        ({"valid_from": "2025-01-01"}, "valid_from: write a day as YYYY-MM-DD without quotes"),
        ({"earlier": [{"version": 1}]}, "version 1 needs valid_from"),
        ({"version": 2, "valid_from": date(2025, 1, 1), "earlier": [{"version": 2}]}, "must be older than version 2"),
        ({"reported": "CT-1"}, "reported: write {entity: NAME, code: CODE}"),
    ],
)
def test_a_wrong_key_is_refused_by_place_type_and_cure(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(PlanError) as caught:
        read(**changes)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("status = 'RESOLVED'", "at '=': status is a number and 'RESOLVED' is a text: write RESOLVED without quotes"),
        ("channel = 'ONLIN'", "at '=': channel is never 'ONLIN': it is one of UNKNOWN, COUNTER, ONLINE, POST; did you"),
        ("channel IN ('ONLINE', 3)", "at 'IN': 3 is a number and channel is a text"),
        ("channel", "channel is a text, and a measure is a number or a condition"),
        ("ended_at - received_at", "write dateDiff('hour', ended_at, received_at)"),
        ("status = 9 AND received_at", "at 'AND': received_at is a time, and a condition is wanted"),
        ("fee + channel > 3", "at '+': channel is a text: texts cannot be added"),
    ],
)
def test_a_measure_of_wrong_types_is_refused_before_a_view_exists(sql: str, message: str) -> None:
    raw = {
        "entity": "dossier",
        "measures": {"a": {"sql": sql, "name": TEXTS}, "b": {"sql": "1", "name": TEXTS}},
        "kpis": [BASE],
    }
    with pytest.raises(PlanError) as caught:
        plan_entity(raw, load_contracts(), "dossier.yaml")
    assert message in str(caught.value)


def test_the_days_before_are_whole_months_before_whole_months() -> None:
    assert previous(Period(date(2025, 1, 1), date(2025, 3, 31))) == Period(date(2024, 10, 1), date(2024, 12, 31))
    assert previous(Period(date(2025, 3, 3), date(2025, 3, 9))) == Period(date(2025, 2, 24), date(2025, 3, 2))
    assert year_before(Period(date(2024, 2, 29), date(2024, 3, 1))) == Period(date(2023, 2, 28), date(2023, 3, 1))
