"""What is registered: the log's records folded, in their order, into subjects, versions and ids. Pure.

Folding the whole log again, or a part of it twice, leads to the same state.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace

import orjson

from hub.registry.offer import form_of
from hub.registry.records import LevelSet, Record, SchemaGone, SchemaRecord, SubjectDeleted
from schemas.compatibility import Level

DEFAULT_LEVEL = Level.BACKWARD


@dataclass(frozen=True, slots=True)
class Version:
    """A subject's version; numbers begin at 1 and have no gaps."""

    subject: str
    number: int
    id: int
    deleted: bool


class Store:
    """The present state. Asking never blocks; `apply` is called by the log alone."""

    def __init__(self) -> None:
        self._versions: dict[str, dict[int, Version]] = {}
        self._texts: dict[int, str] = {}
        self._ids: dict[bytes, int] = {}
        self._uses: defaultdict[int, set[tuple[str, int]]] = defaultdict(set)
        self._levels: dict[str | None, Level] = {}
        self._last_id = 0

    @property
    def last_id(self) -> int:
        """The greatest id ever seen; ids are never given twice."""
        return self._last_id

    def apply(self, record: Record) -> None:
        """Fold one record. Idempotent."""
        match record:
            case SchemaRecord():
                self._add(record)
            case SchemaGone(subject, number):
                self._remove(subject, number)
            case SubjectDeleted(subject, up_to):
                known = self._versions.get(subject, {})
                known |= {n: replace(version, deleted=True) for n, version in known.items() if n <= up_to}
            case LevelSet(about, level):
                self._levels.pop(about, None)
                if level is not None:
                    self._levels[about] = level

    def _add(self, record: SchemaRecord) -> None:
        if record.id not in self._texts:
            self._texts[record.id] = record.text
            self._ids.setdefault(_form(record.text), record.id)
        known = self._versions.setdefault(record.subject, {})
        before = known.get(record.version)
        if before is not None and before.id != record.id:
            self._release(before)
        known[record.version] = Version(record.subject, record.version, record.id, record.deleted)
        self._uses[record.id].add((record.subject, record.version))
        self._last_id = max(self._last_id, record.id)

    def _remove(self, subject: str, number: int) -> None:
        version = self._versions.get(subject, {}).pop(number, None)
        if version is None:
            return
        if not self._versions[subject]:
            del self._versions[subject]
        self._release(version)

    def _release(self, version: Version) -> None:
        uses = self._uses[version.id]
        uses.discard((version.subject, version.number))
        if not uses:
            del self._uses[version.id]
            form = _form(self._texts.pop(version.id))
            if self._ids.get(form) == version.id:
                del self._ids[form]

    def subjects(self, *, deleted: bool = False) -> list[str]:
        """Names with a live version, or with any."""
        return sorted(subject for subject in self._versions if self.versions(subject, deleted=deleted))

    def versions(self, subject: str, *, deleted: bool = False) -> list[Version]:
        """Live versions, or all, the oldest first; empty if there is no such subject."""
        known = self._versions.get(subject, {})
        return [known[number] for number in sorted(known) if deleted or not known[number].deleted]

    def next_number(self, subject: str) -> int:
        """The number of the subject's next version; soft-deleted ones count."""
        return max(self._versions.get(subject, {}), default=0) + 1

    def text(self, schema_id: int) -> str | None:
        """The schema by id."""
        return self._texts.get(schema_id)

    def id_of(self, form: bytes) -> int | None:
        """The id of a schema in its form for comparing."""
        return self._ids.get(form)

    def uses(self, schema_id: int, *, deleted: bool = False) -> list[Version]:
        """The versions that have this id, by subject and number."""
        found = [self._versions[subject][number] for subject, number in sorted(self._uses.get(schema_id, ()))]
        return [version for version in found if deleted or not version.deleted]

    def find(self, subject: str, form: bytes, *, deleted: bool = False) -> Version | None:
        """The subject's latest version that is this schema."""
        schema_id = self._ids.get(form)
        matching = [version for version in self.versions(subject, deleted=deleted) if version.id == schema_id]
        return matching[-1] if matching else None

    def level(self, subject: str | None) -> Level | None:
        """The level set for a subject, or for all (None); None if none is set."""
        return self._levels.get(subject)

    def effective_level(self, subject: str) -> Level:
        """The subject's level, else that of all, else BACKWARD."""
        return self._levels.get(subject) or self._levels.get(None) or DEFAULT_LEVEL

    def counts(self) -> tuple[int, int, int]:
        """Subjects, versions and schemas held."""
        return len(self._versions), sum(len(known) for known in self._versions.values()), len(self._texts)


def _form(text: str) -> bytes:
    try:
        return form_of(orjson.loads(text))
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return text.encode()  # another registry may have written a bare name or nested without end
