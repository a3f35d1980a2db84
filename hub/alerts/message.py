"""What is told of alerts, in words: subject and text of a message, and its JSON. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from hub.alerts.alert import Alert
from hub.alerts.sending import Delivery
from hub.locale.catalogue import catalogue

HEADS = {
    "opened": ("Cảnh báo", "Alert"),
    "ended": ("Đã hết", "Ended"),
    "escalated": ("Leo thang", "Escalated"),
}


def subject_of(delivery: Delivery, language: str) -> str:
    """One line."""
    head = HEADS[delivery.kind.partition("-")[0]][language == "en"]
    first, more = delivery.alerts[0], len(delivery.alerts) - 1
    tail = "" if not more else f" (+{more})"
    return f"[IOC] {head}: {first.name[language]} – {first.subject}{tail}"


def text_of(delivery: Delivery, language: str, desk: str, zone: ZoneInfo) -> str:
    """A block for each alert: what, whose, since when, by how much, and where it is handled."""
    return "\n\n".join(_block(alert, language, desk, zone) for alert in delivery.alerts) + "\n"


def _block(alert: Alert, language: str, desk: str, zone: ZoneInfo) -> str:
    english = language == "en"
    lines = [f"{alert.name[language]}: {alert.subject}"]
    for name, value in [
        (("Phụ trách", "Owner"), f"{alert.owner} ({alert.contact})"),
        (("Từ lúc", "Since"), _time(alert.opened, zone)),
        (("Đến lúc", "Until"), _time(alert.ended, zone) if alert.ended else None),
        (("Giá trị", "Value"), figures(alert)),
        (("Chi tiết", "Details"), details(alert, language)),
        (("Xử lý tại", "Handle at"), f"{desk}/alerts/{alert.id}"),
    ]:
        if value:
            lines.append(f"  {name[english]}: {value}")
    return "\n".join(lines)


def figures(alert: Alert) -> str | None:
    """The value and what it was held against."""
    if alert.value is None:
        return None
    return f"{alert.value:g}" if alert.limit is None else f"{alert.value:g} / {alert.limit:g}"


def details(alert: Alert, language: str) -> str | None:
    """The facts as a list of names and values; a state in words."""
    told = dict(alert.facts)
    state = told.pop("state", None)
    parts = [catalogue(language)(f"state.{state}")] if state else []
    parts += [f"{name}: {_listed(value)}" for name, value in told.items() if value not in (None, "", [])]
    return "; ".join(parts) or None


def _listed(value: Any) -> str:
    return ", ".join(str(one) for one in value) if isinstance(value, list | tuple) else str(value)


def _time(time: datetime, zone: ZoneInfo) -> str:
    return time.astimezone(zone).strftime("%d/%m/%Y %H:%M:%S")


def alert_json(alert: Alert) -> dict[str, Any]:
    """An alert for programs: of the API, and of a webhook's body."""
    return {
        "alert": alert.id,
        "rule": alert.rule,
        "name": dict(alert.name),
        "subject": alert.subject,
        "severity": alert.severity,
        "state": alert.state,
        "holds": alert.ended is None,
        "owner": alert.owner,
        "contact": alert.contact,
        "org": alert.org,
        "assignee": alert.assignee,
        "opened": alert.opened.isoformat(),
        "ended": alert.ended.isoformat() if alert.ended else None,
        "value": alert.value,
        "limit": alert.limit,
        "kpi": alert.kpi,
        "dataset": alert.dataset,
        "escalated": alert.escalated,
        "facts": dict(alert.facts),
    }


def body_of(delivery: Delivery) -> Mapping[str, Any]:
    """What a webhook is sent."""
    return {
        "delivery": delivery.id,
        "kind": delivery.kind,
        "attempt": delivery.attempt,
        "alerts": [alert_json(alert) for alert in delivery.alerts],
    }
