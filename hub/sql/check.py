"""A person's statement, parsed and held to what is allowed; what runs is written anew from what was understood. Pure.

One SELECT over the tables that are offered. `readonly` in the warehouse would not be enough: it lets a statement write
and read files. So the statement is parsed, every piece of it must be one of `hub.sql.allowed`, every table is replaced
by a sub-query that shows what may be seen, and the rest is refused by name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from hub.sql.allowed import FUNCTIONS, NODES, TYPES
from hub.sql.errors import SqlRefusedError

MAX_LENGTH = 20_000
"""Characters of a statement."""

MAX_NODES = 3_000
"""Pieces of a statement: what is larger was written by a machine."""

_TYPE = re.compile(r"(\w+)(?:\(([\w', /]*)\))?")
_NAMED = (exp.Anonymous, exp.AnonymousAggFunc, exp.ParameterizedAgg)


@dataclass(frozen=True, slots=True)
class Parameter:
    """A `{name:Type}` of a statement."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class Checked:
    """`sql`: what runs, one row more than `limit` at most; `tables`: the names it reads."""

    sql: str
    tables: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    limit: int


def check(text: str, offered: Mapping[str, str], limit: int) -> Checked:
    """`offered`: by name the SQL of each table; SqlRefusedError."""
    tree = _parsed(text)
    nodes = list(tree.walk())
    if len(nodes) > MAX_NODES:
        raise SqlRefusedError(
            f"câu lệnh quá lớn: hơn {MAX_NODES} phần", f"the statement has more than {MAX_NODES} parts"
        )
    for node in nodes:
        _allowed(node)
    tables = _tables(tree, offered)
    cut = _limited(tree, limit)
    sql = cut.sql(dialect="clickhouse", comments=False, identify=True)  # a quoted word is never a keyword
    return Checked(sql, tables, tuple(_parameters(tree)), limit)


def parameters_of(text: str) -> tuple[Parameter, ...]:
    """The parameters of a statement, for a form; SqlRefusedError."""
    return tuple(_parameters(_parsed(text)))


def _parsed(text: str) -> exp.Query:
    if len(text) > MAX_LENGTH:
        raise SqlRefusedError(
            f"câu lệnh dài hơn {MAX_LENGTH} ký tự", f"the statement is longer than {MAX_LENGTH} characters"
        )
    try:
        trees = [tree for tree in sqlglot.parse(text, read="clickhouse") if tree is not None]
    except (SqlglotError, RecursionError) as error:
        place = re.search(r"Line (\d+), Col: (\d+)", str(error))
        at = f" (dòng {place.group(1)}, cột {place.group(2)})" if place else ""
        at_en = f" (line {place.group(1)}, column {place.group(2)})" if place else ""
        raise SqlRefusedError(
            f"không hiểu câu lệnh{at}; hãy viết một SELECT, không FORMAT, SETTINGS, INTO OUTFILE",
            f"the statement is not understood{at_en}; write one SELECT, without FORMAT, SETTINGS, INTO OUTFILE",
        ) from error
    if len(trees) != 1:
        raise SqlRefusedError("chỉ một câu lệnh SELECT", "one SELECT statement only")
    [tree] = trees
    if not isinstance(tree, (exp.Select, exp.SetOperation)):
        raise SqlRefusedError("chỉ được đọc: viết một SELECT", "reading only: write one SELECT")
    return tree


def _allowed(node: exp.Expr) -> None:
    kind = type(node).__name__
    if kind not in NODES:
        shown = node.sql(dialect="clickhouse")[:60]
        raise SqlRefusedError(f"không cho phép: {shown} ({kind})", f"not allowed: {shown} ({kind})")
    for clause in ("settings", "format", "into", "locks", "hint", "sample", "laterals", "version", "pivots", "final"):
        if node.args.get(clause):
            raise SqlRefusedError(
                f"không cho phép mệnh đề {clause.upper()}", f"the clause {clause.upper()} is not allowed"
            )
    if isinstance(node, exp.In) and node.args.get("field") is not None:
        # To the warehouse a bare name here is a table.
        raise SqlRefusedError("IN nhận một danh sách (…) hoặc một SELECT", "IN takes a list (…) or a SELECT")
    if isinstance(node, _NAMED) and node.name.lower() not in FUNCTIONS and str(node.this).lower() not in FUNCTIONS:
        name = node.name or str(node.this)
        raise SqlRefusedError(
            f"không cho phép hàm {name}; được dùng: {', '.join(sorted(FUNCTIONS))}",
            f"the function {name} is not allowed; allowed: {', '.join(sorted(FUNCTIONS))}",
        )


def _tables(tree: exp.Query, offered: Mapping[str, str]) -> tuple[str, ...]:
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
                f"không có bảng {shown}; có: {', '.join(offered)}", f"no table {shown}; there are {', '.join(offered)}"
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


def _parameters(tree: exp.Expr) -> Iterator[Parameter]:
    seen: dict[str, str] = {}
    for node in tree.find_all(exp.Placeholder):
        kind = node.args.get("kind")
        written = kind.sql(dialect="clickhouse") if isinstance(kind, exp.Expression) else str(kind or "")
        match = _TYPE.fullmatch(written.removeprefix("Nullable(").rstrip(")") if "Nullable" in written else written)
        if not node.name or match is None or match.group(1) not in TYPES:
            raise SqlRefusedError(
                f"tham số {{{node.name}:{written}}}: viết {{tên:Kiểu}}, kiểu là {', '.join(sorted(TYPES))}",
                f"parameter {{{node.name}:{written}}}: write {{name:Type}}, a type of {', '.join(sorted(TYPES))}",
            )
        if seen.setdefault(node.name, written) != written:
            raise SqlRefusedError(f"tham số {node.name} có hai kiểu", f"the parameter {node.name} has two types")
    yield from (Parameter(name, kind) for name, kind in seen.items())
