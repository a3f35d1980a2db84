"""Impacts, findings, changes and the catalogue's entries as JSON. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from hub.api.connector_board import ConnectorRow
from hub.catalogue.impact import Impact
from hub.catalogue.service import WINDOW_DAYS, Entry, VersionEntry, Volume
from schemas.contract_diff import Change
from schemas.contract_field import Field
from schemas.contract_finding import Finding


def change_json(change: Change, language: str) -> dict[str, Any]:
    return {
        "path": change.path,
        "kind": change.kind,
        "before": change.before,
        "after": change.after,
        "text": change.text(language),
    }


def finding_json(found: Finding, language: str) -> dict[str, Any]:
    return {
        "file": found.file,
        "line": found.line,
        "path": found.path,
        "rule": found.rule,
        "problem": found.problem(language),
        "cure": found.cure(language),
    }


def impact_json(impact: Impact, language: str) -> dict[str, Any]:
    """`refused`: it may not be registered as it is; `rebuild`: figures must be computed anew afterwards."""
    return {
        "entity": impact.entity,
        "subject": impact.subject,
        "against": impact.base,
        "level": impact.level,
        "refused": impact.refused,
        "rebuild": impact.rebuild,
        "changes": [change_json(change, language) for change in impact.changes],
        "incompatibilities": [
            {
                "path": item.path,
                "rule": item.rule,
                "old_type": item.old_type,
                "new_type": item.new_type,
                "message": item.message_en if language == "en" else item.message_vi,
                "proposal": (item.proposal_en if language == "en" else item.proposal_vi) or None,
            }
            for item in impact.incompatibilities
        ],
        "effects": [
            {"what": item.what, "name": item.name, "blocks": item.blocks, "text": item.text(language)}
            for item in impact.effects
        ],
    }


def entry_json(entry: Entry, language: str) -> dict[str, Any]:
    """`personal`: the highest class of personal data; `volume` null while the warehouse does not answer."""
    contract = entry.contract
    return {
        "entity": contract.entity,
        "domain": contract.domain,
        "title": contract.title(language),
        "doc": contract.doc(language),
        "owner": contract.owner(language),
        "legal": contract.legal,
        "kind": contract.kind,
        "aggregate": contract.is_aggregate,
        "topic": contract.topic,
        "in_use": entry.in_use,
        "personal": entry.personal,
        "state": entry.state,
        "sources": [_source_json(row, language) for row in entry.sources],
        "volume": _volume_json(entry.volume),
        "kpis": [{"id": kpi.id, "name": kpi.name[language]} for kpi in entry.kpis],
    }


def _source_json(row: ConnectorRow, language: str) -> dict[str, Any]:
    return {
        "connector": row.feed.connector,
        "name": row.name(language),
        "kind": row.feed.kind,
        "department": row.feed.department,
        "org": row.feed.org,
        "state": row.freshness.state,
        "promise_s": row.feed.promise.total_seconds(),
        "last_event": _time(row.freshness.last_event_time),
        "age_s": row.freshness.age_s,
    }


def _volume_json(volume: Volume | None) -> dict[str, Any] | None:
    if volume is None:
        return None
    return {
        "records": volume.records,
        f"records_{WINDOW_DAYS}_days": volume.recent,
        "in_topic": volume.in_topic,
        "applied": volume.applied,
        "superseded": volume.superseded,
        "repeats": volume.repeats,
        "deleted": volume.deleted,
        "quarantined": volume.quarantined,
        "usable_percent": volume.usable,
        "last_event": _time(volume.last_event),
    }


def field_json(
    field: Field,
    language: str,
    sources: Mapping[str, Sequence[tuple[str, str]]],
    kpis: Mapping[str, Sequence[str]],
) -> dict[str, Any]:
    """One field with its lineage."""
    return {
        "name": field.name,
        "doc": field.doc_en if language == "en" else field.doc_vi,
        "type": field.type_text,
        "nullable": field.nullable,
        "symbols": list(field.symbols),
        "codes": field.codes,
        "unit": field.unit,
        "unit_field": field.unit_field,
        "minimum": field.minimum,
        "maximum": field.maximum,
        "role": field.role,
        "personal": field.pii,
        "examples": list(field.examples),
        "sources": [{"connector": connector, "path": path} for connector, path in sources.get(field.name, ())],
        "kpis": list(kpis.get(field.name, ())),
    }


def version_json(entry: VersionEntry, language: str) -> dict[str, Any]:
    return {
        "version": entry.registered.version,
        "id": entry.registered.schema_id,
        "current": entry.current,
        "changes": [change_json(change, language) for change in entry.changes],
    }


def _time(time: datetime | None) -> str | None:
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z") if time else None
