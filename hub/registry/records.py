"""The records of the log, in the format of Confluent's `_schemas` topic. Pure.

Compaction compares keys byte by byte, so their members keep Confluent's order: keytype, subject, version, magic; the
key of what counts for all subjects has no subject. Other kinds (contexts, encoders, associations) mean nothing here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple

import orjson

from schemas.compatibility import Level

AVRO = "AVRO"
SCHEMA_MAGIC = 1
OTHER_MAGIC = 0
LONGEST_ID = 19
"""Digits."""
_BEFORE_LITERAL = b',"schema":"'


class Mode(Enum):
    """What may be done with a subject, or with all."""

    READWRITE = "READWRITE"
    READONLY = "READONLY"
    READONLY_OVERRIDE = "READONLY_OVERRIDE"
    """For all subjects only: read-only whatever a subject's own mode says."""
    IMPORT = "IMPORT"
    """Versions come with their ids and numbers from another registry, unchecked."""

    @property
    def is_read_only(self) -> bool:
        """Whether nothing may be written."""
        return self in (Mode.READONLY, Mode.READONLY_OVERRIDE)


@dataclass(frozen=True, slots=True)
class Reference:
    """Types of another subject's version that a schema uses. `name` is how the client calls them."""

    name: str
    subject: str
    version: int

    def shown(self) -> dict[str, Any]:
        """As JSON."""
        return {"name": self.name, "subject": self.subject, "version": self.version}


def literal_of(text: str) -> bytes:
    """A text as JSON writes it, quotes included."""
    return orjson.dumps(text)


class SchemaRecord(NamedTuple):
    """One version of one subject. A start makes one for each version there is.

    `literal` is the schema's text as JSON writes it: what the log holds and what is answered, so that it is decoded
    only where somebody looks into it. `kind` is Confluent's schemaType.
    """

    subject: str
    version: int
    id: int
    literal: bytes
    deleted: bool
    references: tuple[Reference, ...] = ()
    kind: str = AVRO


@dataclass(frozen=True, slots=True)
class SchemaGone:
    """A version that was deleted for good."""

    subject: str
    version: int


@dataclass(frozen=True, slots=True)
class SubjectDeleted:
    """All versions up to this one were soft-deleted at once."""

    subject: str
    up_to: int


@dataclass(frozen=True, slots=True)
class LevelSet:
    """The compatibility level of a subject, or of all (None); level None takes it back."""

    subject: str | None
    level: Level | None


@dataclass(frozen=True, slots=True)
class ModeSet:
    """The mode of a subject, or of all (None); mode None takes it back."""

    subject: str | None
    mode: Mode | None


@dataclass(frozen=True, slots=True)
class IdsGiven:
    """Ids up to this one were given, also if compaction took away all that had them.

    It is the value of a NOOP record, which Confluent's registry and Karapace pass over.
    """

    up_to: int


Record = SchemaRecord | SchemaGone | SubjectDeleted | LevelSet | ModeSet | IdsGiven


class UnreadableRecordError(Exception):
    """A record of the log is not in this format; the message holds its key."""


def decode(key: str, value: bytes | None) -> Record | None:
    """The record, None for kinds that mean nothing here. Raises UnreadableRecordError.

    Whether a schema's literal is JSON is seen by who decodes it.
    """
    try:
        plain = _plain_schema(key, value) if value is not None else None
        if plain is not None:
            return plain
        head = orjson.loads(key)
        body = orjson.loads(value) if value is not None else None
        return _decode(head, body)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UnreadableRecordError(f"record {key[:200]!r}: {type(error).__name__}: {error}") from error


def _decode(head: dict[str, Any], body: dict[str, Any] | None) -> Record | None:
    match head["keytype"]:
        case "SCHEMA":
            return _schema(head["subject"], head["version"], body)
        case "DELETE_SUBJECT" if body is not None:
            return SubjectDeleted(head["subject"], body["version"])
        case "CONFIG":
            level = body.get("compatibilityLevel") if body is not None else None
            return LevelSet(head.get("subject"), Level(level) if level else None)
        case "MODE":
            mode = body.get("mode") if body is not None else None
            return ModeSet(head.get("subject"), Mode(mode) if mode else None)
        case "NOOP" if body is not None and "lastId" in body:
            return IdsGiven(int(body["lastId"]))
    return None


