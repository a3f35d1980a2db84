"""Expressions of a mapping in CEL, Google's Common Expression Language: no loops, no side effects. Home of `cel`.

An expression sees `value` (what stands at the rule's `from`) and `raw` (the record; only as `raw.a.b`). Cost is
bounded before anything runs: short texts, a list of known functions, no comprehensions, bounded results.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from types import ModuleType
from typing import Any

# Its command line loads a terminal's editor, a tenth of a role's start, and nobody here types expressions.
sys.modules.setdefault("cel.cli", ModuleType("cel.cli"))

import cel  # noqa: E402

from connectors.declaration import unknown_key  # noqa: E402
from connectors.errors import MappingError, Text  # noqa: E402

logging.getLogger("cel").disabled = True
"""The library logs what a failing function was given: a record's values belong into no log."""

MOST_CHARACTERS = 500
"""Longest expression: what an officer can still read."""
RESULT_CHARACTERS = 4_096
"""Longest text that a function may make; nested `replace` calls would otherwise multiply."""
CHUNK_RECORDS = 32
"""Records of one call into CEL: twice as fast as one by one; its lists are copied as they grow, so not more."""

_TOKENS = re.compile(r"""(?P<text>r?"(?:[^"\\\n]|\\.)*"|r?'(?:[^'\\\n]|\\.)*')|(?P<word>(?<![\w.])[A-Za-z_]\w*)""")
_PATH = re.compile(r"(?<![\w.])raw((?:\s*\.\s*[A-Za-z_]\w*)+)(\s*\()?")
_LOOPS = re.compile(r"\.\s*(?:map|filter|all|exists|exists_one)\s*\(")
_METHODS = ("size", "contains", "startsWith", "endsWith", "matches", "getFullYear", "getMonth", "getDate", "getHours")
_CONVERSIONS = ("int", "uint", "double", "string", "bool", "timestamp", "duration")


class ExpressionError(ValueError):
    """An expression cannot be used; `text` says why and what to write."""

    def __init__(self, vi: str, en: str) -> None:
        super().__init__(en)
        self.text = Text(vi, en)


def _bounded(text: str) -> str:
    if len(text) > RESULT_CHARACTERS:
        raise ValueError("too long")
    return text


def _part(text: str, separator: str, number: int) -> str:
    """The `number`-th piece (from 0, negative from the end)."""
    return text.split(separator)[number]


def _digits(text: str) -> str:
    return "".join(character for character in text if character.isdecimal())


def _day(text: str, *forms: str) -> str | None:
    """The day of a time as 2022-09-18, by the first strptime form that fits (`iso`: RFC 3339); null if none does."""
    for form in forms:
        with suppress(ValueError):
            moment = datetime.fromisoformat(text) if form == "iso" else datetime.strptime(text.strip(), form)  # noqa: DTZ007
            return moment.date().isoformat()
    return None


def _of_text(function: Callable[..., Any]) -> Callable[..., Any]:
    """Null stays null: an officer need not ask for it first."""
    return lambda text, *rest: None if text is None else function(text, *rest)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "lower": _of_text(lambda text: _bounded(text.lower())),
    "upper": _of_text(lambda text: _bounded(text.upper())),
    "trim": _of_text(lambda text: " ".join(text.split())),
    "replace": _of_text(lambda text, old, new: _bounded(text.replace(old, new)) if old else text),
    "part": _of_text(_part),
    "digits": _of_text(_digits),
    "day": _of_text(_day),
    "round": _of_text(lambda number, places: round(float(number), places)),
}
"""What the hub adds to CEL's own functions."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A checked expression. `paths` are the parts of the record that it reads."""

    source: str
    paths: tuple[tuple[str, ...], ...]
    _one: Any
    _many: Any
    _context: Any

    def __call__(self, records: Sequence[Any]) -> list[Any]:
        """A result for each record; a MappingError in the place of one that it fails for. Pure."""
        results: list[Any] = []
        for start in range(0, len(records), CHUNK_RECORDS):
            chunk = [self._seen(record) for record in records[start : start + CHUNK_RECORDS]]
            results += self._of_chunk(chunk)
        return results

    def _of_chunk(self, chunk: list[Any]) -> list[Any]:
        self._context.add_variable("rows", chunk)
        try:
            return [_plain(result) for result in self._many.execute(self._context)]
        except Exception:  # noqa: BLE001 - one record spoils the call: each for itself says which
            return [self._of_one(seen) for seen in chunk]

    def _of_one(self, seen: Any) -> Any:
        self._context.add_variable("raw", seen)
        try:
            return _plain(self._one.execute(self._context))
        except Exception as error:  # noqa: BLE001 - whatever CEL or a function raises, the record does not fit
            return _failed(error)

    def _seen(self, record: Any) -> dict[str, Any]:
        """Only what the expression reads; a missing part is null."""
        seen: dict[str, Any] = {}
        for path in self.paths:
            value, place = record, seen
            for part in path:
                value = value.get(part) if isinstance(value, dict) else None
            for part in path[:-1]:
                inner = place.get(part)
                place[part] = place = inner if isinstance(inner, dict) else {}
            if not isinstance(place.get(path[-1]), dict):
                place[path[-1]] = value
        return seen


