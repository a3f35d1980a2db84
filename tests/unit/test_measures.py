"""Measures cannot throw: what could is refused with the piece and the cure."""

from __future__ import annotations

import pytest
import yaml

from schemas.contract import load_contracts
from streams.errors import PlanError
from streams.measures import MeasureError, check_measure
from streams.plan import load_plans, plan_entity
from tests.stream_worker import ROOT

FIELDS = ("status", "fee", "channel", "rating", "due_at", "ended_at", "note")
TIMES = ("due_at", "ended_at")


@pytest.mark.parametrize(
    "sql",
    [
        "1",
        "status IN (9, 10) AND ifNull($day(ended_at) <= $day(due_at), 1)",
        "status not in (-1, 3) or not (channel = 'ON\\'LINE' and fee >= 10.5)",
        "fee * 2 - -1 BETWEEN 0 AND 7 AND rating IS NOT NULL",
        "CASE WHEN status = 1 THEN fee ELSE 0 END",
        "CASE channel WHEN 'POST' THEN 1 END",
        "toInt32OrNull(note) > 3 AND divideOrNull(fee, rating) < 2",
        "dateDiff('hour', ended_at, due_at) > 24",
        "channel = 'a / b; SELECT 1'",
    ],
)
def test_an_expression_that_cannot_throw_is_allowed(sql: str) -> None:
    check_measure(sql, FIELDS, TIMES)


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("fee / rating", "at '/': write divideOrNull"),
        ("fee % 2", "at '%': write moduloOrNull"),
        ("fee DIV 2", "at 'DIV': write intDivOrNull"),
        ("intDiv(fee, rating)", "at 'intDiv': write intDivOrNull"),
        ("toInt32(note)", "at 'toInt32': it throws on what it cannot convert; write toInt32OrNull"),
        ("note::Int32", "at '::': write accurateCastOrNull"),
        ("CAST(note AS Int32)", "at 'CAST': write accurateCastOrNull"),
        ("throwIf(fee = 0)", "at 'throwIf': this function is not among"),
        ("sum(fee)", "at 'sum': this function is not among"),
        ("colour = 3", "at 'colour': no such field; there are channel,"),
        ("$day(fee) = 1", "at 'fee': no such timestamp; there are due_at, ended_at"),
        ("fee IN (SELECT 1)", "at 'SELECT': a measure is an expression over one state"),
        ("(SELECT 1)", "at 'SELECT': a measure is an expression over one state"),
        ("fee = 1 FROM numbers", "at 'FROM': this is not understood"),
        ("fee; DROP TABLE x", "at '; DROP TABLE x': this is not understood"),
        ("fee -- a remark", "at '-- a remark': this is not understood"),
        ("fee = 1)", "at ')'"),
        ("(fee = 1", "ends too early"),
        ("fee =", "ends too early"),
        ("", "is empty"),
        ("'a' 'b'", "is not understood"),
        ("`fee` = 1", "is not understood"),
        ("fee = 1e400", "is not understood"),
    ],
)
def test_an_expression_that_could_throw_is_refused_with_the_piece_and_the_cure(sql: str, message: str) -> None:
    with pytest.raises(MeasureError) as caught:
        check_measure(sql, FIELDS, TIMES)
    assert message in str(caught.value)


def test_the_error_names_file_kpi_measure_piece_and_cure() -> None:
    raw = yaml.safe_load((ROOT / "streams" / "kpis" / "dossier.yaml").read_text(encoding="utf-8"))
    raw["measures"]["finished"]["sql"] = "fee / level"
    with pytest.raises(PlanError) as caught:
        plan_entity(raw, load_contracts(), "dossier.yaml")
    for part in ("dossier.yaml", "dossier.on_time_share", "measures.finished.sql", "'/'", "divideOrNull"):
        assert part in str(caught.value)


def test_a_measure_that_hides_a_field_from_another_is_refused() -> None:
    raw = yaml.safe_load((ROOT / "streams" / "kpis" / "dossier.yaml").read_text(encoding="utf-8"))
    raw["measures"]["status"] = {"sql": "level = 4", "name": {"vi": "x", "en": "x"}}
    with pytest.raises(PlanError, match=r"measures\.status: a field has this name, and .* read that field"):
        plan_entity(raw, load_contracts(), "dossier.yaml")


def test_the_declared_measures_are_allowed() -> None:
    assert any(plan.kpis for plan in load_plans(load_contracts()).values())
