"""Nobody is told anything in weeks in which nothing is wrong, Tết among them; and each fault is told of at once."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest

from hub.alerts.judge import judge_kpi, judged_now
from tests.benchmarks.alert_weeks import BEGIN, KPI_EVERY, WEEKS, ZONE, simulate
from tests.benchmarks.false_alarms import STEP

TET = datetime(2026, 2, 12, 0, 0, tzinfo=ZONE)
FAULT = date(2026, 1, 20)
"""A Tuesday."""


def test_a_week_of_days_off_tells_nobody() -> None:
    simulation = simulate()
    simulation.step = timedelta(minutes=15)
    assert simulation.run(TET, 1.5) == []
    assert simulation.evaluations > 5_000


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_eight_weeks_tell_nobody(seed: int) -> None:
    simulation = simulate(seed)
    assert simulation.run(BEGIN, WEEKS) == []
    assert simulation.evaluations > 100_000


FAULTS = {
    "kpi.dossier-on-time": ("dossier.on_time_share", lambda day, value: value - 60 if day >= FAULT else value),
    "kpi.dossier-online": ("dossier.online_share", lambda day, value: value - 57 if day >= FAULT else value),
    "kpi.dossier-received-change": ("dossier.received", lambda day, value: value * 0.15 if day == FAULT else value),
    "kpi.dossier-received-missing": ("dossier.received", lambda day, value: 0.0 if day == FAULT else value),
    "kpi.feedback-rising": ("feedback.received", lambda day, value: value * 3.5 if day >= FAULT else value),
}


@pytest.mark.parametrize("rule", sorted(FAULTS))
def test_each_fault_of_a_figure_is_told_within_two_evaluations_of_its_being_there(rule: str) -> None:
    kpi, change = FAULTS[rule]
    simulation = simulate(1, lambda name, day, value: change(day, value) if name == kpi else value)
    simulation.step, simulation.systems = timedelta(minutes=30), []
    begin = datetime(2026, 1, 19, 0, 0, tzinfo=ZONE)
    found = [one for one in simulation.run(begin, 3 / 7 if "received" in rule else 10 / 7) if one.rule == rule]
    assert len(found) == 1
    figures, since = simulation.figures, found[0].opened
    figures.at = since - KPI_EVERY
    loaded = simulation.rules.rules[rule]
    before = judge_kpi(loaded, figures, figures.calendar, ())[0].holds
    assert before is not True or not judged_now(loaded, figures.calendar, figures.at), "it was there before"


@pytest.mark.parametrize("hour", [9, 23])
def test_a_true_outage_is_told_within_two_evaluations(hour: int) -> None:
    simulation = simulate()
    broken = [source for source in simulation.systems if source.feed.kind != "webhook"]
    begin = datetime(2026, 1, 14, hour, 0, tzinfo=ZONE)
    for source in broken:
        source.broken = begin, begin + timedelta(hours=3)
    found = simulation.run(datetime(2026, 1, 14, 0, 0, tzinfo=ZONE), 1 / 7)
    told = [one for one in found if one.rule == "health.source-down"]
    assert {one.subject for one in told} == {source.feed.connector for source in broken}
    assert all(begin <= one.opened <= begin + STEP for one in told)
