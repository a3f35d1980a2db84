"""Avro compatibility: what stands against reading data of one schema with another. Pure.

The rules are those of Java Avro's `SchemaCompatibility`, and beyond them a decimal reads only a decimal of the same
precision and scale, as the specification has it; each finding names the field's path, the rule and both types.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum as Choice
from typing import Any

from schemas.avro_parser import parse_schema
from schemas.avro_tree import Container, Enum, Fixed, Node, Primitive, Record, RecordField, Union, show
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


@dataclass(frozen=True, slots=True)
class Incompatibility:
    """One obstacle. `path` is dotted, `[]` are items, `{}` values; empty is the whole schema. `rule` is stable."""

    path: str
    rule: str
    message_vi: str
    message_en: str
    old_type: str
    new_type: str


def check(level: Level, new: Node, versions: Sequence[Node]) -> list[Incompatibility]:
    """What stands against `new` after `versions` (oldest first) under the level; the latest version's come first."""
    against = reversed(versions) if level.is_transitive else versions[-1:]
    found: list[Incompatibility] = []
    for old in against if level is not Level.NONE else ():
        if level.reads_old:
            found += node_incompatibilities(new, old)
        if level.read_by_old:
            found += node_incompatibilities(old, new, reader_is_new=False)
    return list(dict.fromkeys(found))


def incompatibilities(reader: Any, writer: Any, *, reader_is_new: bool = True) -> list[Incompatibility]:
    """What stands against reading the writer's data with the reader's schema, both as decoded JSON.

    `reader_is_new` tells which side is the new version in the texts. Raises InvalidSchemaError.
    """
    return node_incompatibilities(parse_schema(reader), parse_schema(writer), reader_is_new=reader_is_new)


def node_incompatibilities(reader: Node, writer: Node, *, reader_is_new: bool = True) -> list[Incompatibility]:
    """As `incompatibilities`, of parsed schemas."""
    found = _Comparison().compare(reader, writer, "")
    return list(dict.fromkeys(_told(item, reader_is_new) for item in found))


@dataclass(frozen=True, slots=True)
class _Finding:
    path: str
    rule: str
    reader: str
    writer: str
    detail: str = ""


class _Comparison:
    """One comparison of two schemas; pairs of named types already under way count as compatible."""

    def __init__(self) -> None:
        self._seen: set[tuple[int, int]] = set()
        # A failure holds whatever was assumed on the way to it; without this, nested unions take time 2^depth.
        self._failed: set[tuple[int, int]] = set()

    def compare(self, reader: Node, writer: Node, path: str) -> list[_Finding]:
        if isinstance(writer, Union):
            return self._writer_union(reader, writer, path)
        if isinstance(reader, Union):
            return self._reader_union(reader, writer, path)
        match reader, writer:
            case Primitive(), Primitive():
                return [] if reads(reader, writer) else [_mismatch(reader, writer, path)]
            case Container(), Container() if reader.kind == writer.kind:
                return self.compare(reader.inner, writer.inner, path + ("[]" if reader.kind == "array" else "{}"))
            case Fixed(), Fixed():
                return [*_name(reader, writer, path), *_size(reader, writer, path)]
            case Enum(), Enum():
                return [*_name(reader, writer, path), *_symbols(reader, writer, path)]
            case Record(), Record():
                return [*_name(reader, writer, path), *self._fields(reader, writer, path)]
            case _:
                return [_mismatch(reader, writer, path)]

    def _writer_union(self, reader: Node, writer: Union, path: str) -> list[_Finding]:
        return [finding for branch in writer.branches for finding in self.compare(reader, branch, path)]

    def _reader_union(self, reader: Union, writer: Node, path: str) -> list[_Finding]:
        nearest: list[_Finding] | None = None
        for branch in reader.branches:
            seen = set(self._seen)
            found = self.compare(branch, writer, path)
            if not found:
                return []
            self._seen = seen  # what was taken as under way in a failed branch proves nothing
            if branch.kind == writer.kind and (nearest is None or len(found) < len(nearest)):
                nearest = found
        return nearest or [_Finding(path, "missing_union_branch", show(reader), show(writer))]

    def _fields(self, reader: Record, writer: Record, path: str) -> list[_Finding]:
        pair = id(reader), id(writer)
        if pair in self._seen:
            return []
        if pair in self._failed:
            return [_mismatch(reader, writer, path)]
        self._seen.add(pair)
        found = [finding for field in reader.fields for finding in self._field(field, writer, path)]
        if found:
            self._failed.add(pair)
        return found

    def _field(self, field: RecordField, writer: Record, path: str) -> list[_Finding]:
        where = f"{path}.{field.name}" if path else field.name
        sources = _sources(field, writer)
        if len(sources) > 1:
            names = ", ".join(source.name for source in sources)
            return [_Finding(where, "ambiguous_alias", show(field.type), names, names)]
        if sources:
            return self.compare(field.type, sources[0].type, where)
        return [] if field.has_default else [_Finding(where, "missing_default", show(field.type), "")]


