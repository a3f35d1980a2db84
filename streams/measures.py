"""Measures are expressions that cannot throw: pure. What is not understood here is refused.

A view that throws stops its entity, so a measure may hold comparisons, AND, OR, NOT, +, −, ×, IN, BETWEEN,
IS NULL, CASE, `$day(field)` and the functions below – no division, no modulo, no conversion that can fail, no
sub-query, no aggregate. The grammar is small on purpose: a general SQL parser would accept more than was thought of.
What only the warehouse can tell (types, overflow of decimals) is found by the dry run before a view exists.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from streams.measure_types import (
    TRUTH,
    UNKNOWN,
    MeasureTypeError,
    Typed,
    added,
    compared,
    of_call,
    of_text,
    summed,
    truth,
)

FUNCTIONS = frozenset(
    (
        *("ifNull", "coalesce", "nullIf", "isNull", "isNotNull", "assumeNotNull", "if", "multiIf", "not", "and", "or"),
        *("abs", "least", "greatest", "round", "floor", "ceil"),
        *("toHour", "toDayOfWeek", "toDayOfMonth", "toMonth", "toYear", "toStartOfMonth", "toStartOfDay", "dateDiff"),
        *("toIntervalSecond", "toIntervalMinute", "toIntervalHour", "toIntervalDay"),
        *("toInt8OrNull", "toInt16OrNull", "toInt32OrNull", "toInt64OrNull", "toUInt8OrNull", "toUInt16OrNull"),
        *("toUInt32OrNull", "toUInt64OrNull", "toFloat64OrNull", "toDateOrNull", "accurateCastOrNull"),
        *("divideOrNull", "intDivOrNull", "intDivOrZero", "moduloOrNull", "moduloOrZero"),
        *("length", "lengthUTF8", "empty", "notEmpty", "lower", "upper", "lowerUTF8", "upperUTF8"),
        *("startsWith", "endsWith", "position"),
    )
)
"""Functions that answer for every value of their arguments."""

_CURES = {
    "/": "write divideOrNull(a, b)",
    "%": "write moduloOrNull(a, b)",
    "div": "write intDivOrNull(a, b)",
    "mod": "write moduloOrNull(a, b)",
    "divide": "write divideOrNull(a, b)",
    "intdiv": "write intDivOrNull(a, b)",
    "modulo": "write moduloOrNull(a, b)",
    "select": "a measure is an expression over one state, without sub-queries",
    "todate": "write $day(field) for the day of a time, or toDateOrNull(text)",
    "cast": "write accurateCastOrNull(value, 'Type')",
    "::": "write accurateCastOrNull(value, 'Type')",
}

_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d+)?(?![\w.]))|(?P<text>'(?:[^'\\]|\\['\\])*')|(?P<day>\$day\b)"
    r"|(?P<name>[A-Za-z_]\w*)|(?P<mark><=|>=|!=|<>|::|[-+*/%=<>(),]))"
)
_COMPARISONS = frozenset(("=", "!=", "<>", "<", "<=", ">", ">="))


class MeasureError(Exception):
    """An expression is not allowed: the piece, why, and the cure."""


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str

    @property
    def word(self) -> str:
        return self.text.upper() if self.kind == "name" else self.text


def _tokens(sql: str) -> list[_Token]:
    found, at = [], 0
    while sql[at:].strip():
        match = _TOKEN.match(sql, at)
        # Two dashes begin a remark for the warehouse, and hide what follows.
        if match is None or sql[match.start(match.lastgroup or 0) :].startswith("--"):
            raise MeasureError(f"at {sql[at:].strip()[:20]!r}: this is not understood in a measure")
        found.append(_Token(str(match.lastgroup), match.group(str(match.lastgroup))))
        at = match.end()
    return found


class _Parser:
    """Recursive descent; it gives the type of the expression, or an error that names the piece."""

    def __init__(self, sql: str, fields: Collection[str], times: Collection[str]) -> None:
        self._tokens = _tokens(sql)
        self._at = 0
        self._fields = fields
        self._types: Mapping[str, Typed] = fields if isinstance(fields, Mapping) else {}
        self._times = times

    def whole(self) -> None:
        if not self._tokens:
            raise MeasureError("the expression is empty")
        found = self._either()
        if self._at < len(self._tokens):
            raise self._refusal(self._tokens[self._at])
        try:
            summed(found)
        except MeasureTypeError as error:
            raise MeasureError(str(error)) from error

    def _peek(self) -> str:
        return self._tokens[self._at].word if self._at < len(self._tokens) else ""

    def _next(self) -> _Token:
        if self._at >= len(self._tokens):
            raise MeasureError("the expression ends too early")
        self._at += 1
        return self._tokens[self._at - 1]

    def _take(self, *words: str) -> bool:
        if self._peek() in words and self._tokens[self._at].kind != "text":
            self._at += 1
            return True
        return False

    def _joined(self, rule: Callable[..., Typed], *pieces: Typed, mark: str) -> Typed:
        try:
            return rule(*pieces)
        except MeasureTypeError as error:
            raise MeasureError(f"at {mark!r}: {error}") from error

    def _expect(self, word: str) -> None:
        token = self._next()
        if token.word != word or token.kind == "text":
            refusal = self._refusal(token)
            raise refusal if self._cure(token) else MeasureError(f"at {token.text!r}: {word!r} is expected")

    def _cure(self, token: _Token) -> str | None:
        return _CURES.get(token.text.lower()) if token.kind != "text" else None

    def _refusal(self, token: _Token) -> MeasureError:
        return MeasureError(f"at {token.text!r}: {self._cure(token) or 'this is not understood in a measure'}")

    def _either(self) -> Typed:
        found = self._both()
        while self._take("OR"):
            found = self._joined(truth, found, mark="OR")
            found = self._joined(truth, self._both(), mark="OR")
        return found

    def _both(self) -> Typed:
        found = self._negated()
        while self._take("AND"):
            found = self._joined(truth, found, mark="AND")
            found = self._joined(truth, self._negated(), mark="AND")
        return found

    def _negated(self) -> Typed:
        if not self._take("NOT"):
            return self._compared()
        while self._take("NOT"):
            pass
        return self._joined(truth, self._compared(), mark="NOT")

    def _compared(self) -> Typed:
        found = self._sum()
        while True:
            mark = self._peek()
            if self._take(*_COMPARISONS):
                found = self._joined(compared, found, self._sum(), mark=mark)
            elif self._take("IS"):
                self._take("NOT")
                self._expect("NULL")
                found = TRUTH
            elif mark in ("NOT", "IN", "BETWEEN"):
                found = self._ranged(found)
            else:
                return found

    def _ranged(self, left: Typed) -> Typed:
        self._take("NOT")
        if self._take("BETWEEN"):
            self._joined(compared, left, self._sum(), mark="BETWEEN")
            self._expect("AND")
            return self._joined(compared, left, self._sum(), mark="BETWEEN")
        self._expect("IN")
        return self._list(left)

    def _list(self, left: Typed) -> Typed:
        self._expect("(")
        while True:
            self._take("-")
            token = self._next()
            if token.kind not in ("number", "text"):
                cure = self._cure(token) or "IN takes a list of constants"
                raise MeasureError(f"at {token.text!r}: {cure}")
            self._joined(compared, left, self._constant(token), mark="IN")
            if not self._take(","):
                break
        self._expect(")")
        return TRUTH

    def _sum(self) -> Typed:
        found = self._product()
        while (mark := self._peek()) and self._take("+", "-"):
            found = self._joined(added, found, self._product(), mark=mark)
        return found

    def _product(self) -> Typed:
        found = self._value()
        while self._take("*"):
            found = self._joined(added, found, self._value(), mark="*")
        return found

    def _constant(self, token: _Token) -> Typed:
        if token.kind == "text":
            return of_text(token.text)
        return Typed("number", token.text) if token.kind == "number" else UNKNOWN

    def _value(self) -> Typed:
        while self._take("-"):
            pass
        token = self._next()
        if token.kind in ("number", "text") or token.word in ("NULL", "TRUE", "FALSE"):
            return self._constant(token)
        if token.text == "(":
            found = self._either()
            self._expect(")")
            return found
        if token.kind == "day":
            return self._day()
        if token.word == "CASE":
            return self._case()
        if token.kind == "name" and self._peek() == "(":
            return self._call(token)
        if token.kind == "name" and not self._cure(token):
            return self._field(token.text, self._fields)
        raise self._refusal(token)

    def _field(self, name: str, among: Collection[str]) -> Typed:
        if name not in among:
            kind = "field" if among is self._fields else "timestamp"
            raise MeasureError(f"at {name!r}: no such {kind}; there are {', '.join(sorted(among))}")
        return self._types.get(name, UNKNOWN)

    def _day(self) -> Typed:
        self._expect("(")
        name = self._next().text
        self._field(name, self._times)
        self._expect(")")
        return Typed("day", f"$day({name})")

    def _case(self) -> Typed:
        on = self._either() if self._peek() != "WHEN" else None
        found = UNKNOWN
        while self._take("WHEN"):
            asked = self._either()
            if on is not None:
                self._joined(compared, on, asked, mark="WHEN")
            self._expect("THEN")
            found = self._either()
        if self._take("ELSE"):
            self._either()
        self._expect("END")
        return Typed(found.kind)

    def _call(self, token: _Token) -> Typed:
        if token.text not in FUNCTIONS:
            number = re.fullmatch(r"to(U?Int\d+|Float\d+|Decimal\d+|DateTime\w*)", token.text)
            cure = self._cure(token) or (
                f"it throws on what it cannot convert; write {token.text}OrNull" if number else None
            )
            raise MeasureError(
                f"at {token.text!r}: {cure or 'this function is not among those that cannot throw: '}"
                + ("" if cure else ", ".join(sorted(FUNCTIONS)))
            )
        self._expect("(")
        given: list[Typed] = []
        if not self._take(")"):
            given.append(self._either())
            while self._take(","):
                given.append(self._either())
            self._expect(")")
        return of_call(token.text, given)


def check_measure(sql: str, fields: Collection[str], times: Collection[str]) -> None:
    """Raise `MeasureError` unless `sql` is an expression over `fields` that cannot throw; `times`: the timestamps. With
    a mapping from names to `Typed` its types are checked too."""
    _Parser(sql, fields, times).whole()
