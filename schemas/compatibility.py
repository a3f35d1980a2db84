"""Avro compatibility: what stands against reading data of one schema with another. Pure.

The rules are those of Java Avro's `SchemaCompatibility`, which every registry's clients expect; each finding names the
field's path, the rule and both types. It passes over logical types and so lets 1.25 be read as 12.5. With `decimals` a
decimal reads only one of the same precision and scale, as the specification has it: the rule for the hub's contracts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from enum import Enum as Choice
from typing import NamedTuple

from schemas.avro_tree import Container, Enum, Fixed, Node, Primitive, Record, RecordField, Union
from schemas.avro_tree import unqualified as last

PROMOTIONS = frozenset(
    {
        ("int", "long"),
        ("int", "float"),
        ("int", "double"),
        ("long", "float"),
        ("long", "double"),
        ("float", "double"),
        ("string", "bytes"),
        ("bytes", "string"),
    }
)
"""(writer, reader): what a reader's primitive also reads."""


class Level(Choice):
    """What a new version must be able to do with the versions before it."""

    NONE = "NONE"
    BACKWARD = "BACKWARD"
    BACKWARD_TRANSITIVE = "BACKWARD_TRANSITIVE"
    FORWARD = "FORWARD"
    FORWARD_TRANSITIVE = "FORWARD_TRANSITIVE"
    FULL = "FULL"
    FULL_TRANSITIVE = "FULL_TRANSITIVE"

    @property
    def is_transitive(self) -> bool:
        """Whether all versions count, not only the latest."""
        return self.value.endswith("_TRANSITIVE")

    @property
    def reads_old(self) -> bool:
        """Whether the new version must read data of the old."""
        return self.value.startswith(("BACKWARD", "FULL"))

    @property
    def read_by_old(self) -> bool:
        """Whether the old version must read data of the new."""
        return self.value.startswith(("FORWARD", "FULL"))


Step = str | int
"""From a type to one within it: a field's name, `[]` for items, `{}` for values, the number of a union's branch."""
ITEMS, VALUES = "[]", "{}"


class Place(NamedTuple):
    """Where two schemas are compared: the path for people, and the steps on either side.

    Made for each field of both schemas, of which there may be ten thousand: a tuple takes a third of the time.
    """

    path: str = ""
    reader: tuple[Step, ...] = ()
    writer: tuple[Step, ...] = ()

    def within(self, step: str) -> Place:
        """The items or values."""
        return Place(self.path + step, (*self.reader, step), (*self.writer, step))

    def field(self, name: str, source: str | None) -> Place:
        """A reader's field, and the writer's that it is read from."""
        path = f"{self.path}.{name}" if self.path else name
        return Place(path, (*self.reader, name), self.writer if source is None else (*self.writer, source))


class Finding(NamedTuple):
    """One obstacle. `writer` None: the reader's field has no source, and the place is its record on the writer's side.

    `names` are the symbols or fields that are spoken of.
    """

    place: Place
    rule: str
    reader: Node
    writer: Node | None
    names: tuple[str, ...] = ()


class Obstacle(NamedTuple):
    """A finding between the new version and an earlier one, the `version`-th from the oldest."""

    finding: Finding
    version: int
    reader_is_new: bool

    @property
    def new_steps(self) -> tuple[Step, ...]:
        """The place in the new version."""
        return self.finding.place.reader if self.reader_is_new else self.finding.place.writer

    @property
    def old_steps(self) -> tuple[Step, ...]:
        """The place in the earlier version."""
        return self.finding.place.writer if self.reader_is_new else self.finding.place.reader


def obstacles(level: Level, new: Node, versions: Sequence[Node], *, decimals: bool = False) -> list[Obstacle]:
    """What stands against `new` after `versions` (oldest first) under the level; the latest version's come first."""
    numbers = range(len(versions))
    against = () if level is Level.NONE else reversed(numbers) if level.is_transitive else numbers[-1:]
    found: list[Obstacle] = []
    for number in against:
        if level.reads_old:
            found += [Obstacle(item, number, True) for item in compare(new, versions[number], decimals=decimals)]
        if level.read_by_old:
            found += [Obstacle(item, number, False) for item in compare(versions[number], new, decimals=decimals)]
    return found


def compare(reader: Node, writer: Node, *, decimals: bool = False) -> list[Finding]:
    """What stands against reading the writer's data with the reader's schema. `decimals`: those of other digits too."""
    return _Comparison(reads if decimals else reads_kind).compare(reader, writer, Place())


