"""One field of a contract: what the `.avsc` may say about it, and the errors when it says something else. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Any

from schemas.errors import ContractError
from schemas.personal import JUDGED

MAX_PRECISION = 38
"""Most digits of a decimal: what 128 bits hold, on the wire of columns as in the warehouse."""

_EXACT = Context(prec=MAX_PRECISION)

_ENVELOPE_FEW_VALUES = frozenset({"source_system", "admin_codeset"})


@dataclass(frozen=True, slots=True)
class Field:
    """One flat field. `base` is `string|int|long|float|double|boolean|enum|timestamp|decimal`.

    A decimal has at most `precision` digits, `scale` of them after the point; its `default` is a `Decimal`.
    `symbol_default` stands in for an enum's symbols that this version does not know. `codes` names the code table its
    values come from, `unit` what a number counts, `unit_field` the field that says so record by record. `few_values`:
    a text with few different values, which is stored and grouped faster.
    """

    name: str
    base: str
    nullable: bool
    doc_vi: str
    doc_en: str
    default: Any = None
    has_default: bool = False
    symbols: tuple[str, ...] = ()
    symbol_default: str | None = None
    precision: int = 0
    scale: int = 0
    pii: str | None = None
    codes: str | None = None
    unit: str | None = None
    unit_field: str | None = None
    role: str | None = None
    few_values: bool = False
    minimum: float | None = None
    maximum: float | None = None
    examples: tuple[Any, ...] = ()

    @property
    def type_text(self) -> str:
        """The type in a word or two, the same in both languages: `decimal(18,3)`, `timestamp`."""
        return f"decimal({self.precision},{self.scale})" if self.base == "decimal" else self.base


def parse_field(raw: Any, where: str) -> Field:
    """A field as the file has it; `where` names the file in errors. Raises ContractError."""
    if not isinstance(raw, dict) or not isinstance(raw.get("name"), str) or not raw["name"]:
        shown = json.dumps(raw, ensure_ascii=False)[:80]
        raise ContractError(
            f'{where}: a field has no name: {shown}; write {{"name": …, "type": …}}',
            f'{where}: có trường không có tên: {shown}; hãy viết {{"name": …, "type": …}}',
        )
    place = f"{where}.{raw['name']}"
    if "type" not in raw:
        raise ContractError(
            f"{place}: 'type' is missing; add one, such as \"string\"",
            f'{place}: thiếu «type»; hãy thêm, chẳng hạn "string"',
        )
    kind, nullable = _unwrapped(raw["type"], place)
    base = _base(kind, place)
    shape = kind if isinstance(kind, dict) else {}
    precision, scale = _digits(shape, place) if base == "decimal" else (0, 0)
    few = bool(raw.get("few_values")) or raw.get("codes") is not None or raw["name"] in _ENVELOPE_FEW_VALUES
    return Field(
        name=raw["name"],
        base=base,
        nullable=nullable,
        doc_vi=raw.get("doc", ""),
        doc_en=raw.get("doc_en", ""),
        default=_default(raw.get("default"), base, precision, scale, place),
        has_default="default" in raw,
        symbols=tuple(shape.get("symbols", ())),
        symbol_default=shape.get("default"),
        precision=precision,
        scale=scale,
        pii=None if raw.get("pii") == JUDGED else raw.get("pii"),
        codes=raw.get("codes"),
        unit=raw.get("unit"),
        unit_field=raw.get("unit_field"),
        role=raw.get("role"),
        few_values=few and base == "string",
        minimum=raw.get("min"),
        maximum=raw.get("max"),
        examples=tuple(raw.get("examples") or ()),
    )


def _unwrapped(kind: Any, place: str) -> tuple[Any, bool]:
    """The type without null, and whether null is allowed."""
    if not isinstance(kind, list):
        return kind, False
    branches = [branch for branch in kind if branch != "null"]
    if len(branches) != 1 or len(kind) != 2:
        raise ContractError(
            f"{place}: a union must be null and one type; contracts are flat",
            f"{place}: union chỉ gồm null và một kiểu; hợp đồng dữ liệu là phẳng",
        )
    return branches[0], True


def _base(kind: Any, place: str) -> str:
    if isinstance(kind, dict):
        match kind.get("type"), kind.get("logicalType"):
            case "long", "timestamp-millis":
                return "timestamp"
            case "bytes", "decimal":
                return "decimal"
            case "enum", _:
                return "enum"
        kind = json.dumps(kind)
    elif isinstance(kind, str) and kind in {"string", "int", "long", "float", "double", "boolean"}:
        return kind
    raise ContractError(
        f"{place}: type {kind} is not flat; use a primitive, an enum, timestamp-millis or a decimal in bytes",
        f"{place}: kiểu {kind} không phẳng; hãy dùng kiểu cơ bản, enum, timestamp-millis hoặc decimal trong bytes",
    )


def _digits(shape: dict[str, Any], place: str) -> tuple[int, int]:
    """Precision and scale of a decimal."""
    precision, scale = shape.get("precision"), shape.get("scale", 0)
    if type(precision) is not int or not 1 <= precision <= MAX_PRECISION:
        raise ContractError(
            f"{place}: precision is {precision!r}; a decimal has 1 to {MAX_PRECISION} digits",
            f"{place}: precision là {precision!r}; decimal có từ 1 đến {MAX_PRECISION} chữ số",
        )
    if type(scale) is not int or not 0 <= scale <= precision:
        raise ContractError(
            f"{place}: scale is {scale!r}; it must be 0 to the precision, {precision}",
            f"{place}: scale là {scale!r}; phải từ 0 đến precision, {precision}",
        )
    return precision, scale


def _default(value: Any, base: str, precision: int, scale: int, place: str) -> Any:
    """A decimal's default is written as the characters of its bytes; every other one as itself."""
    if base != "decimal" or value is None:
        return value
    try:
        number = int.from_bytes(value.encode("latin-1"), "big", signed=True)
    except (AttributeError, UnicodeEncodeError) as error:
        raise ContractError(
            f'{place}: the default {value!r} is no bytes, written as "\\u00ff"',
            f'{place}: giá trị mặc định {value!r} không phải bytes, viết như "\\u00ff"',
        ) from error
    if abs(number) >= 10**precision:
        raise ContractError(
            f"{place}: the default has more than {precision} digits",
            f"{place}: giá trị mặc định có hơn {precision} chữ số",
        )
    return Decimal(number).scaleb(-scale, context=_EXACT)
