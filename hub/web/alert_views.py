"""Alerts as the desk shows them. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hub.alerts.alert import ENGINE, Alert
from hub.alerts.desk import AlertDesk
from hub.alerts.silence import Silence, silenced
from hub.health.evidence import TIMES
from hub.health.states import BY_CODE
from hub.web.views import Reader

MOST = 200
"""Rows of the list."""


@dataclass(frozen=True, slots=True)
class AlertView:
    """`icon` and `tone` (alarm, warn, calm) go with the words of `state`; `href`: where what it is about is shown."""

    id: str
    rule: str
    name: str
    subject: str
    href: str | None
    severity: str
    state: str
    holds: bool
    icon: str
    tone: str
    owner: str
    contact: str
    assignee: str | None
    opened: str
    ended: str | None
    figures: str | None
    silence: str | None
    escalated: int


@dataclass(frozen=True, slots=True)
class ActView:
    at: str
    what: str
    by: str
    text: str


@dataclass(frozen=True, slots=True)
class ToldView:
    at: str
    kind: str
    channel: str
    result: str
    attempts: int
    reason: str


@dataclass(frozen=True, slots=True)
class SilenceView:
    id: str
    patterns: str
    end: str
    by: str
    reason: str


def alert_view(alert: Alert, desk: AlertDesk, reader: Reader) -> AlertView:
    """One row, and the head of an alert's page."""
    quiet = silenced(alert, desk.book.silences(), desk.clock())
    tone = "calm" if alert.ended is not None or alert.state == "handled" else _TONES[alert.severity]
    return AlertView(
        id=alert.id,
        rule=alert.rule,
        name=alert.name[reader.language],
        subject=_subject(alert, reader),
        href=_href(alert),
        severity=reader.t(f"alert.severity.{alert.severity}"),
        state=reader.t(f"alert.state.{alert.state}"),
        holds=alert.ended is None,
        icon="tick" if alert.state == "handled" else "alert" if alert.ended is None else "ring",
        tone=tone,
        owner=alert.owner,
        contact=alert.contact,
        assignee=alert.assignee,
        opened=reader.clock(alert.opened),
        ended=reader.clock(alert.ended) if alert.ended else None,
        figures=_figures(alert, reader),
        silence=reader.clock(quiet.end) if quiet else None,
        escalated=alert.escalated,
    )


_TONES = {"page": "alarm", "ticket": "warn"}


def _subject(alert: Alert, reader: Reader) -> str:
    return reader.t(f"state.{alert.subject}") if alert.subject in BY_CODE else alert.subject


def _href(alert: Alert) -> str | None:
    if alert.dataset is not None:
        return f"/integration/{alert.dataset}"
    return f"/kpi/{alert.kpi}" if alert.kpi is not None else "/integration"


def _figures(alert: Alert, reader: Reader) -> str | None:
    if alert.value is None:
        return None
    value = reader.number(round(alert.value, 2))
    return value if alert.limit is None else reader.t("alert.against", value=value, limit=reader.number(alert.limit))


def facts(alert: Alert, reader: Reader) -> list[tuple[str, str]]:
    """What the finding rests on: (what, value)."""
    known = [(name, value) for name, value in alert.facts.items() if value not in (None, "", [])]
    return [(reader.t(f"alert.fact.{name}"), _told(name, value, reader)) for name, value in known]


def _told(name: str, value: Any, reader: Reader) -> str:
    if name == "state" and value in BY_CODE:
        return reader.t(f"state.{value}")
    if name in TIMES:
        return reader.clock(datetime.fromisoformat(value))
    if name == "period":
        return reader.t(f"alert.period.{value}")
    if isinstance(value, list | tuple):
        return ", ".join(str(one) for one in value)
    return reader.number(value) if isinstance(value, int | float) else str(value)


def act_views(alert: Alert, reader: Reader) -> list[ActView]:
    """The trail, from the opening on."""
    made = [ActView(reader.clock(alert.opened), reader.t("alert.act.opened"), ENGINE, "")]
    for act in alert.acts:
        what = reader.t(f"alert.act.{act.act}", to=act.to)
        made.append(ActView(reader.clock(act.at), what, act.by, act.text))
    if alert.ended is not None:
        made.append(ActView(reader.clock(alert.ended), reader.t("alert.act.ended"), ENGINE, ""))
    return made


def told_views(alert: Alert, desk: AlertDesk, reader: Reader) -> list[ToldView]:
    """Who was told, by which channel."""
    found = sorted((mark.at, kind, channel, mark) for (name, kind, channel), mark in _marks(alert, desk))
    return [
        ToldView(
            reader.clock(at), reader.t(f"alert.kind.{kind.partition('-')[0]}"), channel,
            reader.t(f"alert.result.{mark.outcome}"), mark.attempt, mark.reason,
        )
        for at, kind, channel, mark in found
    ]  # fmt: skip


def _marks(alert: Alert, desk: AlertDesk) -> list[tuple[Any, Any]]:
    return [(key, mark) for key, mark in list(desk.book.marks().items()) if key[0] == alert.id]


def silence_view(silence: Silence, reader: Reader) -> SilenceView:
    patterns = " · ".join((silence.rule, silence.subject, silence.owner))
    return SilenceView(silence.id, patterns, reader.clock(silence.end), silence.by, silence.reason)
