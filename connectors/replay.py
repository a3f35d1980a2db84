"""Refused records once more, by the mapping as it is now. Pure.

The quarantine keeps no personal values: what a mapping reads may be masked there, and a mask must never be published
for a value. Such a record is read from its source again instead.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson

from connectors.manifest import Manifest
from connectors.masking import MASK
from connectors.paths import value_at
from connectors.personal import paths_of

REPLAYED = "replayed"
"""Stage of an entry that has been published again."""


@dataclass(frozen=True, slots=True)
class Sorted:
    """`records`: whole ones, by the entry's id; `masked`: ids of those that only the source still has."""

    records: dict[str, Any]
    masked: tuple[str, ...]


def sorted_out(manifest: Manifest, payloads: Iterable[tuple[str, str]]) -> Sorted:
    """Entries' (id, payload) by whether the mapping can read all it needs from the payload."""
    paths = [path for rule in manifest.mapping.values() for path in paths_of(rule)]
    records: dict[str, Any] = {}
    masked: list[str] = []
    for identity, payload in payloads:
        try:
            record = orjson.loads(payload)
        except orjson.JSONDecodeError:  # cut off: it was too long to be kept
            masked.append(identity)
            continue
        if any(_hides(value_at(record, path)) for path in paths):
            masked.append(identity)
        else:
            records[identity] = record
    return Sorted(records, tuple(masked))


def _hides(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_hides(item) for item in value.values())
    if isinstance(value, list):
        return any(_hides(item) for item in value)
    return isinstance(value, str) and MASK in value


def marked(entry: dict[str, Any], by: str) -> bytes:
    """The quarantine's message that takes an entry's place once it has been published again."""
    return orjson.dumps(
        entry
        | {
            "stage": REPLAYED,
            "reason": f"Đã phát lại bởi {by}. Lý do trước đó: {entry['reason']}",
            "reason_en": f"Published again by {by}. The reason before: {entry['reason_en']}",
        }
    )