def reads(reader: Primitive, writer: Primitive) -> bool:
    """Whether a reader's primitive also reads the writer's: the same or a promotion; a decimal only its equal."""
    if "decimal" in (reader.logical, writer.logical):
        return reader == writer
    return reader.kind == writer.kind or (writer.kind, reader.kind) in PROMOTIONS


def _sources(field: RecordField, writer: Record) -> list[RecordField]:
    # An alias that is the field's own name counts as a second source, as in Java Avro.
    names = (field.name, *dict.fromkeys(field.aliases))
    return [writer.by_name[name] for name in names if name in writer.by_name]


def _mismatch(reader: Node, writer: Node, path: str) -> _Finding:
    return _Finding(path, "type_changed", show(reader), show(writer))


def _name(reader: Fixed | Enum | Record, writer: Fixed | Enum | Record, path: str) -> Iterable[_Finding]:
    if last(reader.full_name) != last(writer.full_name) and writer.full_name not in reader.aliases:
        yield _Finding(path, "name_changed", show(reader), show(writer))


def _size(reader: Fixed, writer: Fixed, path: str) -> Iterable[_Finding]:
    if reader.size != writer.size:
        yield _Finding(path, "size_changed", show(reader), show(writer))


def _symbols(reader: Enum, writer: Enum, path: str) -> Iterable[_Finding]:
    missing = [symbol for symbol in writer.symbols if symbol not in reader.symbols]
    if missing and reader.default is None:
        yield _Finding(path, "missing_symbols", show(reader), show(writer), ", ".join(missing))


def _told(finding: _Finding, reader_is_new: bool) -> Incompatibility:
    new, old = (finding.reader, finding.writer) if reader_is_new else (finding.writer, finding.reader)
    side_vi, side_en = ("mới", "new") if reader_is_new else ("cũ", "old")
    where_vi = f"Trường «{finding.path}»" if finding.path else "Lược đồ"
    where_en = f"field '{finding.path}'" if finding.path else "the schema"
    vi, en = _TEXTS[finding.rule]
    change = {"old": old, "new": new, "detail": finding.detail}
    return Incompatibility(
        finding.path,
        finding.rule,
        vi.format(where=where_vi, side=side_vi, **change),
        en.format(where=where_en, side=side_en, **change),
        old,
        new,
    )


_TEXTS = {
    "type_changed": (
        "{where}: kiểu đổi từ {old} thành {new}, phiên bản {side} không đọc được",
        "{where}: the type changed from {old} to {new}, which the {side} version cannot read",
    ),
    "missing_union_branch": (
        "{where}: kiểu đổi từ {old} thành {new}, phiên bản {side} thiếu nhánh để đọc",
        "{where}: the type changed from {old} to {new}, for which the {side} version has no branch",
    ),
    "missing_default": (
        '{where}: chỉ có ở phiên bản {side} mà không có giá trị mặc định; hãy thêm "default"',
        '{where}: only the {side} version has it, without a default value; add a "default"',
    ),
    "missing_symbols": (
        "{where}: phiên bản {side} thiếu các giá trị liệt kê {detail} và không có giá trị mặc định",
        "{where}: the {side} version lacks the enum symbols {detail} and has no default symbol",
    ),
    "name_changed": (
        '{where}: tên kiểu đổi từ {old} thành {new}; hãy khai báo "aliases"',
        '{where}: the type was renamed from {old} to {new}; declare the old name in "aliases"',
    ),
    "size_changed": (
        "{where}: độ dài cố định đổi từ {old} thành {new}",
        "{where}: the fixed size changed from {old} to {new}",
    ),
    "ambiguous_alias": (
        '{where}: ứng với nhiều trường cùng lúc ({detail}); hãy bớt "aliases"',
        "{where}: stands for several fields at once ({detail}); take away aliases",
    ),
}
