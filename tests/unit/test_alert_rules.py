"""Alert rules: what is refused at load, and what each kind of condition finds."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from hub.alerts.figures import Figure
from hub.alerts.judge import judge_health, judge_kpi
from hub.alerts.rule_files import PACKAGE, Against, load_alert_rules
from hub.health.incident import Incident
from hub.health.states import ABNORMAL
from hub.kpi.feed import Feed
from schemas.errors import DeclarationError
from tests.unit.alert_worlds import AGAINST, NOW, OWNER, FiguresByHand, rules

OFFICE = AGAINST.calendars["office"]
THRESHOLD = {"threshold": {"kpi": "dossier.on_time_share", "below": 70}}
LATE = {"health": {"states": ["late"]}}


def holds(folder: Path, when: Mapping[str, Any], figures: FiguresByHand, *, is_open: bool = False) -> bool | None:
    rule = rules(folder, {"id": "r", "when": when}).rules["r"]
    kpi = str(rule.when.kpi)
    (found,) = judge_kpi(rule, figures, OFFICE, {("r", kpi)} if is_open else set())
    return found.holds


def test_the_packages_rules_name_kpis_that_there_are_and_cover_every_abnormal_state() -> None:
    loaded = load_alert_rules(AGAINST)
    declared = [
        one["id"] for path in PACKAGE.glob("*.yaml") for one in yaml.safe_load(path.read_text("utf-8"))["rules"]
    ]
    assert set(declared) == set(loaded.rules)
    assert {
        state for rule in loaded.rules.values() if rule.when.health for state in rule.when.health.states
    } == ABNORMAL
    assert all(rule.owner.unit and rule.owner.contact for rule in loaded.rules.values())


def test_a_rule_of_the_package_about_a_kpi_that_a_site_does_not_have_is_left_out() -> None:
    loaded = load_alert_rules(Against({}, AGAINST.calendars))
    assert loaded.rules
    assert all(rule.when.kpi is None for rule in loaded.rules.values())


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"owner": None}, "rules.0.owner"),
        ({"owner": {"unit": "IOC", "contact": ""}}, "rules.0.owner.contact"),
        ({"owner": {"unit": "IOC"}}, "rules.0.owner.contact"),
        ({"when": {"threshold": {"kpi": "dossier.on_time", "below": 70}}}, "rules.0.when.threshold.kpi"),
        ({"when": {"threshold": {"kpi": "dossier.on_time_share", "below": "plan"}}}, "rules.0.when.threshold.below"),
        ({"when": {"threshold": {"kpi": "dossier.on_time_share"}}}, "rules.0.when.threshold"),
        (
            {"when": {"threshold": {"kpi": "dossier.on_time_share", "below": 1, "by": "colour"}}},
            "rules.0.when.threshold.by",
        ),
        ({"when": {"change_point": {"kpi": "feedback.open"}}}, "rules.0.when.change_point.kpi"),
        ({"when": {"rate": {"kpi": "dossier.received"}}}, "rules.0.when.rate"),
        ({"when": {}}, "rules.0.when"),
        ({"when": THRESHOLD | LATE}, "rules.0.when"),
        ({"when": {"health": {"states": ["too_late"]}}}, "rules.0.when.health.states.0"),
        ({"when": {"health": {"states": []}}}, "rules.0.when.health.states"),
        ({"calendar": "offise"}, "rules.0.calendar"),
        ({"channels": ["telegraph"]}, "rules.0.channels.0"),
        ({"escalate": [{"after_s": 60, "to": "a"}, {"after_s": 60, "to": "b"}]}, "rules.0.escalate.1.after_s"),
        ({"escalate": [{"after_s": 60, "to": "a", "channels": ["x"]}]}, "rules.0.escalate.0.channels.0"),
        ({"colour": "red"}, "rules.0.colour"),
    ],
)
def test_a_wrong_rule_is_refused_with_file_line_and_path(tmp_path: Path, changes: dict[str, Any], path: str) -> None:
    declared = {"id": "r", "when": LATE} | changes
    with pytest.raises(DeclarationError) as refused:
        rules(
            tmp_path,
            {key: value for key, value in declared.items() if value is not None}
            | {"owner": changes.get("owner", OWNER)},
        )
    assert f"“{path}”" in refused.value.text.en
    assert refused.value.text.vi.startswith("alerts.yaml, dòng ")


@pytest.mark.parametrize(
    ("channel", "path"),
    [
        ({}, "channels.0"),
        ({"webhook": {"url": "ftp://x", "secret": "${env:IOC_SECRET_X}"}}, "channels.0.webhook.url"),
        ({"webhook": {"url": "https://x.example.vn", "secret": "in plain text"}}, "channels.0.webhook.secret"),
        ({"mail": {"to": ["nobody"]}}, "channels.0.mail.to.0"),
        ({"mail": {"to": [], "to_owner": False}}, "channels.0.mail.to"),
    ],
)
def test_a_wrong_channel_is_refused(tmp_path: Path, channel: dict[str, Any], path: str) -> None:
    with pytest.raises(DeclarationError) as refused:
        rules(tmp_path, {"id": "r", "when": LATE}, channels=[{"id": "c"} | channel])
    assert f"“{path}”" in refused.value.text.en


def test_two_rules_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DeclarationError, match=r"rules\.1\.id"):
        rules(tmp_path, {"id": "r", "when": LATE}, {"id": "r", "when": THRESHOLD})


@pytest.mark.parametrize(
    ("value", "is_open", "found"),
    [(69.9, False, True), (70.0, False, False), (71.0, True, True), (72.1, True, False), (None, False, None)],
)
def test_a_threshold_lets_go_later_than_it_takes_hold(
    tmp_path: Path, value: float | None, is_open: bool, found: bool | None
) -> None:
    when = {"threshold": {"kpi": "dossier.on_time_share", "below": 70, "back": 2}}
    assert holds(tmp_path, when, FiguresByHand(figure=Figure(value, 1000.0)), is_open=is_open) is found


def test_a_threshold_against_plan_takes_the_target_of_the_period(tmp_path: Path) -> None:
    when = {"threshold": {"kpi": "dossier.online_share", "below": "plan", "margin": 2}}
    assert holds(tmp_path, when, FiguresByHand(figure=Figure(47.9, 500.0, 50.0))) is True
    assert holds(tmp_path, when, FiguresByHand(figure=Figure(48.1, 500.0, 50.0))) is False
    assert holds(tmp_path, when, FiguresByHand(figure=Figure(10.0, 500.0, None))) is None


def test_few_cases_and_stale_sources_say_nothing(tmp_path: Path) -> None:
    when = {"threshold": {"kpi": "dossier.on_time_share", "below": 70, "least": 50}}
    assert holds(tmp_path, when, FiguresByHand(figure=Figure(10.0, 49.0))) is None
    assert holds(tmp_path, when, FiguresByHand(figure=Figure(10.0, 50.0), trusted=False)) is None


def test_a_threshold_by_unit_is_a_finding_for_each(tmp_path: Path) -> None:
    when = {"threshold": {"kpi": "dossier.on_time_share", "below": 70, "by": "org_code"}}
    rule = rules(tmp_path, {"id": "r", "when": when}).rules["r"]
    parts = {"H53.14": Figure(60.0, 100.0), "H53.20": Figure(90.0, 100.0)}
    found = judge_kpi(rule, FiguresByHand(parts=parts), OFFICE, set())
    assert [(one.subject, one.org, one.holds) for one in found] == [
        ("dossier.on_time_share:H53.14", "H53.14", True), ("dossier.on_time_share:H53.20", "H53.20", False),
    ]  # fmt: skip


def workdays(value: Any, last: Any) -> Any:
    """`value` on working days (with a little noise), `last` on the last whole one before `NOW`, 0 on days off."""
    monday = date(2026, 3, 2)
    return lambda day: last if day == monday else (value + day.day % 5 if OFFICE.is_working_day(day) else 0.0)


@pytest.mark.parametrize(("last", "found"), [(100.0, False), (130.0, False), (20.0, True), (0.0, True), (300.0, True)])
def test_a_change_point_is_a_working_day_out_of_line(tmp_path: Path, last: float, found: bool) -> None:
    figures = FiguresByHand(values=workdays(100.0, last))
    assert holds(tmp_path, {"change_point": {"kpi": "dossier.received"}}, figures) is found


def test_a_day_beside_tet_is_not_judged(tmp_path: Path) -> None:
    after_tet = NOW.replace(month=2, day=24)
    assert not OFFICE.is_working_day(date(2026, 2, 20))
    figures = FiguresByHand(at=after_tet, values=lambda day: 5.0 if day >= date(2026, 2, 13) else 100.0)
    assert holds(tmp_path, {"change_point": {"kpi": "dossier.received"}}, figures) is None
    assert holds(tmp_path, {"missing": {"kpi": "dossier.received"}}, figures) is None


@pytest.mark.parametrize(
    ("now", "when", "found"),
    [
        (250.0, {"rises_percent": 100}, True),
        (150.0, {"rises_percent": 100}, False),
        (30.0, {"falls_percent": 50}, True),
        (250.0, {"falls_percent": 50}, False),
    ],
)
def test_a_rate_compares_as_many_working_days(tmp_path: Path, now: float, when: dict[str, float], found: bool) -> None:
    figures = FiguresByHand(at=NOW + timedelta(days=21), values=lambda day: now if day >= date(2026, 3, 17) else 100.0)
    assert holds(tmp_path, {"rate": {"kpi": "dossier.received", "days": 5, **when}}, figures) is found


def test_a_rate_of_a_share_is_of_sums(tmp_path: Path) -> None:
    figures = FiguresByHand(
        at=NOW + timedelta(days=21), values=lambda day: 40.0 if day >= date(2026, 3, 17) else 90.0, share=True
    )
    assert holds(tmp_path, {"rate": {"kpi": "dossier.on_time_share", "falls_percent": 30}}, figures) is True


def test_missing_data_are_a_whole_working_day_without_any(tmp_path: Path) -> None:
    when = {"missing": {"kpi": "dossier.received"}}
    assert holds(tmp_path, when, FiguresByHand(values=workdays(100.0, None))) is True
    assert holds(tmp_path, when, FiguresByHand(values=workdays(100.0, 1.0))) is False
    assert holds(tmp_path, when, FiguresByHand(values=lambda day: 0.0)) is False, "it never had any"
    assert holds(tmp_path, when, FiguresByHand(values=workdays(100.0, None), trusted=False)) is None


def test_faults_of_the_platform_are_one_finding_and_those_of_sources_one_for_each(tmp_path: Path) -> None:
    loaded = rules(
        tmp_path,
        {"id": "own", "when": {"health": {"states": ["late"]}}},
        {"id": "ours", "when": {"health": {"states": ["stuck_stream"], "per": "platform"}}},
    )
    incidents = [
        Incident(f"{state}{n}", f"d{n}", "H53.1", "e", state, NOW)
        for n in range(3)
        for state in ("late", "stuck_stream")
    ]
    feeds = {"d0": Feed("d0", "rest", "Sở Xây dựng", "dau-moi@sxd.example.vn", "e", "s", "H53.7")}
    own = judge_health(loaded.rules["own"], loaded.rules["own"].when.health, incidents, feeds)  # type: ignore[arg-type]
    assert [(one.subject, one.owner, one.contact, one.org) for one in own] == [
        ("d0", "Sở Xây dựng", "dau-moi@sxd.example.vn", "H53.7"),
        ("d1", "H53.1", None, "H53.1"),
        ("d2", "H53.1", None, "H53.1"),
    ]
    ours = judge_health(loaded.rules["ours"], loaded.rules["ours"].when.health, incidents, feeds)  # type: ignore[arg-type]
    assert [(one.subject, one.facts["datasets"]) for one in ours] == [("stuck_stream", ["d0", "d1", "d2"])]
