"""Edge values to try a rollup's definition on before its view exists: what throws here would stop the entity."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

EDGES: dict[str, tuple[str, ...]] = {
    "String": ("''", "'x'", "'Đất đai'", "'-1'", "'99999999999999999999'", "repeat('9', 4000)"),
    "Int8": ("0", "1", "-1", "127", "-128"),
    "UInt8": ("0", "1", "255"),
    "Int32": ("0", "1", "-1", "2147483647", "-2147483648"),
    "UInt32": ("0", "1", "4294967295"),
    "Int64": ("0", "1", "-1", "9223372036854775807", "'-9223372036854775808'"),
    "Float32": ("0", "-1.5", "3.4e38", "nan", "inf", "-inf"),
    "Float64": ("0", "-1.5", "1.7e308", "nan", "inf", "-inf"),
    "Bool": ("false", "true"),
    "DateTime64": (
        "'1970-01-01 00:00:00.000'",
        "'1900-01-01 00:00:00.000'",
        "'2022-06-15 12:00:00.001'",
        "'2299-12-31 23:59:59.999'",
    ),
}
"""SQL literals by type."""

ROWS = 96
"""Each column runs through its edge values at its own pace, so that pairs of edges meet."""

_WRAPPED = re.compile(r"^(LowCardinality|Nullable)\((.*)\)$")
_DECIMAL = re.compile(r"^Decimal\((\d+), *(\d+)\)$")


def edges_of(kind: str) -> tuple[str, ...]:
    """SQL literals to try for a column type; without known ones its default alone."""
    inner, nullable = kind, False
    while match := _WRAPPED.match(inner):
        nullable = nullable or match.group(1) == "Nullable"
        inner = match.group(2)
    values = EDGES.get(inner.partition("(")[0], ())
    decimal = _DECIMAL.match(inner)
    if decimal is not None:
        most = "9" * (int(decimal.group(1)) - int(decimal.group(2)))
        values = ("0", "1", "-1", f"'{most}'", f"'-{most}'")
    return (*values, "NULL") if nullable or not values else values


def edge_source(columns: Iterable[tuple[str, str]], always: Mapping[str, tuple[str, ...]], select: str) -> str:
    """A sub-query of rows with edge values, for (name, type) of each column that `select` names; `always`: the
    literals for some."""
    named = set(re.findall(r"\w+", select))
    parts = []
    for place, (name, kind) in enumerate(item for item in columns if item[0] in named):
        typed = kind.replace("'", "\\'")
        casts = [
            f"CAST({value}, '{typed}')"
            if value != "NULL" or "Nullable" in kind
            else f"defaultValueOfTypeName('{typed}')"
            for value in always.get(name) or edges_of(kind)
        ]
        # Two moduli that share no factor with the pace of most other columns.
        turn = f"(number + intDiv(number, {2 + place % 5}) * {place}) % {len(casts)}"
        cases = ", ".join(f"{turn} = {at}, {cast}" for at, cast in enumerate(casts[:-1]))
        parts.append(f"{f'multiIf({cases}, {casts[-1]})' if cases else casts[-1]} AS `{name}`")
    return f"(SELECT {', '.join(parts)} FROM numbers({ROWS}))"
