"""A person's statement, parsed and held to what is allowed; what runs is written anew from what was understood. Pure.

One SELECT over the tables that are offered. `readonly` in the warehouse would not be enough: it lets a statement write
and read files. So the statement is parsed, every piece of it must be one of `hub.sql.allowed`, every table is replaced
by a sub-query that shows what may be seen, and the rest is refused by name.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from hub.sql.allowed import FUNCTION_NAMES, FUNCTIONS, NODES, TYPES
from hub.sql.errors import Place, SqlRefusedError

MAX_LENGTH = 20_000
"""Characters of a statement."""

MAX_NODES = 3_000
"""Pieces of a statement: what is larger was written by a machine."""

_TYPE = re.compile(r"(\w+)(?:\(([\w', /]*)\))?")
_NAMED = (exp.Anonymous, exp.AnonymousAggFunc, exp.ParameterizedAgg)
_SAME_UNIT = (exp.Alias, exp.Paren, exp.Sum, exp.Avg, exp.Min, exp.Max, exp.Round, exp.Abs, exp.Quantile, exp.Median)
"""What leaves a value in its unit."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A `{name:Type}` of a statement."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class Checked:
    """`sql`: what runs, one row more than `limit` at most; `tables`: the names it reads; `text`: as it was written.

    `sources`: by the name of a column of the answer the table's column whose values, or whose sum or mean, it shows.
    """

    sql: str
    tables: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    limit: int
    text: str = ""
    sources: Mapping[str, str] = field(default_factory=dict)


def check(text: str, offered: Mapping[str, str], limit: int) -> Checked:
    """`offered`: by name the SQL of each table; SqlRefusedError."""
    tree = _parsed(text)
    nodes = list(tree.walk())
    if len(nodes) > MAX_NODES:
        raise SqlRefusedError(
            f"câu lệnh quá lớn: hơn {MAX_NODES} phần", f"the statement has more than {MAX_NODES} parts"
        )
    for node in nodes:
        _allowed(node, text)
    sources = _sources(tree)
    tables = _tables(tree, offered, text)
    cut = _limited(tree, limit)
    sql = cut.sql(dialect="clickhouse", comments=False, identify=True)  # a quoted word is never a keyword
    return Checked(sql, tables, tuple(_parameters(tree, text)), limit, text, sources)


def parameters_of(text: str) -> tuple[Parameter, ...]:
    """The parameters of a statement, for a form; SqlRefusedError."""
    return tuple(_parameters(_parsed(text), text))


def place_of(text: str, word: str) -> Place | None:
    """Where a word first stands in a statement; None if it does not."""
    found = re.search(rf"(?<![\w.]){re.escape(word)}(?!\w)", text) or re.search(re.escape(word), text)
    return _at(text, found.start()) if found and word else None


def nearest_of(word: str, known: Iterable[str]) -> tuple[str, ...]:
    """Names that a wrong one may stand for."""
    by_lower = {name.lower(): name for name in known}
    return tuple(by_lower[name] for name in difflib.get_close_matches(word.lower(), by_lower, n=4, cutoff=0.5))


def _parsed(text: str) -> exp.Query:
    if len(text) > MAX_LENGTH:
        raise SqlRefusedError(
            f"câu lệnh dài hơn {MAX_LENGTH} ký tự", f"the statement is longer than {MAX_LENGTH} characters"
        )
    try:
        trees = [tree for tree in sqlglot.parse(text, read="clickhouse") if tree is not None]
    except (SqlglotError, RecursionError, ValueError) as error:
        raise _not_understood(error) from error
    if len(trees) != 1:
        raise SqlRefusedError("chỉ một câu lệnh SELECT", "one SELECT statement only")
    [tree] = trees
    if not isinstance(tree, (exp.Select, exp.SetOperation)):
        raise SqlRefusedError("chỉ được đọc: viết một SELECT", "reading only: write one SELECT")
    return tree


def _not_understood(error: Exception) -> SqlRefusedError:
    told: dict[str, Any] = next(iter(getattr(error, "errors", ())), {})
    written = re.search(r"Line (\d+), Col: (\d+)", str(error))
    place = None
    if told.get("line"):
        # The parser tells where the word ends.
        place = Place(int(told["line"]), max(1, int(told["col"]) - len(str(told.get("highlight") or " ")) + 1))
    elif written:
        place = Place(int(written.group(1)), int(written.group(2)))
    return SqlRefusedError(
        "không hiểu câu lệnh; hãy viết một SELECT, không FORMAT, SETTINGS, INTO OUTFILE",
        "the statement is not understood; write one SELECT, without FORMAT, SETTINGS, INTO OUTFILE",
        place,
    )


def _at(text: str, start: int) -> Place:
    return Place(text.count("\n", 0, start) + 1, start - text.rfind("\n", 0, start))


def _place(node: exp.Expr, text: str) -> Place | None:
    """Where the first piece of `node` stands."""
    starts = [one.meta["start"] for one in node.walk() if "start" in one.meta]
    return _at(text, min(starts)) if starts else None


