"""What is told of two versions that do not go together: the field's path, the rule, both types, and a way out. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from schemas.avro_parser import parse_schema
from schemas.avro_tree import Node, show
from schemas.compatibility import Finding, Level, Obstacle, compare, obstacles

MOST_WORDS = 1_024
"""Texts kept: of ten thousand fields that changed, most changed alike."""

NOTHING = "", ""
"""No proposal."""


class Incompatibility(NamedTuple):
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
    return told(obstacles(level, new, versions))


def told(found: Iterable[Obstacle], proposal: tuple[str, str] = NOTHING) -> list[Incompatibility]:
    """Obstacles in words, all with the same proposal; what reads alike is told once."""
    return list(dict.fromkeys(tell(item.finding, item.reader_is_new, proposal) for item in found))


def incompatibilities(
    reader: Any, writer: Any, *, reader_is_new: bool = True, decimals: bool = False
) -> list[Incompatibility]:
    """What stands against reading the writer's data with the reader's schema, both as decoded JSON.

    `reader_is_new` tells which side is the new version in the texts; `decimals` as in `schemas.compatibility`.
    Raises InvalidSchemaError.
    """
    nodes = parse_schema(reader), parse_schema(writer)
    return node_incompatibilities(*nodes, reader_is_new=reader_is_new, decimals=decimals)


def node_incompatibilities(
    reader: Node, writer: Node, *, reader_is_new: bool = True, decimals: bool = False
) -> list[Incompatibility]:
    """As `incompatibilities`, of parsed schemas."""
    found = compare(reader, writer, decimals=decimals)
    return list(dict.fromkeys(tell(item, reader_is_new) for item in found))


def tell(finding: Finding, reader_is_new: bool, proposal: tuple[str, str] = NOTHING) -> Incompatibility:
    """A finding in words, and what is proposed instead in both languages."""
    reader, writer = show(finding.reader), "" if finding.writer is None else show(finding.writer)
    if finding.rule == "ambiguous_alias":
        writer = ", ".join(finding.names)
    new, old = (reader, writer) if reader_is_new else (writer, reader)
    path = finding.place.path
    where_vi, where_en = (f"Trường «{path}»", f"field '{path}'") if path else ("Lược đồ", "the schema")
    vi, en = _words(finding.rule, reader_is_new, old, new, ", ".join(finding.names))
    return Incompatibility(path, finding.rule, where_vi + vi, where_en + en, old, new, *proposal)


@lru_cache(MOST_WORDS)
def _words(rule: str, reader_is_new: bool, old: str, new: str, names: str) -> tuple[str, str]:
    vi, en = _TEXTS[rule]
    side_vi, side_en = ("mới", "new") if reader_is_new else ("cũ", "old")
    change = {"old": old, "new": new, "names": names}
    return vi.format(side=side_vi, **change), en.format(side=side_en, **change)


_TEXTS = {
    "type_changed": (
        ": kiểu đổi từ {old} thành {new}, phiên bản {side} không đọc được",
        ": the type changed from {old} to {new}, which the {side} version cannot read",
    ),
    "missing_union_branch": (
        ": kiểu đổi từ {old} thành {new}, phiên bản {side} thiếu nhánh để đọc",
        ": the type changed from {old} to {new}, for which the {side} version has no branch",
    ),
    "missing_default": (
        ": chỉ có ở phiên bản {side} mà không có giá trị mặc định",
        ": only the {side} version has it, without a default value",
    ),
    "missing_symbols": (
        ": phiên bản {side} thiếu các giá trị liệt kê {names} và không có giá trị mặc định",
        ": the {side} version lacks the enum symbols {names} and has no default symbol",
    ),
    "name_changed": (
        ": tên kiểu đổi từ {old} thành {new}",
        ": the type was renamed from {old} to {new}",
    ),
    "size_changed": (
        ": độ dài cố định đổi từ {old} thành {new}",
        ": the fixed size changed from {old} to {new}",
    ),
    "ambiguous_alias": (
        ": ứng với nhiều trường cùng lúc ({names})",
        ": stands for several fields at once ({names})",
    ),
}
