"""What is registered: the log's records folded, in their order, into subjects, versions and ids. Pure.

Folding the whole log again, or a part of it twice, leads to the same state.
"""

from __future__ import annotations

import sys
from collections import defaultdict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import lz4.block
import orjson

from hub.registry.etags import tag_of
from hub.registry.offer import stored_form
from hub.registry.records import (
    AVRO,
    IdsGiven,
    LevelSet,
    Mode,
    ModeSet,
    Record,
    Reference,
    SchemaGone,
    SchemaRecord,
    SubjectDeleted,
    UnreadableRecordError,
)
from schemas.compatibility import Level

DEFAULT_LEVEL = Level.BACKWARD
DEFAULT_MODE = Mode.READWRITE
DELETED = 1


class Version(NamedTuple):
    """A subject's version; numbers begin at 1, and those ever given have no gaps."""

    subject: str
    number: int
    id: int
    deleted: bool


@dataclass(slots=True)
class Schema:
    """What an id stands for, and the subjects' versions that have it. `packed` is its literal, compressed by LZ4.

    `uses` are in order.
    """

    packed: bytes
    references: tuple[Reference, ...] = ()
    kind: str = AVRO
    uses: tuple[tuple[str, int], ...] = ()
    known_form: bytes | None = field(default=None, compare=False)
    known_tag: bytes | None = field(default=None, compare=False)

    @property
    def form(self) -> bytes:
        """Its form for comparing; worked out when it is first asked for."""
        if self.known_form is None:
            self.known_form = stored_form(self.text, self.references)
        return self.known_form

    @property
    def tag(self) -> bytes:
        """The ETag of its answer, which never changes; worked out when it is first asked for."""
        if self.known_tag is None:
            self.known_tag = tag_of(self.answer())
        return self.known_tag

    def answer(self) -> bytes:
        """`content` as JSON; of most schemas it is their literal."""
        if self.kind == AVRO and not self.references:
            return b'{"schema":%b}' % self.literal
        return orjson.dumps(self.content())

    def content(self) -> dict[str, Any]:
        """A schema as it is answered."""
        kind = {} if self.kind == AVRO else {"schemaType": self.kind}
        references = {"references": [item.shown() for item in self.references]} if self.references else {}
        return {**kind, **references, "schema": orjson.Fragment(self.literal)}

    @property
    def literal(self) -> bytes:
        """The schema as JSON writes its text."""
        return bytes(lz4.block.decompress(self.packed))

    @property
    def text(self) -> str:
        """The schema as it was registered. Raises UnreadableRecordError."""
        literal = self.literal
        try:
            return str(orjson.loads(literal))
        except orjson.JSONDecodeError as error:
            raise UnreadableRecordError(f"schema {literal[:200]!r}: {error}") from error