_KEY_BEGINS, _KEY_ENDS = '{"keytype":"SCHEMA","subject":"', ',"magic":1}'
_LIVE_ENDS, _DELETED_ENDS = b'","deleted":false}', b'","deleted":true}'


def _plain_schema(key: str, value: bytes) -> SchemaRecord | None:
    """A version without references as this registry and Confluent's write it, found without decoding; else None.

    A log is mostly such records, and its schemas are most of its bytes.
    """
    deleted = value.endswith(_DELETED_ENDS)
    if not (deleted or value.endswith(_LIVE_ENDS)) or not (key.startswith(_KEY_BEGINS) and key.endswith(_KEY_ENDS)):
        return None
    subject, _, version = key[len(_KEY_BEGINS) : -len(_KEY_ENDS)].rpartition('","version":')
    head = f'{{"subject":"{subject}","version":{version},"id":'.encode()
    middle = value.find(_BEFORE_LITERAL, len(head), len(head) + LONGEST_ID + len(_BEFORE_LITERAL))
    schema_id = value[len(head) : middle]
    if not (value.startswith(head) and version.isdigit() and schema_id.isdigit()) or '"' in subject or "\\" in subject:
        return None
    first, last = middle + len(_BEFORE_LITERAL) - 1, 1 - len(_DELETED_ENDS if deleted else _LIVE_ENDS)
    # Within a text each quote is escaped; this is where the next member begins.
    if value.find(b'","', first + 1, last) >= 0:
        return None
    return SchemaRecord(subject, int(version), int(schema_id), value[first:last], deleted)


def _schema(subject: str, version: int, body: dict[str, Any] | None) -> SchemaRecord | SchemaGone:
    if body is None:
        return SchemaGone(subject, version)
    given = body.get("references")
    references = tuple(Reference(item["name"], item["subject"], item["version"]) for item in given) if given else ()
    deleted, kind = bool(body.get("deleted", False)), body.get("schemaType") or AVRO
    literal = literal_of(body["schema"])
    if literal[:1] != b'"':
        raise TypeError("the schema is no text")
    return SchemaRecord(subject, version, body["id"], literal, deleted, references, kind)


def encode(record: Record) -> tuple[str, bytes | None]:
    """Key and value; the value of what is gone or taken back is a tombstone. Inverse of `decode`."""
    match record:
        case SchemaRecord():
            return _key("SCHEMA", record.subject, record.version), orjson.dumps(_schema_value(record))
        case SchemaGone(subject, version):
            return _key("SCHEMA", subject, version), None
        case SubjectDeleted(subject, up_to):
            return _key("DELETE_SUBJECT", subject), orjson.dumps({"subject": subject, "version": up_to})
        case LevelSet(about, level):
            return _key("CONFIG", about), _setting(about, "compatibilityLevel", level)
        case ModeSet(about, mode):
            return _key("MODE", about), _setting(about, "mode", mode)
        case IdsGiven(up_to):
            return _key("NOOP"), orjson.dumps({"lastId": up_to})


def _key(kind: str, subject: str | None = None, version: int | None = None) -> str:
    named = {} if subject is None else {"subject": subject}
    numbered = {} if version is None else {"version": version}
    magic = OTHER_MAGIC if version is None else SCHEMA_MAGIC
    return orjson.dumps({"keytype": kind, **named, **numbered, "magic": magic}).decode()


def _setting(subject: str | None, name: str, value: Level | Mode | None) -> bytes | None:
    named = {} if subject is None else {"subject": subject}
    return None if value is None else orjson.dumps({**named, name: value.value})


def _schema_value(record: SchemaRecord) -> dict[str, Any]:
    kind = {} if record.kind == AVRO else {"schemaType": record.kind}
    references = {"references": [item.shown() for item in record.references]} if record.references else {}
    return {
        "subject": record.subject,
        "version": record.version,
        "id": record.id,
        **kind,
        **references,
        "schema": orjson.Fragment(record.literal),
        "deleted": record.deleted,
    }
