"""The oracle on cases small enough to be counted by hand."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl

from deploy.demo import emitted, oracle, tally
from hub.demo_figures import differences, due_at
from schemas.contract import load_contracts
from streams.plan import load_plans

START, END = date(2022, 1, 1), date(2022, 9, 30)
ONLINE = {"1.000001", "1.000002", "1.000003", "1.000004"}


def _moment(month: int, day: int, hour: int = 10) -> datetime:
    return datetime(2022, month, day, hour, tzinfo=UTC) - timedelta(hours=7)


def _dossier(key: str, revision: int, op: str = "UPSERT", **fields: Any) -> dict[str, Any]:
    base: dict[str, Any] = dict.fromkeys(emitted.DOSSIER_SCHEMA)
    base |= {"entity_key": key, "revision": revision, "op": op, "event_id": f"{key}/{revision}/{op}"}
    base |= {"channel": "COUNTER", "status": 10, "procedure_code": "1.000001", "result_electronic": False}
    base |= {"received_at": _moment(3, 1), "due_at": _moment(3, 10), "ended_at": _moment(3, 9)}
    return base | fields


def _feedback(key: str, revision: int, op: str = "UPSERT", **fields: Any) -> dict[str, Any]:
    base: dict[str, Any] = dict.fromkeys(emitted.FEEDBACK_SCHEMA)
    base |= {"entity_key": key, "revision": revision, "op": op, "event_id": f"{key}/{revision}/{op}"}
    base |= {"status": "RESOLVED", "received_at": _moment(3, 1)}
    base |= {"due_at": _moment(3, 10), "resolved_at": _moment(3, 9)}
    return base | fields


def _dossier_kpis(*rows: dict[str, Any]) -> dict[str, oracle.Answer]:
    return oracle.dossier_kpis(emitted.dossier_frame(rows), ONLINE, START, END)


def _feedback_kpis(*rows: dict[str, Any], end: date = END) -> dict[str, oracle.Answer]:
    return oracle.feedback_kpis(emitted.feedback_frame(rows), START, end)


def test_a_recalled_dossier_counts_no_more() -> None:
    answers = _dossier_kpis(_dossier("a", 1), _dossier("b", 1), _dossier("b", 2, "DELETE"))
    assert answers["dossier.received"]["value"] == 1
    assert answers["dossier.on_time_share"] == {"value": 100.0, "numerator": 1, "denominator": 1}


def test_a_dossier_recalled_at_its_own_revision_counts_no_more() -> None:
    assert _dossier_kpis(_dossier("a", 1, "DELETE"), _dossier("a", 1))["dossier.received"]["value"] == 0


def test_a_restored_dossier_counts_again() -> None:
    rows = (_dossier("a", 1), _dossier("a", 1, "DELETE"), _dossier("a", 2))
    assert _dossier_kpis(*rows)["dossier.received"]["value"] == 1


def test_a_late_correction_takes_back_an_on_time_dossier() -> None:
    rows = (_dossier("a", 1), _dossier("a", 1, "CORRECT", ended_at=_moment(3, 11)))
    assert _dossier_kpis(*rows)["dossier.on_time_share"] == {"value": 0.0, "numerator": 0, "denominator": 1}


def test_an_old_revision_that_comes_late_changes_nothing() -> None:
    rows = (_dossier("a", 3), _dossier("a", 2, status=4, ended_at=None))
    assert _dossier_kpis(*rows)["dossier.on_time_share"]["denominator"] == 1


def test_on_time_is_by_the_local_day_and_without_a_due_date() -> None:
    in_the_evening = _dossier("a", 1, due_at=_moment(3, 10, 8), ended_at=_moment(3, 10, 23))
    after_midnight = _dossier("b", 1, due_at=_moment(3, 10, 8), ended_at=_moment(3, 11, 0))
    no_due_date = _dossier("c", 1, due_at=None)
    answers = _dossier_kpis(in_the_evening, after_midnight, no_due_date)
    assert answers["dossier.on_time_share"] == {"value": 66.67, "numerator": 2, "denominator": 3}


def test_a_period_ends_at_local_midnight() -> None:
    last = datetime(2022, 9, 30, 16, 59, 59, tzinfo=UTC)
    rows = (_dossier("a", 1, received_at=last), _dossier("b", 1, received_at=last + timedelta(seconds=1)))
    assert _dossier_kpis(*rows)["dossier.received"]["value"] == 1


def test_only_online_dossiers_received_make_an_online_procedure_used() -> None:
    answers = _dossier_kpis(
        _dossier("a", 1, channel="ONLINE", procedure_code="1.000001"),
        _dossier("b", 1, channel="COUNTER", procedure_code="1.000002"),
        _dossier("c", 1, channel="ONLINE", procedure_code="1.000003", status=3),
        _dossier("d", 1, channel="ONLINE", procedure_code="9.999999"),
    )
    assert answers["procedure.online_with_dossier_share"] == {"value": 25.0, "numerator": 1, "denominator": 4}
    assert answers["dossier.online_share"] == {"value": 66.67, "numerator": 2, "denominator": 3}


def test_without_anything_to_divide_by_there_is_no_value() -> None:
    answers = _dossier_kpis() | _feedback_kpis()
    assert answers["dossier.on_time_share"] == {"value": None, "numerator": 0, "denominator": 0}
    assert answers["feedback.received"]["value"] == 0


def test_duplicates_and_rejected_reports_are_not_received() -> None:
    rows = (_feedback("a", 1), _feedback("b", 1, status="DUPLICATE"), _feedback("c", 1, status="REJECTED"))
    assert _feedback_kpis(*rows)["feedback.received"]["value"] == 1


def test_open_reports_are_cumulative_to_the_end_of_the_period() -> None:
    long_ago = {"received_at": datetime(2020, 5, 5, tzinfo=UTC)}
    rows = (
        _feedback("a", 1, status="NEW", resolved_at=None, **long_ago),
        _feedback("b", 1, resolved_at=_moment(8, 1)),
        _feedback("c", 1, status="DUPLICATE", **long_ago),
    )
    assert _feedback_kpis(*rows)["feedback.open"]["value"] == 1
    assert _feedback_kpis(*rows, end=date(2022, 7, 31))["feedback.open"]["value"] == 2


def test_the_order_of_arrival_and_repeats_change_nothing() -> None:
    rows = [
        _dossier("a", 1, status=4, ended_at=None),
        _dossier("a", 2),
        _dossier("a", 2, "CORRECT", ended_at=_moment(4, 1)),
        _dossier("b", 1),
        _dossier("b", 2, "DELETE"),
        _dossier("b", 3, channel="ONLINE"),
        # Two contents at one revision: one of them wins, always the same.
        _dossier("c", 1, channel="ONLINE", event_id="x"),
        _dossier("c", 1, channel="POST", event_id="y"),
    ] * 2
    expected = _dossier_kpis(*rows)
    for seed in range(10):
        random.Random(seed).shuffle(rows)
        assert _dossier_kpis(*rows) == expected


def test_shares_are_rounded_half_up_to_two_decimals() -> None:
    assert tally.share(1, 32)["value"] == 3.13
    assert tally.share(275, 380)["value"] == 72.37


def test_codes_out_of_force_are_no_online_procedures(tmp_path: Any) -> None:
    table = tmp_path / "procedure.csv"
    table.write_text("code,online,valid_from,valid_to\na,1,2021-01-01,\nb,1,2021-01-01,2022-01-01\nc,0,2021-01-01,\n")
    assert oracle.online_procedures(date(2022, 1, 1), table) == {"a", "b"}
    assert oracle.online_procedures(date(2022, 1, 2), table) == {"a"}
    assert len(oracle.online_procedures(END)) == 1213


def test_final_states_keep_one_row_a_key() -> None:
    frame = emitted.dossier_frame([_dossier("a", 1), _dossier("a", 1), _dossier("b", 1, "DELETE")])
    assert oracle.final_states(frame).select("entity_key").equals(pl.DataFrame({"entity_key": ["a"]}))


def test_every_kpi_of_both_great_systems_is_counted_by_hand() -> None:
    plans = load_plans(load_contracts())
    declared = {kpi.id for entity in ("dossier", "feedback") for kpi in plans[entity].kpis}
    by_arrival = {name for name in declared if name.endswith((".late_corrections", ".clock_skew"))}
    assert set(_dossier_kpis()) | set(_feedback_kpis()) == declared - by_arrival


def test_what_is_due_depends_on_when_it_is_asked() -> None:
    open_ones = [
        _dossier("a", 1, status=4, due_at=_moment(3, 10, 9)),
        _dossier("b", 1, status=2, due_at=_moment(3, 11, 8)),
        _dossier("c", 1, status=5, due_at=_moment(3, 1)),
        _dossier("d", 1, status=10, due_at=_moment(3, 1)),
        _dossier("e", 1, status=4, due_at=None),
    ]
    answers = _dossier_kpis(*open_ones)
    at = _moment(3, 10, 10).isoformat()
    assert due_at(answers["dossier.overdue"], at) == due_at(answers["dossier.due_in_24h"], at) == 1
    assert due_at(answers["dossier.overdue"], _moment(3, 12).isoformat()) == 2
    wrong = {"dossier.overdue": {"value": 2, "numerator": None, "denominator": None, "read_at": at}}
    wanted = {"dossier.overdue": answers["dossier.overdue"]}
    assert differences(wanted, wrong) == ["dossier.overdue: 2 where the ledgers say 1"]


def test_the_score_weighs_the_groups_that_have_data() -> None:
    rows = (_dossier("a", 1, rating=5, level=4, channel="ONLINE"), _dossier("b", 1, level=3, components_digitised=True))
    answers = _dossier_kpis(*rows)
    assert answers["dossier.online_766_share"] == {"value": 50.0, "numerator": 1, "denominator": 2}
    assert answers["dossier.online_payment_share"]["value"] is None
    # Transparency 18, progress 20, online 6 of 12, satisfaction 18, digitisation 11 of 22; no fee was due.
    assert answers["dossier.score_766"]["value"] == 73
    assert _dossier_kpis()["dossier.score_766"]["value"] is None
