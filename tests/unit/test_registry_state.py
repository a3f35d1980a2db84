"""Random registrations, deletes, levels and modes against a slow model; the log folds to the same state again."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from hub.registry.decisions import Decision, Decisions, Wanted
from hub.registry.faults import Fault
from hub.registry.library import Library
from hub.registry.records import Mode, Reference, decode, encode
from hub.registry.store import Store
from schemas.avro_parser import InvalidSchemaError
from schemas.compatibility import Level

SUBJECTS = ("s", "t", "u")


def text(*fields: tuple[Any, ...]) -> str:
    listed = [dict(zip(("name", "type", "default"), item, strict=False)) for item in fields]
    return json.dumps({"type": "record", "name": "R", "fields": listed}, separators=(",", ":"))


SCHEMAS = (
    text(("a", "string")),
    text(("a", "string"), ("b", "int", 0)),
    text(("a", "int")),
    text(("a", "string"), ("c", "int")),
)
READS = {(0, 0), (0, 1), (0, 3), (1, 0), (1, 1), (1, 3), (2, 2), (3, 3)}
"""(reader, writer): by hand."""
USER = '{"type":"record","name":"User","fields":[{"name":"r","type":"R"}]}'

Asked = tuple[int, Reference | None]
"""The number of a schema, or `USER` with what it refers to."""


@dataclass
class Row:
    """A version of the model."""

    number: int
    asked: Asked
    id: int
    deleted: bool = False


@dataclass
class Model:
    """The registry as lists, searched from end to end."""

    subjects: dict[str, list[Row]] = field(default_factory=dict)
    levels: dict[str | None, Level] = field(default_factory=dict)
    modes: dict[str | None, Mode] = field(default_factory=dict)
    last_id: int = 0

    def rows(self, subject: str, *, deleted: bool = False) -> list[Row]:
        return [row for row in self.subjects.get(subject, []) if deleted or not row.deleted]

    def every(self) -> list[tuple[str, Row]]:
        return [(subject, row) for subject, rows in self.subjects.items() for row in rows]

    def mode(self, subject: str | None) -> Mode:
        return self.modes.get(subject, self.modes.get(None, Mode.READWRITE))

    def register(self, subject: str, asked: Asked) -> int:
        for row in self.rows(subject):
            if row.asked == asked:
                return row.id
        self.writable(subject)
        if asked[1] is not None and not any(
            name == asked[1].subject and row.number == asked[1].version and not row.deleted
            for name, row in self.every()
        ):
            raise Refused(42201)
        if not self.compatible(subject, asked):
            raise Refused(409)
        ids = [row.id for _, row in self.every() if row.asked == asked]
        if not ids:
            self.last_id += 1
        made = Row(self.next(subject), asked, ids[0] if ids else self.last_id)
        self.subjects.setdefault(subject, []).append(made)
        return made.id

    def next(self, subject: str) -> int:
        return max([row.number for row in self.rows(subject, deleted=True)], default=0) + 1

    def compatible(self, subject: str, asked: Asked) -> bool:
        level = self.levels.get(subject, self.levels.get(None, Level.BACKWARD))
        if level is Level.NONE:
            return True
        rows = self.rows(subject)
        for row in rows if level.value.endswith("TRANSITIVE") else rows[-1:]:
            backward, forward = self.reads(asked, row.asked), self.reads(row.asked, asked)
            if level.value.startswith(("BACKWARD", "FULL")) and not backward:
                return False
            if level.value.startswith(("FORWARD", "FULL")) and not forward:
                return False
        return True

    def reads(self, reader: Asked, writer: Asked) -> bool:
        if reader[1] is None or writer[1] is None:
            return (reader[0], writer[0]) in READS
        inner = [self.meant(reference) for reference in (reader[1], writer[1])]
        return (inner[0], inner[1]) in READS

    def meant(self, reference: Reference) -> int:
        return next(
            row.asked[0]
            for subject, row in self.every()
            if subject == reference.subject and row.number == reference.version
        )

    def writable(self, subject: str | None) -> None:
        if self.mode(subject) is Mode.READONLY:
            raise Refused(42205)

    def referrers(self, subject: str, row: Row, *, deleted: bool) -> list[str]:
        return [
            name
            for name, each in self.every()
            if each.asked[1] is not None
            and (each.asked[1].subject, each.asked[1].version) == (subject, row.number)
            and (deleted or not each.deleted)
        ]

    def delete_version(self, subject: str, number: int, permanent: bool) -> int:
        rows = [row for row in self.rows(subject, deleted=True) if row.number == number]
        if not self.rows(subject, deleted=True):
            raise Refused(40401)
        if not rows:
            raise Refused(40402)
        (row,) = rows
        if row.deleted and not permanent:
            raise Refused(40406)
        self.writable(subject)
        if self.referrers(subject, row, deleted=permanent):
            raise Refused(42206)
        if not permanent:
            row.deleted = True
            return number
        if not row.deleted:
            raise Refused(40407)
        self.subjects[subject].remove(row)
        self.forget(subject)
        return number

    def delete_subject(self, subject: str, permanent: bool) -> list[int]:
        rows = self.rows(subject, deleted=permanent)
        if not self.rows(subject, deleted=True):
            raise Refused(40401)
        if not rows:
            raise Refused(40404)
        self.writable(subject)
        if any(set(self.referrers(subject, row, deleted=permanent)) - {subject} for row in rows):
            raise Refused(42206)
        if not permanent:
            for row in rows:
                row.deleted = True
        elif self.rows(subject):
            raise Refused(40405)
        else:
            self.subjects[subject] = []
            self.forget(subject)
        return [row.number for row in rows]

    def forget(self, subject: str) -> None:
        if not self.subjects[subject]:
            del self.subjects[subject]
            self.levels.pop(subject, None)
            self.modes.pop(subject, None)


class Refused(Exception):
    """The model refuses with this code."""


subjects, about = st.sampled_from(SUBJECTS), st.sampled_from((*SUBJECTS, None))
numbers, permanent = st.integers(1, 4), st.booleans()


class Registry(RuleBasedStateMachine):
    """The registry's state behind an in-memory log, beside the model."""

    def __init__(self) -> None:
        super().__init__()
        self.store, self.model = Store(), Model()
        self.library = Library(self.store)
        self.decisions = Decisions(self.store, self.library)
        self.log: list[tuple[str, bytes | None]] = []

    def write(self, decision: Decision[Any]) -> Any:
        for record in decision.records:
            key, value = encode(record)
            self.log.append((key, value))
            assert decode(key, value) == record
            self.store.apply(record)
        return decision.answer

    def both(self, expected: Any, decide: Any) -> None:
        """The model's answer or refusal is the registry's; what is refused leaves no record."""
        before = len(self.log)
        try:
            wanted, code = expected(), 0
        except Refused as refused:
            wanted, code = None, refused.args[0]
        try:
            answer = self.write(decide())
        except Fault as fault:
            assert fault.code == code, fault.message
            assert len(self.log) == before
        else:
            assert not code, f"expected {code}"
            assert answer == wanted or getattr(answer, "id", None) == wanted

    def new_id(self) -> int:
        return self.store.last_id + 1

    @rule(subject=subjects, number=st.integers(0, 3))
    def register(self, subject: str, number: int) -> None:
        wanted = Wanted(self.library.offer(SCHEMAS[number]))
        asked: Asked = (number, None)
        self.both(lambda: self.model.register(subject, asked),
                  lambda: self.decisions.register(subject, wanted, self.new_id))  # fmt: skip

    @precondition(lambda self: any(row.asked[1] is None for _, row in self.model.every()))
    @rule(subject=subjects, data=st.data())
    def register_a_user(self, subject: str, data: st.DataObject) -> None:
        known = [(name, row.number) for name, row in self.model.every() if row.asked[1] is None]
        name, number = data.draw(st.sampled_from(known))
        reference = Reference("R", name, number)
        try:
            wanted = Wanted(self.library.offer(USER, [reference]))
        except InvalidSchemaError:
            raise AssertionError("the referenced version is there") from None
        asked: Asked = (9, reference)
        self.both(lambda: self.model.register(subject, asked),
                  lambda: self.decisions.register(subject, wanted, self.new_id))  # fmt: skip

    @rule(subject=subjects, number=numbers, permanent=permanent)
    def delete_version(self, subject: str, number: int, permanent: bool) -> None:
        self.both(lambda: self.model.delete_version(subject, number, permanent),
                  lambda: self.decisions.delete_version(subject, number, permanent=permanent))  # fmt: skip

    @rule(subject=subjects, permanent=permanent)
    def delete_subject(self, subject: str, permanent: bool) -> None:
        self.both(lambda: self.model.delete_subject(subject, permanent),
                  lambda: self.decisions.delete_subject(subject, permanent=permanent))  # fmt: skip

    @rule(subject=subjects)
    def delete_for_good(self, subject: str) -> None:
        self.delete_subject(subject, False)
        self.delete_subject(subject, True)

    @rule(subject=subjects, number=numbers)
    def delete_a_version_for_good(self, subject: str, number: int) -> None:
        self.delete_version(subject, number, False)
        self.delete_version(subject, number, True)

    @precondition(lambda self: any(row.asked[1] is not None for _, row in self.model.every()))
    @rule(data=st.data())
    def delete_what_a_user_refers_to(self, data: st.DataObject) -> None:
        users = [(name, row.asked[1]) for name, row in self.model.every() if row.asked[1] is not None]
        name, reference = data.draw(st.sampled_from(users))
        self.delete_subject(name, False)
        self.delete_version(reference.subject, reference.version, False)
        self.delete_version(reference.subject, reference.version, True)

    @rule(subject=about, level=st.sampled_from((*Level, Level.NONE, Level.NONE)))
    def set_level(self, subject: str | None, level: Level) -> None:
        def expected() -> Level:
            self.model.writable(subject)
            self.model.levels[subject] = level
            return level

        self.both(expected, lambda: self.decisions.set_level(subject, level))

    @rule(subject=about)
    def unset_level(self, subject: str | None) -> None:
        def expected() -> Level:
            if subject is not None and subject not in self.model.levels:
                raise Refused(40408)
            self.model.writable(subject)
            return self.model.levels.pop(subject, Level.BACKWARD)

        self.both(expected, lambda: self.decisions.unset_level(subject))

    @rule(subject=about, mode=st.sampled_from((*[Mode.READWRITE] * 4, Mode.READONLY)))
    def set_mode(self, subject: str | None, mode: Mode) -> None:
        self.model.modes[subject] = mode
        assert self.write(self.decisions.set_mode(subject, mode, force=False)) is mode

    @rule(subject=about)
    def unset_mode(self, subject: str | None) -> None:
        def expected() -> Mode:
            if subject is not None and subject not in self.model.modes:
                raise Refused(40409)
            return self.model.modes.pop(subject, Mode.READWRITE)

        self.both(expected, lambda: self.decisions.unset_mode(subject))

    @invariant()
    def what_is_shown_is_the_models(self) -> None:
        for deleted in (False, True):
            names = sorted(name for name in SUBJECTS if self.model.rows(name, deleted=deleted))
            assert self.store.subjects(deleted=deleted) == names
            for subject in SUBJECTS:
                rows = self.model.rows(subject, deleted=deleted)
                found = self.store.versions(subject, deleted=deleted)
                assert [(each.number, each.id, each.deleted) for each in found] == [
                    (row.number, row.id, row.deleted) for row in rows
                ]
        for schema_id in range(1, self.model.last_id + 2):
            held = self.store.schema(schema_id)
            uses = [(subject, row.number) for subject, row in self.model.every() if row.id == schema_id]
            assert (held is not None) == bool(uses)
            assert [(each.subject, each.number) for each in self.store.uses(schema_id, deleted=True)] == sorted(uses)
        assert {subject: self.store.level(subject) for subject in self.model.levels} == self.model.levels
        assert {subject: self.store.mode(subject) for subject in self.model.modes} == self.model.modes
        assert self.store.last_id == self.model.last_id

    @invariant()
    def what_is_looked_up_is_the_models(self) -> None:
        for number, schema in enumerate(SCHEMAS):
            form = self.library.offer(schema).form
            for subject in SUBJECTS:
                rows = [row.number for row in self.model.rows(subject) if row.asked == (number, None)]
                found = self.store.find(subject, form)
                assert ([found.number] if found else []) == rows[-1:]

    def teardown(self) -> None:
        compacted = dict(self.log)
        order = {key: offset for offset, (key, _) in enumerate(self.log)}
        kept = sorted((key for key, value in compacted.items() if value is not None), key=order.__getitem__)
        for log in (self.log, self.log + self.log, [(key, compacted[key]) for key in kept]):
            again = Store()
            for key, value in log:
                record = decode(key, value)
                assert record is not None
                again.apply(record)
            assert state(again) == state(self.store)


def state(store: Store) -> Any:
    """All that a store answers."""
    versions = [version for name in store.subjects(deleted=True) for version in store.versions(name, deleted=True)]
    schemas = {version.id: store.schema(version.id) for version in versions}
    referrers = {(each.subject, each.number): store.referrers(each.subject, each.number, deleted=True)
                 for each in versions}  # fmt: skip
    settings = [(store.level(name), store.mode(name)) for name in (None, *SUBJECTS)]
    found = [store.id_of(held.form) for held in schemas.values() if held is not None]
    return versions, schemas, referrers, settings, found, store.last_id


TestRegistry = Registry.TestCase
TestRegistry.settings = settings(max_examples=20, stateful_step_count=40, deadline=None)


@pytest.mark.long
class TestLongHistories(Registry.TestCase):
    settings = settings(max_examples=300, stateful_step_count=60, deadline=None)
