"""What is told of two versions that do not go together: the field's path, the rule, both types, and a way out. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from schemas.avro_parser import parse_schema
from schemas.avro_tree import Node, show
from schemas.compatibility import Finding, Level, compare, obstacles


@dataclass(frozen=True, slots=True)
class Incompatibility:
    """One obstacle. `path` is dotted, `[]` are items, `{}` values; empty is the whole schema. `rule` is stable.

    `proposal_vi` and `proposal_en` say what to write instead; empty where nothing was looked for or found.
    """

    path: str
    rule: str
    message_vi: str
    message_en: str
    old_type: str
    new_type: str
    proposal_vi: str = ""
    proposal_en: str = ""

    @property
    def told_vi(self) -> str:
        """The message and the proposal, in Vietnamese."""
        return f"{self.message_vi}. Đề xuất: {self.proposal_vi}" if self.proposal_vi else self.message_vi

    @property
    def told_en(self) -> str:
        """The message and the proposal, in English."""
        return f"{self.message_en}. Proposal: {self.proposal_en}" if self.proposal_en else self.message_en


def check(level: Level, new: Node, versions: Sequence[Node]) -> list[Incompatibility]:
    """What stands against `new` after `versions` (oldest first) under the level; the latest version's come first."""
    found = obstacles(level, new, versions)
    return list(dict.fromkeys(tell(item.finding, item.reader_is_new) for item in found))


def incompatibilities(reader: Any, writer: Any, *, reader_is_new: bool = True) -> list[Incompatibility]:
    """What stands against reading the writer's data with the reader's schema, both as decoded JSON.

    `reader_is_new` tells which side is the new version in the texts. Raises InvalidSchemaError.
    """
    return node_incompatibilities(parse_schema(reader), parse_schema(writer), reader_is_new=reader_is_new)


def node_incompatibilities(reader: Node, writer: Node, *, reader_is_new: bool = True) -> list[Incompatibility]:
    """As `incompatibilities`, of parsed schemas."""
    return list(dict.fromkeys(tell(item, reader_is_new) for item in compare(reader, writer)))


def tell(finding: Finding, reader_is_new: bool) -> Incompatibility:
    """A finding in words, without a proposal."""
    reader, writer = show(finding.reader), "" if finding.writer is None else show(finding.writer)
    if finding.rule == "ambiguous_alias":
        writer = ", ".join(finding.names)
    new, old = (reader, writer) if reader_is_new else (writer, reader)
    side_vi, side_en = ("mới", "new") if reader_is_new else ("cũ", "old")
    path = finding.place.path
    where_vi = f"Trường «{path}»" if path else "Lược đồ"
    where_en = f"field '{path}'" if path else "the schema"
    vi, en = _TEXTS[finding.rule]
    change = {"old": old, "new": new, "names": ", ".join(finding.names)}
    return Incompatibility(
        path,
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
        "{where}: chỉ có ở phiên bản {side} mà không có giá trị mặc định",
        "{where}: only the {side} version has it, without a default value",
    ),
    "missing_symbols": (
        "{where}: phiên bản {side} thiếu các giá trị liệt kê {names} và không có giá trị mặc định",
        "{where}: the {side} version lacks the enum symbols {names} and has no default symbol",
    ),
    "name_changed": (
        "{where}: tên kiểu đổi từ {old} thành {new}",
        "{where}: the type was renamed from {old} to {new}",
    ),
    "size_changed": (
        "{where}: độ dài cố định đổi từ {old} thành {new}",
        "{where}: the fixed size changed from {old} to {new}",
    ),
    "ambiguous_alias": (
        "{where}: ứng với nhiều trường cùng lúc ({names})",
        "{where}: stands for several fields at once ({names})",
    ),
}