class _Comparison:
    """One comparison of two schemas; pairs of named types already under way count as compatible."""

    def __init__(self, reads: Callable[[Primitive, Primitive], bool]) -> None:
        self._reads = reads
        self._seen: set[tuple[int, int]] = set()
        # A failure holds whatever was assumed on the way to it; without this, nested unions take time 2^depth.
        self._failed: set[tuple[int, int]] = set()

    def compare(self, reader: Node, writer: Node, at: Place) -> list[Finding]:
        if isinstance(writer, Union):
            return self._writer_union(reader, writer, at)
        if isinstance(reader, Union):
            return self._reader_union(reader, writer, at)
        match reader, writer:
            case Primitive(), Primitive():
                return [] if self._reads(reader, writer) else [_mismatch(reader, writer, at)]
            case Container(), Container() if reader.kind == writer.kind:
                return self.compare(reader.inner, writer.inner, at.within(ITEMS if reader.kind == "array" else VALUES))
            case Fixed(), Fixed():
                return [*_name(reader, writer, at), *_size(reader, writer, at)]
            case Enum(), Enum():
                return [*_name(reader, writer, at), *_symbols(reader, writer, at)]
            case Record(), Record():
                return [*_name(reader, writer, at), *self._fields(reader, writer, at)]
            case _:
                return [_mismatch(reader, writer, at)]

    def _writer_union(self, reader: Node, writer: Union, at: Place) -> list[Finding]:
        if isinstance(reader, Union) and _is_flat(writer) and reader.branches == writer.branches:
            return []  # likewise: no place is made for each branch
        places = [at._replace(writer=(*at.writer, number)) for number in range(len(writer.branches))]
        branches = zip(writer.branches, places, strict=True)
        return [finding for branch, place in branches for finding in self.compare(reader, branch, place)]

    def _reader_union(self, reader: Union, writer: Node, at: Place) -> list[Finding]:
        nearest: list[Finding] | None = None
        for number, branch in enumerate(reader.branches):
            seen = set(self._seen)
            found = self.compare(branch, writer, at._replace(reader=(*at.reader, number)))
            # Java Avro gives up at an alias that fits several fields, be it in a branch that would not be read.
            if not found or any(finding.rule == "ambiguous_alias" for finding in found):
                return found
            self._seen = seen  # what was taken as under way in a failed branch proves nothing
            if branch.kind == writer.kind and (nearest is None or len(found) < len(nearest)):
                nearest = found
        return nearest or [Finding(at, "missing_union_branch", reader, writer)]

    def _fields(self, reader: Record, writer: Record, at: Place) -> list[Finding]:
        pair = id(reader), id(writer)
        if pair in self._seen:
            return []
        if pair in self._failed:
            return [_mismatch(reader, writer, at)]
        self._seen.add(pair)
        found = [finding for field in reader.fields for finding in self._field(field, writer, at)]
        if found:
            self._failed.add(pair)
        return found

    def _field(self, field: RecordField, writer: Record, at: Place) -> list[Finding]:
        sources = _sources(field, writer)
        if len(sources) > 1:
            names = tuple(source.name for source in sources)
            return [Finding(at.field(field.name, None), "ambiguous_alias", field.type, writer, names)]
        if sources:
            reader, source = field.type, sources[0]
            if (
                isinstance(reader, Primitive)
                and isinstance(source.type, Primitive)
                and self._reads(reader, source.type)
            ):
                return []  # most fields of most versions: no place is made
            return self.compare(reader, source.type, at.field(field.name, source.name))
        if field.has_default:
            return []
        return [Finding(at.field(field.name, None), "missing_default", field.type, None)]


def _is_flat(union: Union) -> bool:
    return all(isinstance(branch, Primitive) for branch in union.branches)


def reads_kind(reader: Primitive, writer: Primitive) -> bool:
    """Whether a reader's primitive also reads the writer's, whatever they stand for: the same or a promotion."""
    return reader.kind == writer.kind or (writer.kind, reader.kind) in PROMOTIONS


def reads(reader: Primitive, writer: Primitive) -> bool:
    """As `reads_kind`, but a decimal reads only its equal."""
    if "decimal" in (reader.logical, writer.logical):
        return reader == writer
    return reads_kind(reader, writer)


def _sources(field: RecordField, writer: Record) -> list[RecordField]:
    if not field.aliases:
        return [writer.by_name[field.name]] if field.name in writer.by_name else []
    # An alias that is the field's own name counts as a second source, as in Java Avro.
    names = (field.name, *dict.fromkeys(field.aliases))
    return [writer.by_name[name] for name in names if name in writer.by_name]


def _mismatch(reader: Node, writer: Node, at: Place) -> Finding:
    return Finding(at, "type_changed", reader, writer)


def _name(reader: Fixed | Enum | Record, writer: Fixed | Enum | Record, at: Place) -> Iterable[Finding]:
    if last(reader.full_name) != last(writer.full_name) and writer.full_name not in reader.aliases:
        yield Finding(at, "name_changed", reader, writer)


def _size(reader: Fixed, writer: Fixed, at: Place) -> Iterable[Finding]:
    if reader.size != writer.size:
        yield Finding(at, "size_changed", reader, writer)


def _symbols(reader: Enum, writer: Enum, at: Place) -> Iterable[Finding]:
    missing = tuple(symbol for symbol in writer.symbols if symbol not in reader.symbols)
    if missing and reader.default is None:
        yield Finding(at, "missing_symbols", reader, writer, missing)