def _sources(tree: exp.Query) -> dict[str, str]:
    found = {}
    for shown in tree.selects:
        inner = shown
        while isinstance(inner, _SAME_UNIT) and inner.this is not None:
            inner = inner.this
        name = "*" if isinstance(inner, exp.Star) else shown.alias_or_name
        found[name] = name if name == "*" else inner.name if isinstance(inner, exp.Column) else ""
    return found


def _allowed(node: exp.Expr, text: str) -> None:
    kind = type(node).__name__
    if kind not in NODES:
        shown = node.sql(dialect="clickhouse")[:60]
        raise SqlRefusedError(f"không cho phép: {shown} ({kind})", f"not allowed: {shown} ({kind})", _place(node, text))
    for clause in ("settings", "format", "into", "locks", "hint", "sample", "laterals", "version", "pivots", "final"):
        if node.args.get(clause) and not isinstance(node, exp.Func):
            raise SqlRefusedError(
                f"không cho phép mệnh đề {clause.upper()}; hãy bỏ đi",
                f"the clause {clause.upper()} is not allowed; leave it out",
                place_of(text.upper(), clause.upper()),
            )
    if isinstance(node, exp.In) and node.args.get("field") is not None:
        # To the warehouse a bare name here is a table.
        raise SqlRefusedError(
            "IN nhận một danh sách (…) hoặc một SELECT", "IN takes a list (…) or a SELECT", _place(node, text)
        )
    if isinstance(node, _NAMED) and node.name.lower() not in FUNCTIONS and str(node.this).lower() not in FUNCTIONS:
        name = node.name or str(node.this)
        raise SqlRefusedError(
            f"không cho phép hàm {name}; chỉ các hàm trong danh sách hàm được dùng",
            f"the function {name} is not allowed; only those of the list of functions are",
            _place(node, text),
            nearest_of(name, FUNCTION_NAMES),
        )


def _tables(tree: exp.Query, offered: Mapping[str, str], text: str) -> tuple[str, ...]:
    """Replace every table by what may be seen of it; their names."""
    named = {cte.alias for cte in tree.find_all(exp.CTE)}
    shadowed = sorted(named & set(offered))
    if shadowed:
        raise SqlRefusedError(
            f"tên {shadowed[0]} trong WITH trùng tên bảng", f"WITH {shadowed[0]}: a table has this name"
        )
    read: dict[str, None] = {}
    for table in list(tree.find_all(exp.Table)):
        name = table.name
        plain = isinstance(table.this, exp.Identifier) and not table.db and not table.catalog
        if plain and name in named:
            continue
        if not plain or name not in offered:
            shown = table.sql(dialect="clickhouse")[:60]
            raise SqlRefusedError(
                f"không có bảng {shown}; có: {', '.join(offered)}",
                f"no table {shown}; there are {', '.join(offered)}",
                _place(table, text),
                nearest_of(name, offered),
            )
        read[name] = None
        seen = sqlglot.parse_one(offered[name], read="clickhouse")
        alias = table.args.get("alias") or exp.TableAlias(this=exp.to_identifier(name))
        table.replace(exp.Subquery(this=seen, alias=alias, joins=table.args.get("joins")))
    return tuple(read)


def _limited(tree: exp.Query, limit: int) -> exp.Query:
    """One row more than the limit, so that what is cut off is told; a smaller limit of its own stays."""
    own = tree.args.get("limit")
    if own is None:
        tree.set("limit", exp.Limit(expression=exp.Literal.number(limit + 1)))
        return tree
    value = own.expression if isinstance(own, exp.Limit) else None
    if not isinstance(value, exp.Literal) or value.is_string or not value.this.isdigit():
        raise SqlRefusedError("LIMIT nhận một số", "LIMIT takes a number")
    own.set("expression", exp.Literal.number(min(int(value.this), limit + 1)))
    return tree


def _parameters(tree: exp.Expr, text: str) -> Iterator[Parameter]:
    seen: dict[str, str] = {}
    for node in tree.find_all(exp.Placeholder):
        kind = node.args.get("kind")
        # The parser writes this one type in capitals.
        written = kind.sql(dialect="clickhouse").replace("DATE", "Date") if isinstance(kind, exp.Expression) else ""
        match = _TYPE.fullmatch(written.removeprefix("Nullable(").rstrip(")") if "Nullable" in written else written)
        if not node.name or match is None or match.group(1) not in TYPES:
            raise SqlRefusedError(
                f"tham số {{{node.name}:{written}}}: viết {{tên:Kiểu}}, kiểu là {', '.join(sorted(TYPES))}",
                f"parameter {{{node.name}:{written}}}: write {{name:Type}}, a type of {', '.join(sorted(TYPES))}",
                place_of(text, f"{{{node.name}"),
            )
        if seen.setdefault(node.name, written) != written:
            raise SqlRefusedError(
                f"tham số {node.name} có hai kiểu", f"the parameter {node.name} has two types",
                place_of(text, f"{{{node.name}"),
            )  # fmt: skip
    yield from (Parameter(name, kind) for name, kind in seen.items())
