"""The records of the log, in the format of Confluent's `_schemas` topic. Pure.

Compaction compares keys byte by byte, so their members keep one order: keytype, subject, version, magic.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from schemas.compatibility import Level

SCHEMA_MAGIC = 1
CONFIG_MAGIC = 0


@dataclass(frozen=True, slots=True)
class SchemaRecord:
    """One version of one subject."""

    subject: str
    version: int
    id: int
    text: str
    deleted: bool


@dataclass(frozen=True, slots=True)
class SchemaGone:
    """A version that was deleted for good."""

    subject: str
    version: int


@dataclass(frozen=True, slots=True)
class SubjectDeleted:
    """All versions up to this one were deleted, as older registries wrote it."""

    subject: str
    up_to: int


@dataclass(frozen=True, slots=True)
class LevelSet:
    """The compatibility level of a subject, or of all (None); level None takes it back."""

    subject: str | None
    level: Level | None


Record = SchemaRecord | SchemaGone | SubjectDeleted | LevelSet


class UnreadableRecordError(Exception):
    """A record of the log is not in this format; the message holds its key."""


def decode(key: str, value: bytes | None) -> Record | None:
    """The record, None for kinds that mean nothing here (NOOP, modes). Raises UnreadableRecordError."""
    try:
        head = orjson.loads(key)
        body = orjson.loads(value) if value is not None else None
        return _decode(head, body)
    except (ValueError, KeyError, TypeError) as error:
        raise UnreadableRecordError(f"record {key[:200]!r}: {type(error).__name__}: {error}") from error


def _decode(head: dict[str, Any], body: dict[str, Any] | None) -> Record | None:
    kind = head["keytype"]
    if kind == "SCHEMA":
        subject, version = head["subject"], head["version"]
        if body is None:
            return SchemaGone(subject, version)
        return SchemaRecord(subject, version, body["id"], body["schema"], bool(body.get("deleted", False)))
    if kind == "DELETE_SUBJECT" and body is not None:
        return SubjectDeleted(head["subject"], body["version"])
    if kind == "CONFIG":
        level = body.get("compatibilityLevel") if body is not None else None
        return LevelSet(head.get("subject"), Level(level) if level else None)
    return None


def encode_schema(record: SchemaRecord) -> tuple[str, bytes]:
    """Key and value of a version."""
    key = {"keytype": "SCHEMA", "subject": record.subject, "version": record.version, "magic": SCHEMA_MAGIC}
    value = {
        "subject": record.subject,
        "version": record.version,
        "id": record.id,
        "schema": record.text,
        "deleted": record.deleted,
    }
    return orjson.dumps(key).decode(), orjson.dumps(value)


def encode_level(record: LevelSet) -> tuple[str, bytes | None]:
    """Key and value of a level; the value of one taken back is a tombstone."""
    key = orjson.dumps({"keytype": "CONFIG", "subject": record.subject, "magic": CONFIG_MAGIC}).decode()
    if record.level is None:
        return key, None
    return key, orjson.dumps({"subject": record.subject, "compatibilityLevel": record.level.value})