def _plain(result: Any) -> Any:
    return result.isoformat() if isinstance(result, datetime) else result


def _failed(error: Exception) -> MappingError:
    kind = type(error).__name__
    return MappingError(
        "expression",
        Text(f"biểu thức không tính được cho bản ghi này ({kind})", f"the expression fails for this record ({kind})"),
        Text(
            "sửa biểu thức expr, ví dụ kiểm tra «value == null» trước",
            "mend the expression expr, for example ask “value == null” first",
        ),
    )


def compile_expression(source: str, origin: str | None) -> Expression:
    """The expression of a rule; `origin` is its `from`. ExpressionError says what is wrong before anything runs."""
    if len(source) > MOST_CHARACTERS:
        raise ExpressionError(
            f"dài {len(source)} ký tự, nhiều nhất {MOST_CHARACTERS}",
            f"has {len(source)} characters, at most {MOST_CHARACTERS}",
        )
    bare = _TOKENS.sub(lambda match: '""' if match["text"] else match[0], source)
    if _LOOPS.search(bare):
        raise ExpressionError(
            "không dùng map, filter, all, exists trong biểu thức", "may not use map, filter, all or exists"
        )
    if origin is None and re.search(r"(?<![\w.])value\b", bare):
        raise ExpressionError("dùng «value» thì cần khóa from", "reads “value”, which needs the key from")
    written = _TOKENS.sub(lambda match: f"raw.{origin}" if match["word"] == "value" else match[0], source)
    bare = _TOKENS.sub(lambda match: '""' if match["text"] else match[0], written)
    paths = tuple(dict.fromkeys(filter(None, map(_path, _PATH.finditer(bare)))))
    one = _compiled(source, written)
    _check_names(one, bare)
    context = cel.Context(functions=FUNCTIONS)
    return Expression(source, paths, one, cel.compile(f"rows.map(raw, {written})"), context)


def _path(match: re.Match[str]) -> tuple[str, ...]:
    """The parts of a path; the last word before a parenthesis is a method."""
    parts = re.findall(r"\w+", match[1])
    return tuple(parts[:-1] if match[2] else parts)


def _compiled(source: str, written: str) -> Any:
    try:
        return cel.compile(written)
    except (ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0].partition("ERROR: ")[2] or "cú pháp / syntax"
        reason = reason.replace("<input>:", "")
        raise ExpressionError(f"không phải biểu thức CEL ({reason})", f"is no CEL expression ({reason})") from None


def _check_names(program: Any, bare: str) -> None:
    for name in program.variables():
        if name != "raw":
            vi, en = unknown_key(name, ("value", "raw"), "biến", "variable")
            raise ExpressionError(f"biến «{name}»: {vi}", f"variable “{name}” {en}")
    if re.search(r"(?<![\w.])raw\b(?!\s*\.)", bare):
        raise ExpressionError(
            "chỉ đọc từng trường của bản ghi: raw.tenTruong", "may read fields of the record only: raw.fieldName"
        )
    known = {*FUNCTIONS, *_METHODS, *_CONVERSIONS, "has"}
    for name in program.functions():
        if name[0].isalpha() and name not in known:
            vi, en = unknown_key(name, known, "hàm", "function")
            raise ExpressionError(f"hàm «{name}»: {vi}", f"function “{name}” {en}")
