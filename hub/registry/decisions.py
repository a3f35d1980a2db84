"""What a write means for the log: from the state and a request to records and an answer, or a refusal. Pure.

Everything is judged before the first record; a refused request writes none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from hub.registry import faults
from hub.registry.library import Library
from hub.registry.offer import Offer
from hub.registry.records import (
    IdsGiven,
    LevelSet,
    Mode,
    ModeSet,
    Record,
    SchemaGone,
    SchemaRecord,
    SubjectDeleted,
    literal_of,
)
from hub.registry.store import DEFAULT_LEVEL, DEFAULT_MODE, Store, Version
from schemas.avro_parser import InvalidSchemaError, load_schema
from schemas.avro_tree import Node
from schemas.compatibility import Level, obstacles
from schemas.incompatibility import Incompatibility, told
from schemas.proposals import Earlier, propose

Answer = TypeVar("Answer")
NewId = Callable[[], int]
"""Gives an id that was never given before."""


@dataclass(frozen=True, slots=True)
class Decision(Generic[Answer]):
    """Records to be written in this order, and what is answered once they are."""

    records: tuple[Record, ...]
    answer: Answer


@dataclass(frozen=True, slots=True)
class Wanted:
    """A schema to be registered. `id` and `number` are given by who imports from another registry."""

    offer: Offer
    id: int | None = None
    number: int | None = None


class Decisions:
    """Decides over one store; see the module."""

    def __init__(self, store: Store, library: Library) -> None:
        self._store = store
        self._library = library

    def known(self, subject: str, wanted: Wanted) -> Version | None:
        """The live version that is this schema already: nothing is to be written then."""
        found = self._store.find(subject, wanted.offer.form)
        if found is None or wanted.id not in (None, found.id) or wanted.number not in (None, found.number):
            return None
        return found

    def register(self, subject: str, wanted: Wanted, new_id: NewId) -> Decision[Version]:
        """A new version, or the one there is. Raises Fault."""
        found = self.known(subject, wanted)
        if found is not None:
            return Decision((), found)
        mode = self._writable(subject)
        if (mode is Mode.IMPORT) != (wanted.id is not None):
            raise faults.not_permitted(subject, "in import mode" if wanted.id is not None else "in read-write mode")
        self._require_live_references(wanted.offer)
        schema_id, number = self._store.id_of(wanted.offer.form), self._store.next_number(subject)
        if wanted.id is not None:
            schema_id, number = self._imported(subject, wanted, wanted.id)
        else:
            self._require_order(wanted, number)
            self._require_compatible(subject, wanted.offer)
        record = SchemaRecord(
            subject,
            number,
            schema_id or new_id(),
            literal_of(wanted.offer.text),
            deleted=False,
            references=wanted.offer.references,
        )
        return Decision((record,), Version(subject, number, record.id, deleted=False))

    def against(
        self, subject: str, offered: Offer, version: Version | None, *, proposals: bool
    ) -> list[Incompatibility]:
        """What stands against the schema: under the subject's level, or against one version of it. Raises Fault."""
        level = self._store.effective_level(subject)
        earlier = self._earlier(level, subject) if version is None else [version]
        return self._found(level, offered, earlier, proposals=proposals)

    def delete_version(self, subject: str, number: int | None, *, permanent: bool) -> Decision[int]:
        """Soft-delete a version (None: the latest), or take a soft-deleted one away for good. Raises Fault."""
        version = self._to_delete(subject, number, permanent=permanent)
        self._writable(subject)
        self._require_unreferenced([version], permanent=permanent)
        if not permanent:
            return Decision((self._soft_deleted(version),), version.number)
        if not version.deleted:
            raise faults.version_not_soft_deleted(subject, version.number)
        rest = len(self._store.versions(subject, deleted=True)) > 1
        gone: list[Record] = [SchemaGone(subject, version.number)]
        return Decision((*self._mark(), *gone, *(() if rest else self._settings_gone(subject))), version.number)

    def delete_subject(self, subject: str, *, permanent: bool) -> Decision[list[int]]:
        """Soft-delete all live versions, or take all away for good once all are soft-deleted. Raises Fault."""
        versions = self._store.versions(subject, deleted=True)
        live = [version for version in versions if not version.deleted]
        if not versions:
            raise faults.subject_not_found(subject)
        if not permanent and not live:
            raise faults.subject_soft_deleted(subject)
        self._writable(subject)
        self._require_unreferenced(versions if permanent else live, permanent=permanent, but_by=subject)
        if not permanent:
            return Decision((SubjectDeleted(subject, live[-1].number),), [version.number for version in live])
        if live:
            raise faults.subject_not_soft_deleted(subject)
        # The latest first: an older one may be referred to by a newer one.
        gone = [SchemaGone(subject, version.number) for version in reversed(versions)]
        numbers = [version.number for version in versions]
        return Decision((*self._mark(), *gone, *self._settings_gone(subject)), numbers)

    def set_level(self, subject: str | None, level: Level) -> Decision[Level]:
        """Set a subject's level, or that of all. Raises Fault."""
        self._writable(subject)
        return Decision((LevelSet(subject, level),), level)

    def unset_level(self, subject: str | None) -> Decision[Level]:
        """Take a level back; answers the one there was. Raises Fault."""
        level = self._store.level(subject)
        if level is None and subject is not None:
            raise faults.level_not_configured(subject)
        self._writable(subject)
        return Decision((LevelSet(subject, None),) if level else (), level or DEFAULT_LEVEL)

    def set_mode(self, subject: str | None, mode: Mode, *, force: bool) -> Decision[Mode]:
        """Set a subject's mode, or that of all. Import mode needs subjects without versions, or force. Raises Fault."""
        before = self._store.effective_mode(subject)
        if mode is Mode.IMPORT and before is not Mode.IMPORT and not force:
            present = self._store.subjects(deleted=True) if subject is None else [subject]
            if any(self._store.versions(name, deleted=True) for name in present):
                raise faults.import_over_existing(subject)
        return Decision((ModeSet(subject, mode),), mode)

    def unset_mode(self, subject: str | None) -> Decision[Mode]:
        """Take a mode back; answers the one there was. Raises Fault."""
        mode = self._store.mode(subject)
        if mode is None and subject is not None:
            raise faults.mode_not_configured(subject)
        return Decision((ModeSet(subject, None),) if mode else (), mode or DEFAULT_MODE)

    def _writable(self, subject: str | None) -> Mode:
        mode = self._store.effective_mode(subject)
        if mode.is_read_only:
            raise faults.read_only(subject)
        return mode

    def _require_live_references(self, offered: Offer) -> None:
        for item in offered.references:
            version = self._store.version(item.subject, item.version)
            if version is None or version.deleted:
                raise faults.invalid_request_schema(
                    f"the reference {item.name!r}: version {item.version} of subject {item.subject!r} was deleted"
                )

    def _imported(self, subject: str, wanted: Wanted, schema_id: int) -> tuple[int, int]:
        held = self._store.schema(schema_id)
        if held is not None and held.form != wanted.offer.form:
            raise faults.id_is_taken(schema_id)
        number = wanted.number or self._store.next_number(subject)
        before = self._store.version(subject, number)
        if before is not None and before.id != schema_id:
            raise faults.version_is_taken(subject, number)
        return schema_id, number

    def _require_order(self, wanted: Wanted, number: int) -> None:
        if wanted.number not in (None, number):
            raise faults.invalid_request_schema(
                f"version {wanted.number} is not one more than the previous version; leave it out, or send {number}"
            )

    def _require_compatible(self, subject: str, offered: Offer) -> None:
        level = self._store.effective_level(subject)
        found = self._found(level, offered, self._earlier(level, subject), proposals=True)
        if found:
            raise faults.incompatible(subject, found, level)

    def _earlier(self, level: Level, subject: str) -> list[Version]:
        if level is Level.NONE:
            return []
        versions = self._store.versions(subject)
        return versions if level.is_transitive else versions[-1:]

    def _found(
        self, level: Level, offered: Offer, versions: Sequence[Version], *, proposals: bool
    ) -> list[Incompatibility]:
        nodes = [self._node(version) for version in versions]
        found = obstacles(level, offered.node, nodes)
        if not found or not proposals:
            return told(found)
        texts = [held.text for version in versions if (held := self._store.schema(version.id)) is not None]
        earlier = [Earlier(load_schema(text), node) for text, node in zip(texts, nodes, strict=True)]
        schema, types = load_schema(offered.text), self._library.types(offered)
        refusal = propose(level, schema, offered.node, earlier, types, found=found)
        return told(found) if refusal is None else refusal.found

    def _node(self, version: Version) -> Node:
        try:
            return self._library.node(version.id)
        except InvalidSchemaError as error:
            raise faults.not_comparable(version.subject, version.number, error) from error

    def _to_delete(self, subject: str, number: int | None, *, permanent: bool) -> Version:
        versions = self._store.versions(subject, deleted=True)
        if not versions:
            raise faults.subject_not_found(subject)
        live = [version for version in versions if not version.deleted]
        if number is None:
            version = (live if live and not permanent else versions)[-1]
        else:
            version = next((each for each in versions if each.number == number), None) or _missing(number)
        if version.deleted and not permanent:
            raise faults.version_soft_deleted(subject, version.number)
        return version

    def _require_unreferenced(self, versions: Sequence[Version], *, permanent: bool, but_by: str | None = None) -> None:
        # A soft-deleted schema still answers by id, so what it refers to must not be taken away for good.
        for version in versions:
            referrers = self._store.referrers(version.subject, version.number, deleted=permanent)
            found = [referrer for referrer in referrers if referrer.subject != but_by]
            if found:
                raise faults.referenced(version.subject, version.number, found[0].subject, found[0].number)

    def _soft_deleted(self, version: Version) -> SchemaRecord:
        held = self._store.schema(version.id)
        assert held is not None
        return SchemaRecord(version.subject, version.number, version.id, held.literal, True, held.references, held.kind)

    def _mark(self) -> tuple[Record, ...]:
        """Before ids lose their last record, the log says how far ids were given."""
        last = self._store.last_id
        return (IdsGiven(last),) if last > self._store.marked_id else ()

    def _settings_gone(self, subject: str) -> list[Record]:
        gone: list[Record] = []
        if self._store.level(subject) is not None:
            gone.append(LevelSet(subject, None))
        if self._store.mode(subject) is not None:
            gone.append(ModeSet(subject, None))
        return gone


def _missing(number: int) -> Version:
    raise faults.version_not_found(number)
