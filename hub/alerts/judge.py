"""Rules held against figures and states: findings. Pure, but for what the figures ask."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta

from hub.alerts.change import deviation, level, ordinary, whole_days
from hub.alerts.figures import Figure, Figures
from hub.alerts.finding import Finding
from hub.alerts.rule import ChangePoint, HealthState, Missing, Rate, Rule, Threshold
from hub.health.incident import Incident
from hub.kpi.feed import Feed
from schemas.calendar import WorkingCalendar

Key = tuple[str, str]
"""Rule and subject."""

SPARE_DAYS = 20
"""Days read beyond twice the working days that are asked for: Tết and its neighbours."""
HAD_DATA_DAYS = 20
"""Of the working days before, one must have had data, or none is missed."""


def judge_kpi(rule: Rule, figures: Figures, calendar: WorkingCalendar, open_keys: Collection[Key]) -> list[Finding]:
    """The findings of a rule about a KPI now; blocks, raises WarehouseAwayError."""
    when = rule.when
    if when.threshold is not None:
        return list(_threshold(rule, when.threshold, figures, open_keys))
    if when.change_point is not None:
        return [_change_point(rule, when.change_point, figures, calendar)]
    if when.rate is not None:
        return [_rate(rule, when.rate, figures, calendar)]
    assert when.missing is not None
    return [_missing(rule, when.missing, figures, calendar)]


def _threshold(rule: Rule, asked: Threshold, figures: Figures, open_keys: Collection[Key]) -> Iterable[Finding]:
    reading = figures.reading(asked.kpi, asked.period, asked.by)
    found = {asked.kpi: reading.figure} if reading.parts is None else reading.parts
    for name, figure in found.items():
        subject = asked.kpi if reading.parts is None else f"{asked.kpi}:{name}"
        limit = reading.figure.target if asked.limit == "plan" else float(asked.limit)
        held = (rule.id, subject) in open_keys
        holds = _beyond(asked, figure, limit, held=held) if reading.trusted else None
        facts = {"period": asked.period, "count": figure.count}
        org = name if asked.by == "org_code" else None
        yield Finding(rule.id, subject, holds, figure.value, limit, facts, org, kpi=asked.kpi)


def _beyond(asked: Threshold, figure: Figure, limit: float | None, *, held: bool) -> bool | None:
    """An alert that is open ends only once the value is back inside by `back`."""
    if figure.value is None or limit is None or (figure.count is not None and figure.count < asked.least):
        return None
    shift = -asked.back if held else asked.margin
    return figure.value < limit - shift if asked.below is not None else figure.value > limit + shift


def _change_point(rule: Rule, asked: ChangePoint, figures: Figures, calendar: WorkingCalendar) -> Finding:
    series = figures.series(asked.kpi, 2 * asked.days + SPARE_DAYS)
    days = whole_days(series, calendar, figures.today())
    usual = ordinary(days, calendar)
    # A day that cannot be judged leaves what was found of the one before.
    if not series.trusted or not days or not usual or usual[-1].day != days[-1].day:
        return Finding(rule.id, asked.kpi, None, kpi=asked.kpi)
    found = deviation(days[-1], usual[:-1][-asked.days :], series.share, asked.least)
    if found is None:
        return Finding(rule.id, asked.kpi, None, kpi=asked.kpi)
    holds = abs(found.sigmas) >= asked.sigma and found.percent >= asked.least_percent
    facts = {"day": found.day.isoformat(), "sigmas": round(found.sigmas, 1), "percent": round(found.percent, 1)}
    return Finding(rule.id, asked.kpi, holds, found.value, round(found.usual, 2), facts, kpi=asked.kpi)


def _rate(rule: Rule, asked: Rate, figures: Figures, calendar: WorkingCalendar) -> Finding:
    nothing = Finding(rule.id, asked.kpi, None, kpi=asked.kpi)
    series = figures.series(asked.kpi, 4 * asked.days + 2 * SPARE_DAYS)
    days = whole_days(series, calendar, figures.today())
    usual = ordinary(days, calendar)
    if not series.trusted or len(usual) < 2 * asked.days or usual[-1].day != days[-1].day:
        return nothing
    now, rests_on = level(usual[-asked.days :], series.share)
    before, rested_on = level(usual[-2 * asked.days : -asked.days], series.share)
    if now is None or not before or rested_on < asked.least or (series.share and rests_on < asked.least):
        return nothing
    percent = 100 * (now - before) / before
    falls = asked.falls_percent is not None and percent <= -asked.falls_percent
    rises = asked.rises_percent is not None and percent >= asked.rises_percent
    facts = {"days": asked.days, "percent": round(percent, 1)}
    return Finding(rule.id, asked.kpi, falls or rises, round(now, 2), round(before, 2), facts, kpi=asked.kpi)


def _missing(rule: Rule, asked: Missing, figures: Figures, calendar: WorkingCalendar) -> Finding:
    series = figures.series(asked.kpi, asked.days + 2 * HAD_DATA_DAYS)
    days = whole_days(series, calendar, figures.today())
    if not series.trusted or len(days) <= asked.days:
        return Finding(rule.id, asked.kpi, None, kpi=asked.kpi)
    asked_for, before = days[-asked.days :], days[: -asked.days][-HAD_DATA_DAYS:]
    if not ordinary(asked_for, calendar):  # beside a break an office may well have had nothing
        return Finding(rule.id, asked.kpi, None, kpi=asked.kpi)
    empty = not any(day.value or day.denominator for day in asked_for)
    had = any(day.value or day.denominator for day in before)
    facts = {"days": asked.days, "since": asked_for[0].day.isoformat()}
    return Finding(rule.id, asked.kpi, had and empty, 0.0, None, facts, kpi=asked.kpi)


def judge_health(
    rule: Rule, asked: HealthState, incidents: Iterable[Incident], feeds: Mapping[str, Feed]
) -> list[Finding]:
    """The findings of a rule about data sets, from the incidents that are open. Those without one have no finding."""
    mine = [
        one
        for one in incidents
        if one.ended is None and one.state in asked.states and (not asked.datasets or one.dataset in asked.datasets)
    ]
    if asked.per == "platform":
        by_state: dict[str, list[Incident]] = {}
        for one in mine:
            by_state.setdefault(one.state, []).append(one)
        return [
            Finding(
                rule.id, state, True, float(len(found)), None,
                {"state": state, "datasets": sorted(one.dataset for one in found)[:20]},
            )
            for state, found in by_state.items()
        ]  # fmt: skip
    return [_of_dataset(rule, one, feeds.get(one.dataset)) for one in mine]


def _of_dataset(rule: Rule, one: Incident, feed: Feed | None) -> Finding:
    facts = {"state": one.state} | {
        name: one.evidence[name] for name in ("error", "last_poll_ok", "last_event") if name in one.evidence
    }
    owner, contact, org = (
        (feed.department, feed.owner, feed.org) if feed is not None else (one.department, "", one.department)
    )
    return Finding(
        rule.id, one.dataset, True, None, None, facts, org or one.department, owner, contact or None, one.dataset
    )  # fmt: skip


def judged_now(rule: Rule, calendar: WorkingCalendar, now: datetime) -> bool:
    """Whether the rule is to be judged at this hour."""
    return rule.hours == "always" or calendar.is_working(now)


def elapsed(rule: Rule, calendar: WorkingCalendar, start: datetime, end: datetime) -> timedelta:
    """Time between two instants by the rule's clock."""
    return calendar.elapsed(start, end) if rule.hours == "working" else end - start