class Store:
    """The present state. Asking never blocks; `apply` is called by the log alone."""

    def __init__(self) -> None:
        self._versions: dict[str, dict[int, int]] = {}
        """By subject and number, twice the id, and one more if deleted: of all objects these are the most."""
        self._schemas: dict[int, Schema] = {}
        self._ids: dict[bytes, int] = {}
        self._not_indexed: deque[int] = deque()
        self._referrers: defaultdict[tuple[str, int], set[int]] = defaultdict(set)
        self._levels: dict[str | None, Level] = {}
        self._modes: dict[str | None, Mode] = {}
        self._last_id = 0
        self._marked_id = 0

    @property
    def last_id(self) -> int:
        """The greatest id ever seen; ids are never given twice."""
        return self._last_id

    @property
    def marked_id(self) -> int:
        """Up to here the log itself says that ids were given, whatever is deleted for good."""
        return self._marked_id

    def apply(self, record: Record) -> None:
        """Fold one record. Idempotent."""
        match record:
            case SchemaRecord():
                self._add(record)
            case SchemaGone(subject, number):
                self._remove(subject, number)
            case SubjectDeleted(subject, up_to):
                known = self._versions.get(subject, {})
                known |= {n: held | DELETED for n, held in known.items() if n <= up_to}
            case LevelSet(about, level):
                self._levels.pop(about, None)
                if level is not None:
                    self._levels[about] = level
            case ModeSet(about, mode):
                self._modes.pop(about, None)
                if mode is not None:
                    self._modes[about] = mode
            case IdsGiven(up_to):
                self._marked_id = max(self._marked_id, up_to)
                self._last_id = max(self._last_id, up_to)

    def _add(self, record: SchemaRecord) -> None:
        name, number, schema_id, literal, deleted, references, kind = record
        subject = sys.intern(name)  # one text for all its versions
        held = self._schemas.get(schema_id)
        if held is None:
            packed = lz4.block.compress(literal)
            self._schemas[schema_id] = Schema(packed, references, kind, ((subject, number),))
            self._not_indexed.append(schema_id)
            for item in references:
                self._referrers[item.subject, item.version].add(schema_id)
        elif (subject, number) not in held.uses:
            held.uses = tuple(sorted((*held.uses, (subject, number))))
        known = self._versions.get(subject)
        if known is None:
            known = self._versions[subject] = {}
        before = known.get(number)
        if before is not None and before >> 1 != schema_id:
            self._release(subject, number, before >> 1)
        known[number] = schema_id << 1 | deleted
        if schema_id > self._last_id:
            self._last_id = schema_id

    def index(self, most: int | None = None) -> bool:
        """Make schemas findable by their form, `most` of them at a time; whether all are.

        Reading by id needs none of it, so that a large log is served before this is done. Raises UnreadableRecordError.
        """
        count = len(self._not_indexed) if most is None else min(most, len(self._not_indexed))
        for _ in range(count):
            schema_id = self._not_indexed.popleft()
            held = self._schemas.get(schema_id)
            if held is not None:
                self._ids.setdefault(held.form, schema_id)
                _ = held.tag  # most are asked for sooner or later
        return not self._not_indexed

    def _remove(self, subject: str, number: int) -> None:
        held = self._versions.get(subject, {}).pop(number, None)
        if held is None:
            return
        if not self._versions[subject]:
            del self._versions[subject]
        self._release(subject, number, held >> 1)

    def _release(self, subject: str, number: int, schema_id: int) -> None:
        held = self._schemas[schema_id]
        held.uses = tuple(use for use in held.uses if use != (subject, number))
        if held.uses:
            return
        del self._schemas[schema_id]
        if self._ids.get(held.form) == schema_id:
            del self._ids[held.form]
        for item in held.references:
            self._forget_referrer(item, schema_id)

    def _forget_referrer(self, item: Reference, schema_id: int) -> None:
        referrers = self._referrers[item.subject, item.version]
        referrers.discard(schema_id)
        if not referrers:
            del self._referrers[item.subject, item.version]

    def subjects(self, *, deleted: bool = False) -> list[str]:
        """Names with a live version, or with any, in order."""
        return sorted(
            subject
            for subject, known in self._versions.items()
            if deleted or not all(held & DELETED for held in known.values())
        )

    def versions(self, subject: str, *, deleted: bool = False) -> list[Version]:
        """Live versions, or all, the oldest first; empty if there is no such subject."""
        known = self._versions.get(subject, {})
        return [
            _shown(subject, number, held) for number, held in sorted(known.items()) if deleted or not held & DELETED
        ]

    def version(self, subject: str, number: int) -> Version | None:
        """One version, live or soft-deleted."""
        held = self._versions.get(subject, {}).get(number)
        return None if held is None else _shown(subject, number, held)

    def next_number(self, subject: str) -> int:
        """The number of the subject's next version; soft-deleted ones count."""
        return max(self._versions.get(subject, {}), default=0) + 1

    def schema(self, schema_id: int) -> Schema | None:
        """The schema by id, as long as any version has it, be it soft-deleted."""
        return self._schemas.get(schema_id)

    def id_of(self, form: bytes) -> int | None:
        """The id of a schema in its form for comparing."""
        self.index()
        return self._ids.get(form)

    def uses(self, schema_id: int, *, deleted: bool = False) -> list[Version]:
        """The versions that have this id, by subject and number."""
        held = self._schemas.get(schema_id)
        pairs = held.uses if held else ()
        found = [_shown(subject, number, self._versions[subject][number]) for subject, number in pairs]
        return [version for version in found if deleted or not version.deleted]

    def referrers(self, subject: str, number: int, *, deleted: bool = False) -> list[Version]:
        """The versions whose schemas refer to this one, live or all, by id, subject and number."""
        ids: Iterable[int] = sorted(self._referrers.get((subject, number), ()))
        return [version for schema_id in ids for version in self.uses(schema_id, deleted=deleted)]

    def find(self, subject: str, form: bytes, *, deleted: bool = False) -> Version | None:
        """The subject's latest version that is this schema."""
        schema_id = self.id_of(form)
        matching = [version for version in self.versions(subject, deleted=deleted) if version.id == schema_id]
        return matching[-1] if matching else None

    def level(self, subject: str | None) -> Level | None:
        """The level set for a subject, or for all (None); None if none is set."""
        return self._levels.get(subject)

    def effective_level(self, subject: str) -> Level:
        """The subject's level, else that of all, else BACKWARD."""
        return self._levels.get(subject) or self._levels.get(None) or DEFAULT_LEVEL

    def mode(self, subject: str | None) -> Mode | None:
        """The mode set for a subject, or for all (None); None if none is set."""
        return self._modes.get(subject)

    def effective_mode(self, subject: str | None) -> Mode:
        """The subject's mode, else that of all, else READWRITE; READONLY_OVERRIDE of all wins."""
        of_all = self._modes.get(None, DEFAULT_MODE)
        return of_all if of_all is Mode.READONLY_OVERRIDE else self._modes.get(subject, of_all)

    def counts(self) -> tuple[int, int, int]:
        """Subjects, versions and schemas held."""
        return len(self._versions), sum(len(known) for known in self._versions.values()), len(self._schemas)


def _shown(subject: str, number: int, held: int) -> Version:
    return Version(subject, number, held >> 1, bool(held & DELETED))
