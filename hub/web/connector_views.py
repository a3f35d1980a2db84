"""What the connectors' pages show, as text in the reader's language. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from connectors.errors import ManifestError
from connectors.inference import Inferred
from connectors.manifest import source_kinds
from connectors.manifest_form import Row, rows_of
from connectors.manifest_schema import titles
from connectors.source import FILE, ROW, Step
from connectors.trial import Pair, Report
from hub.connect.shapes import Known, status
from hub.security.keys import KeyInfo
from hub.web.views import ICONS, SEVERITIES, Reader, StateView

GROUPS = (
    ("about", ("id", "kind", "entity", "source_system", "name", "system", "owner", "timezone")),
    ("promise", ("sla", "schedule")),
    ("source", ("source",)),
    ("rules", ("pii", "not_personal", "ignore", "drift")),
    ("mapping", ("mapping",)),
)
"""The form's sections and the blocks of a manifest in each."""


@dataclass(frozen=True, slots=True)
class FieldView:
    """One input of the form; `title` says what it is, None where only the path does."""

    path: str
    value: str
    title: str | None


@dataclass(frozen=True, slots=True)
class StepView:
    label: str
    ok: bool
    took: str
    found: str


@dataclass(frozen=True, slots=True)
class PairView:
    """`fields`: (field, from, after) of a record that fits; else `reason` and `path`."""

    place: str
    fields: tuple[tuple[str, str, str], ...]
    reason: str | None
    path: str


@dataclass(frozen=True, slots=True)
class KeyView:
    id: str
    note: str
    org: str
    created: str
    expires: str
    state: str


def form_groups(text: str, reader: Reader) -> list[tuple[str, list[FieldView]]]:
    """The form's sections. ManifestError if the text is not YAML."""
    rows = rows_of(text)
    kind = next((row.value for row in rows if row.path == "kind"), "")
    title_of = titles(kind) if kind in source_kinds() else lambda path: None
    place = {block: name for name, blocks in GROUPS for block in blocks}
    groups: dict[str, list[FieldView]] = {name: [] for name, _ in GROUPS}
    for row in rows:
        groups[place.get(row.path.partition(".")[0], "rules")].append(_field(row, title_of(row.path), reader))
    return [(name, fields) for name, fields in groups.items() if fields]


def _field(row: Row, title: tuple[str, str] | None, reader: Reader) -> FieldView:
    return FieldView(row.path, row.value, None if title is None else title[reader.language == "en"])


def step_view(step: Step, reader: Reader) -> StepView:
    found = step.error.text if step.error else step.found
    took = f"{reader.number(round(step.took_s * 1000))} ms"
    return StepView(
        step.label.to(reader.language), step.error is None, took, found.to(reader.language) if found else ""
    )


def pair_view(pair: Pair, manifest: Any, reader: Reader) -> PairView:
    """`manifest` gives each field's source paths."""
    from connectors.paths import value_at
    from connectors.personal import paths_of

    fields = []
    for name, after in (pair.after or {}).items():
        rule = manifest.mapping.get(name)
        paths = paths_of(rule) if rule is not None else []
        before = ", ".join(f"{path} = {_plain(value_at(pair.before, path))}" for path in paths)
        fields.append((name, before, _plain(after)))
    place = ""
    if isinstance(pair.before, dict) and ROW in pair.before:
        place = reader.t("connector.row", file=pair.before.get(FILE), row=pair.before[ROW])
    return PairView(place, tuple(fields), pair.refusal.to(reader.language) if pair.refusal else None, pair.path)


def _plain(value: Any) -> str:
    if value is None:
        return "–"
    return value if isinstance(value, str) else orjson.dumps(value, default=str).decode()


def report_facts(report: Report, promise: str, kpis: Sequence[str], reader: Reader) -> list[tuple[str, str]]:
    """The dry run in short: (message key, text)."""
    volume = "?" if report.per_day is None else reader.number(report.per_day)
    return [
        ("connector.sampled", f"{reader.number(report.records)} · {reader.number(report.accepted)}"),
        ("connector.volume", volume),
        ("connector.new_fields", ", ".join(report.new_fields) or "–"),
        ("connector.promise", promise),
        ("connector.kpis", ", ".join(kpis) or "–"),
    ]


def inferred_rows(report: Report) -> list[tuple[Inferred, str | None, bool]]:
    """Each source field, its class of personal data if it looks like one, and whether that is tagged."""
    personal = {finding.path: finding.kind for finding in report.personal}
    lacking = {finding.path for finding in report.untagged}
    return [(item, personal.get(item.path), item.path not in lacking) for item in report.inferred]


def word_of(known: Known, reader: Reader) -> StateView:
    """The connector's state in the hub's one vocabulary."""
    code = status(known, reader.language)["ioc"]["state"]
    if code == "waiting_for_approval":
        return StateView(code, reader.t("connector.waits"), "hourglass", "warn")
    return StateView(code, reader.t(f"state.{code}"), ICONS[code], SEVERITIES.get(code, "alarm"))


def key_view(info: KeyInfo, reader: Reader) -> KeyView:
    if info.revoked_at is not None:
        state = "department.key_revoked"
    else:
        state = "department.key_live" if info.is_live(reader.now) else "department.key_expired"
    return KeyView(
        info.id,
        info.note,
        info.org or "–",
        reader.clock(info.created_at),
        reader.clock(info.expires_at) if info.expires_at else reader.t("department.key_unlimited"),
        reader.t(state),
    )


def manifest_error(error: ManifestError, reader: Reader) -> list[str]:
    return error.text.to(reader.language).splitlines()
