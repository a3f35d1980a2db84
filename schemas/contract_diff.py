"""What differs between two versions of a contract, in words that people read. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from schemas.avro_parser import InvalidSchemaError, parse_schema
from schemas.avro_tree import show

KINDS = ("added", "removed", "type", "default", "symbols", "personal", "attribute", "record")


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. `path` is the field, empty for the record; `kind` one of `KINDS`; `before` and `after` are texts,
    None where there was or is nothing."""

    path: str
    kind: str
    before: str | None
    after: str | None
    vi: str
    en: str

    def text(self, language: str) -> str:
        """The change in a sentence, in `vi` or `en`."""
        return self.en if language == "en" else self.vi


def changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Change]:
    """What `new` changes of `old`, both records as decoded JSON: the record first, then fields in the new order."""
    found = list(_record(old, new))
    before, after = _fields(old), _fields(new)
    come = {name: field for name, field in after.items() if name not in before}
    renamed = {name: source for name, field in come.items() if (source := _source(field, before))}
    for name, field in after.items():
        source = renamed.get(name, name)
        if source not in before:
            found.append(_added(name, field))
        else:
            if name in renamed:
                found.append(_change(name, "attribute", source, name, "đổi tên từ {before}", "renamed from {before}"))
            found += _field(name, before[source], field)
    for name, field in before.items():
        if name not in after and name not in renamed.values():
            found.append(_change(name, "removed", type_text(field["type"]), None, "bỏ trường", "field removed"))
    return found


def type_text(kind: Any) -> str:
    """A field's type in a few words: `[null, long (timestamp-millis)]`."""
    try:
        return show(parse_schema(kind))
    except InvalidSchemaError:
        return _json_of(kind)


def _fields(schema: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {str(field["name"]): field for field in schema.get("fields", ()) if isinstance(field, Mapping)}


def _source(field: Mapping[str, Any], before: Mapping[str, Any]) -> str | None:
    """The old field that a new one is by its aliases."""
    return next((alias for alias in field.get("aliases", ()) if alias in before), None)


def _record(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    for key in dict.fromkeys([*old, *new]):
        if key != "fields" and old.get(key) != new.get(key):
            yield _change("", "record", old.get(key), new.get(key), f"{key}: {{before}} → {{after}}", None)


def _added(name: str, field: Mapping[str, Any]) -> Change:
    kind = type_text(field["type"])
    if "default" in field:
        default = _json_of(field["default"])
        vi, en = f"thêm trường, mặc định {default}", f"field added, default {default}"
    else:
        vi, en = "thêm trường, không có giá trị mặc định", "field added, without a default"
    return Change(name, "added", None, kind, vi, en)


def _field(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    before, after = type_text(old["type"]), type_text(new["type"])
    if before != after:
        yield _change(name, "type", before, after, "kiểu {before} → {after}", "type {before} → {after}")
    yield from _symbols(name, _enum(old["type"]), _enum(new["type"]))
    if ("default" in old, old.get("default")) != ("default" in new, new.get("default")):
        was, now = (_json_of(field["default"]) if "default" in field else None for field in (old, new))
        yield _change(name, "default", was, now, "mặc định {before} → {after}", "default {before} → {after}")
    for key in dict.fromkeys([*old, *new]):
        if key in ("name", "type", "default") or old.get(key) == new.get(key):
            continue
        kind = "personal" if key == "pii" else "attribute"
        yield _change(name, kind, old.get(key), new.get(key), f"{key}: {{before}} → {{after}}", None)


def _symbols(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    if not old or not new:
        return
    gone = [symbol for symbol in old["symbols"] if symbol not in new["symbols"]]
    come = [symbol for symbol in new["symbols"] if symbol not in old["symbols"]]
    if come:
        yield _change(name, "symbols", None, ", ".join(come), "thêm giá trị {after}", "values added: {after}")
    if gone:
        yield _change(name, "symbols", ", ".join(gone), None, "bỏ giá trị {before}", "values removed: {before}")
    if old.get("default") != new.get("default"):
        vi, en = "giá trị thay cho giá trị lạ: {before} → {after}", "stand-in for unknown values: {before} → {after}"
        yield _change(name, "symbols", old.get("default"), new.get("default"), vi, en)


def _enum(kind: Any) -> Mapping[str, Any]:
    for branch in kind if isinstance(kind, list) else [kind]:
        if isinstance(branch, Mapping) and branch.get("type") == "enum":
            return branch
    return {}


def _change(path: str, kind: str, before: Any, after: Any, vi: str, en: str | None) -> Change:
    """`vi` and `en` are filled with the two texts; None: the same in both languages."""
    was, now = _json(before), _json(after)
    shown = {"before": was or "–", "after": now or "–"}
    return Change(path, kind, was, now, vi.format(**shown), (en or vi).format(**shown))


def _json(value: Any) -> str | None:
    """A text as it is, anything else as JSON; None stays."""
    return value if value is None or isinstance(value, str) else _json_of(value)


def _json_of(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
