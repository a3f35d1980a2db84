"""Findings to alerts: hysteresis, one opening for one condition, owners, escalation, and what a restart leaves."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.alerts.alert import ENGINE, Act, Alert
from hub.alerts.finding import Finding
from hub.alerts.fold import Watched, closing, escalations, fold
from hub.alerts.rule_files import AlertRules
from tests.unit.alert_worlds import AGAINST, NOW, OWNER, rules

EVERY = timedelta(minutes=1)
KPI = {"threshold": {"kpi": "dossier.on_time_share", "below": 70}}
LATE = {"health": {"states": ["late"]}}


@pytest.fixture(scope="module")
def kpi_rules(tmp_path_factory: pytest.TempPathFactory) -> AlertRules:
    return rules(tmp_path_factory.mktemp("rules"), {"id": "r", "when": KPI})


def run(loaded: AlertRules, told: list[bool | None], watched: Watched | None = None) -> tuple[Watched, list[Alert]]:
    """One evaluation a minute of one subject; None: it cannot be told."""
    kept, found = watched or Watched(), []
    for number, holds in enumerate(told):
        now = NOW + EVERY * number
        kept, changed = fold(kept, [Finding("r", "s", holds)], {"r"}, loaded, now)
        found += changed
    return kept, found


def test_it_opens_at_the_second_evaluation_and_since_the_first(kpi_rules: AlertRules) -> None:
    assert run(kpi_rules, [True])[1] == []
    _, (opened,) = run(kpi_rules, [True, True])
    assert (opened.opened, opened.ended, opened.state) == (NOW, None, "open")
    assert (opened.owner, opened.contact) == (OWNER["unit"], OWNER["contact"])


def test_it_ends_after_two_evaluations_without_it(kpi_rules: AlertRules) -> None:
    _, found = run(kpi_rules, [True, True, False, True, False, False])
    assert [one.ended for one in found] == [None, NOW + 5 * EVERY]
    assert found[0].id == found[1].id


def test_what_cannot_be_told_changes_nothing(kpi_rules: AlertRules) -> None:
    assert len(run(kpi_rules, [True, None, None, True])[1]) == 1
    assert len(run(kpi_rules, [True, True, False, None, None, None, True])[1]) == 1


def test_one_condition_is_one_alert_however_long_it_lasts(kpi_rules: AlertRules) -> None:
    assert len(run(kpi_rules, [True] * 500)[1]) == 1


def test_a_restart_goes_on_with_what_is_open(kpi_rules: AlertRules) -> None:
    _, (opened,) = run(kpi_rules, [True, True])
    again = Watched.of([Alert.from_json(opened.to_json())])
    assert run(kpi_rules, [True] * 5, again)[1] == []
    (ended,) = run(kpi_rules, [False, False], again)[1]
    assert ended.id == opened.id


def test_what_was_handled_and_still_holds_opens_anew_after_the_rules_patience(tmp_path: Path) -> None:
    loaded = rules(tmp_path, {"id": "r", "when": KPI, "again_s": 600})
    watched, (opened,) = run(loaded, [True, True])
    handled = opened.with_acts([Act("handled", NOW + EVERY, "a", "done")])
    kept = Watched({("r", "s"): handled}, watched.coming, watched.going)
    _, found = run(loaded, [True] * 20, kept)
    assert [(one.id == opened.id, one.ended is None) for one in found] == [(True, False), (False, True)]


def test_a_rule_that_is_gone_has_nothing_open(kpi_rules: AlertRules, tmp_path: Path) -> None:
    watched, _ = run(kpi_rules, [True, True])
    _, (ended,) = fold(watched, [], set(), rules(tmp_path, {"id": "other", "when": LATE}), NOW + EVERY)
    assert ended.ended is not None


def test_a_data_set_that_flaps_is_one_alert(tmp_path: Path) -> None:
    loaded = rules(tmp_path, {"id": "r", "when": LATE})
    kept, found = Watched(), []
    for number in range(200):
        now = NOW + timedelta(seconds=2.5 * number)
        down = number % 20 < 10
        kept, changed = fold(kept, [Finding("r", "s", True)] if down else [], {"r"}, loaded, now)
        found += changed
    assert len(found) == 1


def test_a_finding_names_the_owner_and_else_the_rule_does(tmp_path: Path) -> None:
    loaded = rules(tmp_path, {"id": "r", "when": LATE})
    findings = [Finding("r", "a", True, owner="Sở Xây dựng", contact=None, org="H53.7"), Finding("r", "b", True)]
    _, (own, rule) = fold(Watched(), findings, {"r"}, loaded, NOW)
    assert (own.owner, own.contact, own.org) == ("Sở Xây dựng", OWNER["contact"], "H53.7")
    assert (rule.owner, rule.contact) == (OWNER["unit"], OWNER["contact"])


ESCALATE: list[dict[str, Any]] = [
    {"after_s": 1800, "to": "lead"}, {"after_s": 7200, "to": "director", "unless": "handled"},
]  # fmt: skip


@pytest.mark.parametrize(
    ("minutes", "acts", "levels"),
    [
        (29, [], []),
        (30, [], [1]),
        (121, [], [1, 2]),
        (121, [Act("escalated", NOW, ENGINE, level=1)], [2]),
        (121, [Act("assigned", NOW, "a", to="b")], [2]),
        (121, [Act("handled", NOW, "a", "x")], []),
    ],
)
def test_it_escalates_step_by_step_unless_somebody_took_it_up(
    tmp_path: Path, minutes: int, acts: list[Act], levels: list[int]
) -> None:
    loaded = rules(tmp_path, {"id": "r", "when": LATE, "escalate": ESCALATE})
    _, (opened,) = fold(Watched(), [Finding("r", "s", True)], {"r"}, loaded, NOW)
    due = escalations(opened.with_acts(acts), loaded, AGAINST.calendars, NOW + timedelta(minutes=minutes))
    assert [(act.level, act.to) for act in due] == [(level, ESCALATE[level - 1]["to"]) for level in levels]


def test_by_working_hours_a_weekend_does_not_count(tmp_path: Path) -> None:
    loaded = rules(tmp_path, {"id": "r", "when": KPI, "hours": "working", "escalate": ESCALATE, "raise_after": 1})
    friday_evening = NOW.replace(day=6, hour=9, minute=45)
    _, (opened,) = fold(Watched(), [Finding("r", "s", True)], {"r"}, loaded, friday_evening)
    assert escalations(opened, loaded, AGAINST.calendars, friday_evening + timedelta(days=2)) == []
    monday = friday_evening + timedelta(days=2, hours=15)
    assert [act.level for act in escalations(opened, loaded, AGAINST.calendars, monday)] == [1]


def test_what_passed_and_nobody_took_up_is_closed_a_day_later(kpi_rules: AlertRules) -> None:
    _, found = run(kpi_rules, [True, True, False, False])
    ended = found[-1]
    assert ended.ended is not None
    assert closing(ended, ended.ended + timedelta(hours=23)) is None
    act = closing(ended, ended.ended + timedelta(hours=24))
    assert act is not None
    assert ended.with_acts([act]).state == "handled"


@given(st.lists(st.sampled_from([True, False, None]), max_size=60))
def test_there_is_never_more_than_one_open_and_each_ends_once(kpi_rules: AlertRules, told: list[bool | None]) -> None:
    kept, found = run(kpi_rules, told)
    begun = [one.id for one in found if one.ended is None]
    ended = [one.id for one in found if one.ended is not None]
    assert len(begun) == len(set(begun))
    assert len(ended) == len(set(ended))
    assert set(begun) - set(ended) == {one.id for one in kept.open.values()}


def test_what_is_kept_is_read_back() -> None:
    act = Act("escalated", NOW, ENGINE, "", "lead", 2, ("mail",))
    assert Act.from_json(act.to_json()) == act
    alert = Alert(
        "i", "r", "s", {"vi": "a", "en": "b"}, "page", "o", "c", "H53", NOW, NOW + EVERY, 1.5, None, {"a": [1]}, "k",
        None, ("mail",),
    )  # fmt: skip
    assert Alert.from_json(alert.to_json()) == alert
