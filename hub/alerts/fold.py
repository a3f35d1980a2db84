"""Findings folded into alerts: hysteresis, one opening for one condition, escalation, closing. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from hub.alerts.alert import CLOSED_AFTER, ENGINE, Act, Alert, alert_id
from hub.alerts.finding import Finding
from hub.alerts.judge import Key, elapsed
from hub.alerts.rule import Rule
from hub.alerts.rule_files import AlertRules
from schemas.calendar import WorkingCalendar

RAISE_AFTER, CLEAR_AFTER = 2, 2
HEALTH_RAISE_AFTER, HEALTH_CLEAR_S = 1, 120.0
"""An incident has been debounced; one that comes back within two minutes is the same trouble."""


@dataclass(frozen=True, slots=True)
class Coming:
    """A condition that is not an alert yet: how often in a row it was found, and since when."""

    since: datetime
    times: int


@dataclass(frozen=True, slots=True)
class Going:
    """An open alert's condition not found: how often in a row, and since when."""

    since: datetime
    times: int


@dataclass(frozen=True, slots=True)
class Watched:
    """What is open, coming and going, by rule and subject. At most one alert is open for each."""

    open: Mapping[Key, Alert] = field(default_factory=dict)
    coming: Mapping[Key, Coming] = field(default_factory=dict)
    going: Mapping[Key, Going] = field(default_factory=dict)

    @classmethod
    def of(cls, alerts: Iterable[Alert]) -> Watched:
        """What one who begins finds in the book; of two openings of one condition the newest."""
        found: dict[Key, Alert] = {}
        for one in sorted((one for one in alerts if one.ended is None), key=lambda one: one.opened):
            found[one.rule, one.subject] = one
        return cls(found)


def fold(
    watched: Watched, findings: Sequence[Finding], judged: Collection[str], rules: AlertRules, now: datetime
) -> tuple[Watched, list[Alert]]:
    """What is watched after one more evaluation, and the alerts that began or ended in it.

    `judged`: the rules that were evaluated. What one of them has open and finds no more counts as well; a rule that
    is gone has nothing open.
    """
    opened, coming, going = dict(watched.open), dict(watched.coming), dict(watched.going)
    changed: list[Alert] = []
    found = {(one.rule, one.subject): one for one in findings}
    for key in [key for key in opened if key[0] not in rules.rules]:
        changed.append(replace(opened.pop(key), ended=now))
    for key in dict.fromkeys((*found, *(key for key in (*opened, *coming) if key[0] in judged))):
        finding = found.get(key)
        rule = rules.rules[key[0]]
        if finding is not None and finding.holds is None:
            continue
        if finding is not None and finding.holds:
            going.pop(key, None)
            if key in opened:
                again = _again(opened[key], rule, finding, rules, now)
                if again is not None:
                    changed += [replace(opened[key], ended=now), again]
                    opened[key] = again
                continue
            before = coming.get(key)
            coming[key] = Coming(before.since if before else now, before.times + 1 if before else 1)
            if coming[key].times >= raise_after(rule):
                opened[key] = alert_of(rule, finding, rules, coming.pop(key).since)
                changed.append(opened[key])
            continue
        coming.pop(key, None)
        if key in opened:
            gone = going.get(key)
            going[key] = Going(gone.since if gone else now, gone.times + 1 if gone else 1)
            if _is_well(rule, going[key], now):
                del going[key]
                changed.append(replace(opened.pop(key), ended=now))
    return Watched(opened, coming, {key: one for key, one in going.items() if key in opened}), changed


def raise_after(rule: Rule) -> int:
    """Evaluations in a row before the rule's condition is an alert."""
    return rule.raise_after or (HEALTH_RAISE_AFTER if rule.when.health else RAISE_AFTER)


def _is_well(rule: Rule, going: Going, now: datetime) -> bool:
    least_s = rule.clear_s if rule.clear_s is not None else HEALTH_CLEAR_S if rule.when.health else 0.0
    return going.times >= (rule.clear_after or CLEAR_AFTER) and (now - going.since).total_seconds() >= least_s


def _again(alert: Alert, rule: Rule, finding: Finding, rules: AlertRules, now: datetime) -> Alert | None:
    """A new opening of what was handled and still holds after the rule's patience."""
    handled = alert.handled_at
    if handled is None or alert.state != "handled" or now - handled < timedelta(seconds=rule.again_s):
        return None
    return alert_of(rule, finding, rules, now)


def alert_of(rule: Rule, finding: Finding, rules: AlertRules, since: datetime) -> Alert:
    """A new alert; its owner is the finding's where it names one, else the rule's, so that there always is one."""
    owner = rule.owner
    return Alert(
        alert_id(rule.id, finding.subject, since),
        rule.id,
        finding.subject,
        {"vi": rule.name.vi, "en": rule.name.en},
        rule.severity,
        finding.owner or owner.unit,
        finding.contact or owner.contact,
        finding.org if finding.org is not None else owner.org,
        since,
        None,
        finding.value,
        finding.limit,
        dict(finding.facts),
        finding.kpi,
        finding.dataset,
        rules.channels_of(rule.channels),
    )


def escalations(alert: Alert, rules: AlertRules, calendars: Mapping[str, WorkingCalendar], now: datetime) -> list[Act]:
    """The steps that are due and not yet taken, lowest first."""
    rule = rules.rules.get(alert.rule)
    if rule is None or alert.ended is not None or alert.state == "handled":
        return []
    waited = elapsed(rule, calendars[rule.calendar], alert.opened, now)
    due = []
    for level, step in enumerate(rule.escalate, 1):
        met = alert.state == "assigned" and step.unless == "assigned"
        if level > alert.escalated and not met and waited >= timedelta(seconds=step.after_s):
            channels = step.channels or alert.channels
            due.append(Act("escalated", now, ENGINE, to=step.to, level=level, channels=channels))
    return due


def closing(alert: Alert, now: datetime) -> Act | None:
    """The engine's own end of an alert that passed and that nobody took up."""
    if alert.ended is None or alert.state != "open" or now - alert.ended < CLOSED_AFTER:
        return None
    return Act("handled", now, ENGINE)
