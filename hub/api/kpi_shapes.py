"""KPI answers, explanations and records as JSON: times as ISO 8601 in UTC, names by language."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from hub.api.shapes import figures_json, kpi_json, number, parts_json, rows_json, time_text, unserved_json
from hub.entities.history import Revision
from hub.entities.service import Record
from hub.kpi.explain import Changed, Explanation
from hub.kpi.inquiry import Compared, Finding
from hub.kpi.names import Named
from hub.kpi.reported import ReportedValue
from hub.kpi.rollups import Unserved
from hub.kpi.units import UnitsNote
from streams.kpi import Kpi


def finding_json(found: Finding, language: str, named: Named, unserved: Unserved | None = None) -> dict[str, Any]:
    """The whole answer to an inquiry; `unserved`: why it could not be divided."""
    asked = found.asked
    body = kpi_json(found.answer, language)
    body["as_known_at"] = time_text(asked.known_at)
    body["where"] = {name: list(values) for name, values in asked.where}
    if found.rows is not None and asked.by is not None:
        by = asked.by
        body |= rows_json(by, found.rows, lambda key: named(by, key))
        body["units"] = units_json(found.units)
        if unserved is not None:
            body["unserved"] = unserved_json(unserved)
    if found.series is not None:
        body["grain"] = asked.grain
        body["series"] = [{"from": point.day.isoformat(), **figures_json(point.figures)} for point in found.series]
    body["compare"] = compared_json(found.compared)
    body["reported"] = reported_json(found.reported)
    return body


def compared_json(compared: Compared | None) -> dict[str, Any] | None:
    """The other figures and the difference."""
    if compared is None:
        return None
    period = compared.period
    return {
        "with": compared.kind,
        "from": period.start.isoformat() if period else None,
        "to": period.end.isoformat() if period else None,
        **figures_json(compared.figures),
        "difference": number(compared.difference),
        "difference_percent": number(compared.percent),
    }


def units_json(note: UnitsNote | None) -> dict[str, Any] | None:
    """How administrative units are shown."""
    if note is None:
        return None
    return {
        "view": note.view,
        "codesets": list(note.codesets),
        "remapped": note.remapped,
        "split": note.split,
        "unknown": note.unknown,
    }


def reported_json(found: ReportedValue | None) -> dict[str, Any] | None:
    """The figure reported by hand, and what the computed one differs by."""
    if found is None:
        return None
    return {
        "org_code": found.org,
        "from": time_text(_aware(found.start)),
        "to": time_text(_aware(found.end)),
        "value": number(found.value),
        "numerator": number(found.numerator),
        "denominator": number(found.denominator),
        "target": number(found.target),
        "lower_bound": found.lower_bound,
        "approved": found.approved,
        "submitted_at": time_text(_aware(found.submitted_at)),
        "difference": number(found.difference),
    }


def explanation_json(
    found: Explanation, language: str, named: Named, records_at: Callable[[str], str]
) -> dict[str, Any]:
    """`records_at`: the address of a role's records."""
    return {
        "answer": finding_json(found.finding, language, named),
        "formula": {
            "text": found.formula,
            "terms": [
                {
                    "role": term.role,
                    "name": term.name,
                    "measure": term.measure,
                    "sql": term.sql,
                    "time": term.time,
                    "time_name": term.time_name,
                    "records": records_at(term.role),
                }
                for term in found.terms
            ],
            "parts": parts_json(found.finding.answer.figures, language),
        },
        "records": None
        if found.page is None
        else {
            "role": found.role,
            "items": [record_json(item) for item in found.page.items],
            "next": found.page.next,
        },
        "changes": changed_json(found.changed, named),
        "lineage": [
            {
                "entity": origin.entity,
                "connector": origin.connector,
                "source_system": origin.source_system,
                "department": origin.department,
                "topic": origin.topic,
                "tables": list(origin.tables),
            }
            for origin in found.origins
        ],
    }


def changed_json(changed: Changed, named: Named) -> dict[str, Any]:
    """What the figure was, and what each unit and reason added to its roles."""
    return {
        "since": time_text(changed.since),
        "before": figures_json(changed.before),
        "contributions": None
        if changed.contributions is None
        else [
            {
                "org_code": item.org,
                "org_name": named("org_code", item.org),
                "reason": item.reason,
                "records": item.records,
                **dict(zip(changed.roles, (item.first, item.second), strict=False)),
            }
            for item in changed.contributions
        ],
    }


def record_json(state: Mapping[str, Any]) -> dict[str, Any]:
    """A state's fields."""
    return {name: value_json(value) for name, value in state.items()}


def record_detail_json(record: Record, language: str) -> dict[str, Any]:
    """A record with its history, newest first; `withheld`: personal fields that are not shown."""
    contract = record.contract
    return {
        "entity": contract.entity,
        "title": contract.title(language),
        "key": record.key,
        "deleted": record.deleted,
        "state": None if record.state is None else record_json(record.state),
        "withheld": list(contract.pii_fields),
        "revisions": [revision_json(item) for item in record.revisions],
    }


def revision_json(item: Revision) -> dict[str, Any]:
    """One delivery: what became of it, where it lies in Kafka, when it arrived, what it changed."""
    return {
        "revision": item.state["revision"],
        "op": item.state["op"],
        "kind": item.kind,
        "reason": item.reason or None,
        "took_back": item.took_back,
        "repaired": item.repaired,
        "source_system": item.state["source_system"],
        "topic": item.topic,
        "partition": item.partition,
        "offset": item.offset,
        "arrived_at": time_text(_aware(item.arrived_at)),
        "event_time": value_json(item.state["event_time"]),
        "ingest_time": value_json(item.state["ingest_time"]),
        "changes": [
            {"field": change.field, "before": value_json(change.before), "after": value_json(change.after)}
            for change in item.changes
        ],
        "state": record_json(item.state),
    }


def value_json(value: Any) -> Any:
    """A value of the warehouse: times in UTC, decimals as numbers."""
    if isinstance(value, datetime):
        return time_text(_aware(value))
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return number(float(value))
    if isinstance(value, (list, tuple)):
        return [value_json(item) for item in value]
    if isinstance(value, dict):
        return {str(key): value_json(item) for key, item in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def describe_json(kpi: Kpi, dimensions: tuple[str, ...], filters: tuple[str, ...]) -> dict[str, Any]:
    """What may be asked of a KPI."""
    return {"dimensions": list(dimensions), "filters": list(filters), "roles": list(kpi.terms)}


def _aware(time: datetime | None) -> datetime | None:
    """The warehouse's times are in UTC, whether they say so or not."""
    return time if time is None or time.tzinfo is not None else time.replace(tzinfo=UTC)
