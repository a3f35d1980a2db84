"""Answers as JSON: names by language, times as ISO 8601 in UTC, ages in seconds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from hub.api.connector_board import ConnectorRow
from hub.kpi.answer import Basis, Figures, KpiAnswer, Row
from hub.kpi.badges import badges_of
from hub.kpi.rollups import Unserved
from hub.locale.catalogue import Catalogue, catalogue
from hub.web.badge_words import badge_reason
from streams.kpi import name_of


def time_text(time: datetime | None) -> str | None:
    """`2022-09-30T16:59:59.500Z`."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z") if time else None


def figures_json(figures: Figures) -> dict[str, Any]:
    return {
        "value": number(figures.value),
        "numerator": figures.numerator,
        "denominator": figures.denominator,
        "status": figures.status,
    }


def parts_json(figures: Figures, language: str) -> list[dict[str, Any]]:
    """The parts of a score with the points each gives."""
    return [
        {
            "kpi": item.part.kpi,
            "name": name_of(item.part.name, language, item.part.kpi),
            "weight": number(item.part.weight),
            "points": number(item.points),
            **figures_json(item.figures),
        }
        for item in figures.parts
    ]


def badges_json(answer: KpiAnswer, t: Catalogue) -> list[dict[str, Any]]:
    """đúng, đủ, sạch, sống: each with its state and the reason in words."""
    return [
        {
            "badge": badge.name,
            "name": t(f"badge.{badge.name}"),
            "state": badge.state,
            "reason": badge_reason(badge, t),
        }
        for badge in badges_of(answer)
    ]


def unserved_json(unserved: Unserved | None) -> dict[str, Any] | None:
    """Why there are no figures and what to run; null where there are."""
    if unserved is None:
        return None
    return {"state": unserved.state, "percent": unserved.percent, "reason": unserved.reason, "cure": unserved.cure}


def number(value: float | None) -> float | int | None:
    """A count is written without a decimal point."""
    return int(value) if value is not None and value == int(value) else value


def kpi_json(answer: KpiAnswer, language: str) -> dict[str, Any]:
    kpi = answer.kpi
    return {
        "id": kpi.id,
        "name": kpi.name[language],
        "explanation": kpi.explanation[language],
        "kind": kpi.kind,
        "from": answer.period.start.isoformat(),
        "to": answer.period.end.isoformat(),
        **figures_json(answer.figures),
        "unserved": unserved_json(answer.figures.unserved),
        "parts": parts_json(answer.figures, language),
        "unit": kpi.unit[language],
        "target": number(answer.target),
        "gap": number(answer.gap),
        "missed": answer.missed,
        "thresholds": {"warn": number(kpi.thresholds.warn), "alarm": number(kpi.thresholds.alarm)},
        "level": answer.level,
        "direction": kpi.direction,
        "owner": kpi.owner,
        "legal": kpi.legal[language] if kpi.legal else None,
        "version": kpi.version,
        "valid_from": kpi.valid_from.isoformat() if kpi.valid_from else None,
        "badges": badges_json(answer, catalogue(language)),
        **basis_json(answer.basis),
    }


def basis_json(basis: Basis) -> dict[str, Any]:
    return {
        "as_of": time_text(basis.as_of),
        "read_at": time_text(basis.read_at),
        "stale": basis.stale,
        "away_since": time_text(basis.away_since),
        "freshness": [
            {
                "connector": item.connector,
                "last_event_time": time_text(item.last_event_time),
                "age_s": round(item.age_s, 1) if item.age_s is not None else None,
                "state": item.state,
            }
            for item in basis.freshness
        ],
        "completeness": {
            "in_topic": basis.completeness.in_topic,
            "in_warehouse": basis.completeness.in_warehouse,
            "missing": basis.completeness.missing,
            "refused": basis.completeness.refused,
        },
    }


def rows_json(by: str, rows: Sequence[Row], named: Callable[[str], str | None]) -> dict[str, Any]:
    """A breakdown; `name` is null where no code table names the value."""
    items = [
        {"key": row.key, "name": named(row.key), **figures_json(row.figures), "target": number(row.target)}
        for row in rows
    ]
    return {"by": by, "rows": items}


def connector_json(row: ConnectorRow, language: str) -> dict[str, Any]:
    return {
        "connector": row.feed.connector,
        "name": row.name(language),
        "system": row.system(language),
        "kind": row.feed.kind,
        "department": row.feed.department,
        "owner": row.feed.owner,
        "entity": row.feed.entity,
        "state": row.freshness.state,
        "last_event_time": time_text(row.freshness.last_event_time),
        "age_s": round(row.freshness.age_s, 1) if row.freshness.age_s is not None else None,
        "promise_s": row.feed.promise.total_seconds(),
        "received": row.received,
        "published": row.published,
        "events_per_second": round(row.events_per_second, 1) if row.events_per_second is not None else None,
        "lag": row.lag,
        "source_system": row.feed.source_system,
        "in_warehouse": row.in_warehouse,
        "quarantined": row.quarantined,
        "errors": row.errors,
        "last_error": row.error_text(language),
        "reported_at": time_text(row.reported_at),
    }
