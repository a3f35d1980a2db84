"""What happens when a source sends fields that nobody declared: the manifest's `drift` policy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.errors import MappingError, SourceRefusedError, Text
from connectors.expression import compile_expression
from connectors.manifest import Manifest
from connectors.source import FILE, OP, REVISION, ROW, Refusal
from connectors.table import Table

OURS = frozenset({FILE, ROW, REVISION, OP})
PUSHED = frozenset({"webhook"})
"""Kinds that cannot be stopped: under `freeze` their records with new fields are quarantined."""
NAMED = 10
"""New fields that a message lists; names come from the source, so they are cut to 64 characters."""


@dataclass(frozen=True, slots=True)
class DriftGuard:
    """Keeps records with new top-level fields out. `freeze`: the first one stops the connector."""

    known: frozenset[str]
    freeze: bool

    def kept(self, records: Sequence[Any], refused: list[Refusal]) -> Sequence[Any]:
        """The records without new fields; the others go to `refused`. SourceRefusedError under `freeze`."""
        known = self.known
        if isinstance(records, Table) and records.columns.keys() <= known:
            return records
        kept = [raw for raw in records if not isinstance(raw, dict) or raw.keys() <= known]
        if len(kept) == len(records):
            return records
        for raw in records:
            if isinstance(raw, dict) and not raw.keys() <= known:
                names = _names(raw.keys() - known)
                if self.freeze:
                    raise SourceRefusedError(
                        Text(
                            f"Nguồn gửi trường mới ({names}) và drift là freeze; thêm vào mapping hoặc ignore",
                            f"The source sends new fields ({names}) and drift is freeze; add them to mapping or ignore",
                        )
                    )
                refused.append(Refusal(raw, _new_field(names)))
        return kept


def _new_field(names: str) -> MappingError:
    return MappingError(
        "new_field",
        Text(f"có trường chưa khai báo: {names}", f"there are undeclared fields: {names}"),
        Text("thêm vào mapping hoặc ignore", "add them to mapping or ignore"),
    )


def _names(fields: Any) -> str:
    found = sorted(str(name)[:64] for name in fields)
    return ", ".join(found[:NAMED]) + (", …" if len(found) > NAMED else "")


def declared_fields(manifest: Manifest) -> frozenset[str]:
    """The top-level fields of a raw record that a manifest speaks of."""
    paths = [*manifest.pii, *manifest.ignore]
    paths += [rule.source for rule in manifest.mapping.values() if rule.source is not None]
    for rule in manifest.mapping.values():
        if rule.expr is not None:
            paths += [path[0] for path in compile_expression(rule.expr, rule.source).paths]
    for lookup in manifest.lookups:
        paths += [*lookup.by.values(), *lookup.give, *([lookup.at.source] if lookup.at else [])]
    return OURS | {path.split(".")[0] for path in paths}


def new_fields(manifest: Manifest, records: Sequence[Any]) -> list[str]:
    """Top-level fields of records that the manifest does not speak of, sorted."""
    known = declared_fields(manifest)
    found: Mapping[str, None] = {
        str(name)[:64]: None for raw in records if isinstance(raw, dict) for name in raw if name not in known
    }
    return sorted(found)


def guard_of(manifest: Manifest) -> DriftGuard | None:
    """The guard of a manifest; None where new fields may come (they are left aside)."""
    if manifest.drift in {"evolve", "discard_value"}:
        return None
    return DriftGuard(declared_fields(manifest), manifest.drift == "freeze" and manifest.kind not in PUSHED)
