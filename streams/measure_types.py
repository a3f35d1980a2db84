"""Types of the pieces of a measure: what cannot be compared, added or summed is refused before a view exists. Pure.

The grammar of `streams.measures` asks here at each operator. What is not known is `any`, and goes with everything: the
warehouse's dry run has the last word.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from schemas.contract_field import Field

NUMBER, TEXT, TIME, DAY, INTERVAL, ANY = "number", "text", "time", "day", "interval", "any"

_NAMES = {NUMBER: "a number", TEXT: "a text", TIME: "a time", DAY: "a day", INTERVAL: "a duration", ANY: "anything"}
_BASES = {
    **dict.fromkeys(("int", "long", "float", "double", "boolean", "decimal"), NUMBER),
    **dict.fromkeys(("string", "enum"), TEXT),
    "timestamp": TIME,
}
_RESULTS = {
    **dict.fromkeys(("lower", "upper", "lowerUTF8", "upperUTF8"), TEXT),
    **dict.fromkeys(("toIntervalSecond", "toIntervalMinute", "toIntervalHour", "toIntervalDay"), INTERVAL),
    "toDateOrNull": DAY,
    "toStartOfMonth": DAY,
    "toStartOfDay": TIME,
    "accurateCastOrNull": ANY,
}
_LIKE_LAST = frozenset(("if", "multiIf", "ifNull", "coalesce", "least", "greatest"))
_LIKE_FIRST = frozenset(("nullIf", "assumeNotNull"))


class MeasureTypeError(Exception):
    """Two pieces do not go together; says which types they have and what to write."""


@dataclass(frozen=True, slots=True)
class Typed:
    """What a piece gives. `symbols`: of an enum's field; `literal`: the text of a constant; `name`: as written."""

    kind: str
    name: str = ""
    symbols: tuple[str, ...] = ()
    literal: str | None = None

    def __str__(self) -> str:
        return f"{self.name} is {_NAMES[self.kind]}" if self.name else _NAMES[self.kind]


UNKNOWN = Typed(ANY)
TRUTH = Typed(NUMBER)


def of_field(field: Field) -> Typed:
    """The type of a contract's field."""
    return Typed(_BASES.get(field.base, ANY), field.name, field.symbols)


def of_text(written: str) -> Typed:
    """The type of a constant text, as written in quotes."""
    return Typed(TEXT, written, literal=written[1:-1])


def of_call(function: str, arguments: Sequence[Typed]) -> Typed:
    """What a function gives."""
    if function in _LIKE_LAST or function in _LIKE_FIRST:
        if not arguments:
            return UNKNOWN
        like = arguments[-1] if function in _LIKE_LAST else arguments[0]
        return Typed(like.kind)
    return Typed(_RESULTS.get(function, NUMBER))


def compared(left: Typed, right: Typed) -> Typed:
    """The outcome of a comparison; MeasureTypeError."""
    kinds = {left.kind, right.kind}
    if ANY not in kinds and NUMBER in kinds and len(kinds) > 1:
        number, other = (left, right) if left.kind == NUMBER else (right, left)
        cure = f"write {other.literal} without quotes" if other.literal is not None else "compare like with like"
        raise MeasureTypeError(f"{number} and {other}: {cure}")
    for one, constant in ((left, right), (right, left)):
        if one.symbols and constant.literal is not None and constant.literal not in one.symbols:
            near = difflib.get_close_matches(constant.literal, one.symbols, n=1)
            hint = f"; did you mean '{near[0]}'?" if near else ""
            raise MeasureTypeError(f"{one.name} is never {constant.name}: it is one of {', '.join(one.symbols)}{hint}")
    return TRUTH


def added(left: Typed, right: Typed) -> Typed:
    """The outcome of +, - and *; MeasureTypeError."""
    for one in (left, right):
        if one.kind == TEXT:
            raise MeasureTypeError(f"{one}: texts cannot be added or multiplied")
    kinds = {left.kind, right.kind}
    if kinds == {TIME} or kinds == {DAY}:
        raise MeasureTypeError(f"{left} and {right}: write dateDiff('hour', {left.name or 'a'}, {right.name or 'b'})")
    return Typed(next((kind for kind in (TIME, DAY, ANY) if kind in kinds), left.kind))


def truth(one: Typed) -> Typed:
    """A piece under AND, OR, NOT; MeasureTypeError."""
    if one.kind in (TEXT, TIME, DAY, INTERVAL):
        raise MeasureTypeError(f"{one}, and a condition is wanted: compare it with something")
    return TRUTH


def summed(one: Typed) -> None:
    """A whole measure; MeasureTypeError unless it can be summed."""
    if one.kind in (TEXT, TIME, DAY, INTERVAL):
        raise MeasureTypeError(f"{one}, and a measure is a number or a condition: compare it with something")
