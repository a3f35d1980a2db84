"""Measures are expressions that cannot throw: pure. What is not understood here is refused.

A view that throws stops its entity, so a measure may hold comparisons, AND, OR, NOT, +, −, ×, IN, BETWEEN,
IS NULL, CASE, `$day(field)` and the functions below – no division, no modulo, no conversion that can fail, no
sub-query, no aggregate. The grammar is small on purpose: a general SQL parser would accept more than was thought of.
What only the warehouse can tell (types, overflow of decimals) is found by the dry run before a view exists.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

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
    """Recursive descent; nothing is built: it ends without an error or it names the piece."""

    def __init__(self, sql: str, fields: Collection[str], times: Collection[str]) -> None:
        self._tokens = _tokens(sql)
        self._at = 0
        self._fields = fields
        self._times = times

    def whole(self) -> None:
        if not self._tokens:
            raise MeasureError("the expression is empty")
        self._either()
        if self._at < len(self._tokens):
            raise self._refusal(self._tokens[self._at])

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

    def _expect(self, word: str) -> None:
        token = self._next()
        if token.word != word or token.kind == "text":
            refusal = self._refusal(token)
            raise refusal if self._cure(token) else MeasureError(f"at {token.text!r}: {word!r} is expected")

    def _cure(self, token: _Token) -> str | None:
        return _CURES.get(token.text.lower()) if token.kind != "text" else None

    def _refusal(self, token: _Token) -> MeasureError:
        return MeasureError(f"at {token.text!r}: {self._cure(token) or 'this is not understood in a measure'}")

    def _either(self) -> None:
        self._both()
        while self._take("OR"):
            self._both()

    def _both(self) -> None:
        self._negated()
        while self._take("AND"):
            self._negated()

    def _negated(self) -> None:
        while self._take("NOT"):
            pass
        self._compared()

    def _compared(self) -> None:
        self._sum()
        while True:
            if self._take(*_COMPARISONS):
                self._sum()
            elif self._take("IS"):
                self._take("NOT")
                self._expect("NULL")
            elif self._peek() in ("NOT", "IN", "BETWEEN"):
                self._take("NOT")
                if self._take("BETWEEN"):
                    self._sum()
                    self._expect("AND")
                    self._sum()
                else:
                    self._expect("IN")
                    self._list()
            else:
                return

    def _list(self) -> None:
        self._expect("(")
        while True:
            self._take("-")
            token = self._next()
            if token.kind not in ("number", "text"):
                cure = self._cure(token) or "IN takes a list of constants"
                raise MeasureError(f"at {token.text!r}: {cure}")
            if not self._take(","):
                break
        self._expect(")")

    def _sum(self) -> None:
        self._product()
        while self._take("+", "-"):
            self._product()

    def _product(self) -> None:
        self._value()
        while self._take("*"):
            self._value()

    def _value(self) -> None:
        while self._take("-"):
            pass
        token = self._next()
        if token.kind in ("number", "text") or token.word in ("NULL", "TRUE", "FALSE"):
            return
        if token.text == "(":
            self._either()
            self._expect(")")
        elif token.kind == "day":
            self._day()
        elif token.word == "CASE":
            self._case()
        elif token.kind == "name" and self._peek() == "(":
            self._call(token)
        elif token.kind == "name" and not self._cure(token):
            self._field(token.text, self._fields)
        else:
            raise self._refusal(token)

    def _field(self, name: str, among: Collection[str]) -> None:
        if name not in among:
            kind = "field" if among is self._fields else "timestamp"
            raise MeasureError(f"at {name!r}: no such {kind}; there are {', '.join(sorted(among))}")

    def _day(self) -> None:
        self._expect("(")
        self._field(self._next().text, self._times)
        self._expect(")")

    def _case(self) -> None:
        if self._peek() != "WHEN":
            self._either()
        while self._take("WHEN"):
            self._either()
            self._expect("THEN")
            self._either()
        if self._take("ELSE"):
            self._either()
        self._expect("END")

    def _call(self, token: _Token) -> None:
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
        if self._take(")"):
            return
        self._either()
        while self._take(","):
            self._either()
        self._expect(")")


def check_measure(sql: str, fields: Collection[str], times: Collection[str]) -> None:
    """Raise `MeasureError` unless `sql` is an expression over `fields` that cannot throw; `times`: the timestamps."""
    _Parser(sql, fields, times).whole()
