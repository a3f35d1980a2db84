"""Refused records once more, by the mapping as it is now. Pure.

The quarantine keeps no personal values: what a mapping reads may be masked there, and a mask must never be published
for a value. Such a record is read from its source again instead.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from connectors.intake import Prepared
from connectors.manifest import Manifest
from connectors.masking import MASK
from connectors.paths import value_at
from connectors.personal import paths_of
from connectors.personal_data import leaves
from schemas.quarantine import QuarantineMessage

REPLAYED = "replayed"
"""Stage of an entry that has been published again."""
NAMED = 20
"""Mended fields that are named."""


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


def fitting(
    items: Sequence[tuple[str, Any]], intake: Callable[[Sequence[Any]], Prepared]
) -> tuple[list[str], list[tuple[bytes, bytes]]]:
    """Of (id, record) those that the mapping takes, and their messages, in order. A batch in which nothing is refused
    is mapped once; one in which something is, by halves."""
    if not items:
        return [], []
    prepared = intake([record for _, record in items])
    if not prepared.quarantined:
        return [identity for identity, _ in items], prepared.messages
    if len(items) == 1:
        return [], []
    middle = len(items) // 2
    (first, before), (second, after) = fitting(items[:middle], intake), fitting(items[middle:], intake)
    return first + second, before + after


def mended_fields(payload: str, record: dict[str, Any]) -> tuple[str, ...]:
    """The paths at which a record differs from the entry's payload, which may be masked; names only, never values."""
    try:
        before = dict(leaves(orjson.loads(payload)))
    except orjson.JSONDecodeError:
        before = {}
    after = dict(leaves(record))
    changed = [path for path in {**before, **after} if before.get(path) != after.get(path)]
    return tuple(path[:64] for path in changed[:NAMED])


def marked(entry: QuarantineMessage, by: str, mended: tuple[str, ...] = ()) -> bytes:
    """The quarantine's message that takes an entry's place once it has been published again. `mended`: the fields that
    a person put right before."""
    fields = ", ".join(mended)
    vi, en = (f" sau khi sửa {fields}", f" after {fields} was mended") if mended else ("", "")
    return dataclasses.replace(
        entry,
        stage=REPLAYED,
        reason=f"Đã phát lại bởi {by}{vi}. Lý do trước đó: {entry.reason}",
        reason_en=f"Published again by {by}{en}. The reason before: {entry.reason_en}",
    ).to_json()
