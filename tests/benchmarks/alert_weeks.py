"""Eight weeks around Tết by a clock that runs ahead: what the alert engine would have told anybody.

The rules are those of the package; beside the fourteen systems of `false_alarms` there are key figures of every day:
people work on working days and hardly at weekends, less before Tết and more after it, a fifth more or less by chance.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from hub.alerts.alert import Alert
from hub.alerts.figures import Day, Figure, Reading, Series
from hub.alerts.finding import Finding
from hub.alerts.fold import Watched, fold
from hub.alerts.judge import judge_health, judge_kpi, judged_now
from hub.alerts.rule_files import Against, AlertRules, load_alert_rules
from hub.health.flow import CALM
from hub.health.incident import Judgement, Ledger
from hub.health.incident import fold as fold_incidents
from hub.kpi.feed import Written
from hub.kpi.freshness import freshness
from schemas.calendar_files import package_calendars
from schemas.contract import load_contracts
from streams.plan import load_plans
from tests.benchmarks.false_alarms import BEGIN, STEP, WEEKS, ZONE, Source, sources, times

KPI_EVERY = timedelta(minutes=30)
HISTORY_DAYS = 120
"""Days before the first week of which there are figures."""
TET = date(2026, 2, 17)
DAYS_AROUND = 10
"""Of Tết: before it there is less and less to do, after it more than usual."""
USUAL = {"dossier.received": 180.0, "feedback.received": 60.0}
SHARES = {"dossier.on_time_share": 86.0, "dossier.online_share": 58.0}

Fault = Callable[[str, date, float], float]
"""KPI, day and value to what it is made."""


def no_fault(kpi: str, day: date, value: float) -> float:
    return value


@dataclass
class SimulatedFigures:
    """`hub.alerts.figures.Figures` of simulated days; what a day will come to is drawn once."""

    seed: int = 1
    fault: Fault = no_fault
    at: datetime = BEGIN
    calendar: Any = field(default_factory=lambda: package_calendars()["office"])
    _drawn: dict[tuple[str, date], float] = field(default_factory=dict)

    def today(self) -> date:
        return self.at.astimezone(ZONE).date()

    def value(self, kpi: str, day: date) -> float:
        """What the day comes to; of today as much as the office has worked."""
        if (kpi, day) not in self._drawn:
            chance = random.Random(f"{self.seed}{kpi}{day}")
            self._drawn[kpi, day] = round(self._draw(kpi, day, chance), 2 if kpi in SHARES else 0)
        whole = self.fault(kpi, day, self._drawn[kpi, day])
        if day != self.today() or kpi in SHARES:
            return whole
        return float(round(whole * min(1.0, max(0.0, (self.at.astimezone(ZONE).hour - 7) / 10))))

    def _draw(self, kpi: str, day: date, chance: random.Random) -> float:
        if kpi in SHARES:
            return min(99.0, SHARES[kpi] + chance.gauss(0, 3))
        usual = USUAL[kpi] * (1.15 if day.weekday() == 0 else 1.0) * chance.gauss(1, 0.1)
        near = (day - TET).days
        if -DAYS_AROUND <= near < 0:
            usual *= 0.5 + 0.05 * -near
        elif 0 <= near <= DAYS_AROUND:
            usual *= 1.3
        return max(0.0, usual) if self.calendar.is_working_day(day) else usual * chance.uniform(0, 0.06)

    def reading(self, kpi: str, period: Any, by: str | None) -> Reading:
        first = self.today().replace(day=1, month=1 if period == "year" else self.today().month)
        days = [first + timedelta(days=n) for n in range((self.today() - first).days + 1)]
        weights = [max(1.0, self.value("dossier.received", day)) for day in days]
        value = sum(self.value(kpi, day) * weight for day, weight in zip(days, weights, strict=True)) / sum(weights)
        return Reading(kpi, Figure(value, sum(weights), 50.0), trusted=True)

    def series(self, kpi: str, days: int) -> Series:
        first = self.today() - timedelta(days=days - 1)
        drawn = [Day(day, self.value(kpi, day)) for day in (first + timedelta(days=n) for n in range(days))]
        return Series(kpi, tuple(drawn), share=False, trusted=True)


def package_rules() -> AlertRules:
    """As a site has them that changes nothing."""
    kpis = {kpi.id: kpi for plan in load_plans(load_contracts()).values() for kpi in plan.kpis}
    return load_alert_rules(Against(kpis, package_calendars()))


@dataclass
class Simulation:
    """The engine's own steps over simulated time. `kpi_every`: between two evaluations of KPIs."""

    systems: list[Source]
    figures: SimulatedFigures
    rules: AlertRules = field(default_factory=package_rules)
    step: timedelta = STEP
    kpi_every: timedelta = KPI_EVERY
    evaluations: int = 0

    def run(self, begin: datetime = BEGIN, weeks: float = WEEKS) -> list[Alert]:
        """The alerts that opened."""
        ledger, watched, found = Ledger(), Watched(), []
        feeds = {source.feed.connector: source.feed for source in self.systems}
        kpis_at = begin - self.kpi_every
        for now in times(begin, weeks, self.step):
            ledger, _ = fold_incidents(ledger, self._judgements(now), now)
            findings: list[Finding] = []
            judged: set[str] = set()
            with_kpis = now - kpis_at >= self.kpi_every
            kpis_at = now if with_kpis else kpis_at
            self.figures.at = now
            for rule in self._rules(now):
                if rule.when.health is not None:
                    findings += judge_health(rule, rule.when.health, ledger.open.values(), feeds)
                elif with_kpis:
                    findings += judge_kpi(rule, self.figures, self.figures.calendar, watched.open.keys())
                else:
                    continue
                judged.add(rule.id)
            self.evaluations += len(judged)
            watched, changed = fold(watched, findings, judged, self.rules, now)
            found += [one for one in changed if one.ended is None]
        return found

    def _rules(self, now: datetime) -> Sequence[Any]:
        return [one for one in self.rules.rules.values() if judged_now(one, self.figures.calendar, now)]

    def _judgements(self, now: datetime) -> list[Judgement]:
        made = []
        for source in self.systems:
            source.step(now)
            written = Written("e", "s", 1, 0, 0, 0, 0, now, now, now)
            feed = source.feed
            state = freshness(feed, source.status(), written, now, CALM).state
            made.append(Judgement(feed.connector, feed.org, feed.entity, state, now))
        return made


def simulate(seed: int = 1, fault: Fault = no_fault, begin: datetime = BEGIN, weeks: float = WEEKS) -> Simulation:
    """A simulation that is yet to run."""
    return Simulation(sources(seed), SimulatedFigures(seed, fault))


def measure(note: Any = print) -> dict[str, Any]:
    """0 alerts wanted, over three seeds."""
    told, evaluations = [], 0
    for seed in (1, 2, 3):
        simulation = simulate(seed)
        told += simulation.run()
        evaluations += simulation.evaluations
    note(f"{evaluations:,} evaluations of alert rules in 3 × {WEEKS} simulated weeks: {len(told)} false alerts")
    return {"evaluations": evaluations, "false_alerts": len(told)}
