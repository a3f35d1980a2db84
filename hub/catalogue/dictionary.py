"""The data dictionary: a contract's fields as the rows of a table, and as a Markdown page. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from schemas.contract import ENVELOPE, Contract
from schemas.contract_field import Field
from schemas.units import unit_name

COLUMNS: tuple[tuple[str, str, str], ...] = (
    ("name", "Tên trường", "Field"),
    ("doc", "Ý nghĩa", "Meaning"),
    ("type", "Kiểu", "Type"),
    ("required", "Bắt buộc", "Required"),
    ("unit", "Đơn vị", "Unit"),
    ("values", "Giá trị cho phép", "Values"),
    ("personal", "Dữ liệu cá nhân", "Personal data"),
    ("examples", "Ví dụ", "Examples"),
    ("sources", "Nguồn", "Sources"),
    ("kpis", "Chỉ tiêu sử dụng", "KPIs"),
)
"""Columns of the dictionary: key, heading in Vietnamese, heading in English."""

TYPES: dict[str, tuple[str, str]] = {
    "string": ("chuỗi", "text"),
    "int": ("số nguyên", "whole number"),
    "long": ("số nguyên lớn", "large whole number"),
    "float": ("số thực", "number"),
    "double": ("số thực", "number"),
    "boolean": ("đúng/sai", "yes/no"),
    "enum": ("danh sách", "list of values"),
    "timestamp": ("thời điểm (UTC)", "time (UTC)"),
    "decimal": ("số thập phân", "decimal"),
}
PERSONAL: dict[str | None, tuple[str, str]] = {
    None: ("không", "no"),
    "basic": ("cơ bản, đã thay bằng bí danh", "basic, replaced by a pseudonym"),
    "sensitive": ("nhạy cảm, đã thay bằng bí danh", "sensitive, replaced by a pseudonym"),
}


@dataclass(frozen=True, slots=True)
class FieldRow:
    """One field as people read it: texts by the keys of `COLUMNS`. `envelope`: every contract has it."""

    name: str
    doc: str
    type: str
    required: str
    unit: str
    values: str
    personal: str
    examples: str
    sources: str
    kpis: str
    envelope: bool
    pii: str | None
    kpi_ids: tuple[str, ...]

    def cells(self) -> list[str]:
        """In the order of `COLUMNS`."""
        return [str(getattr(self, key)) for key, _, _ in COLUMNS]


def field_rows(
    contract: Contract,
    language: str,
    sources: Mapping[str, Sequence[tuple[str, str]]] | None = None,
    kpis: Mapping[str, Sequence[str]] | None = None,
) -> list[FieldRow]:
    """All fields in the contract's order. `sources`: by field (connector, path); `kpis`: by field."""
    return [
        _row(field, language, (sources or {}).get(field.name, ()), (kpis or {}).get(field.name, ()), contract)
        for field in contract.fields
    ]


def _row(
    field: Field, language: str, sources: Sequence[tuple[str, str]], kpis: Sequence[str], contract: Contract
) -> FieldRow:
    english = language == "en"
    vi, en = TYPES[field.base]
    digits = f" ({field.precision},{field.scale})" if field.base == "decimal" else ""
    required = not field.nullable and not field.has_default
    return FieldRow(
        name=field.name,
        doc=field.doc_en if english else field.doc_vi,
        type=(en if english else vi) + digits,
        required=("yes" if english else "có") if required else ("no" if english else "không"),
        unit=_unit(field, language),
        values=_values(field, language),
        personal=PERSONAL.get(field.pii, PERSONAL[None])[1 if english else 0],
        examples=", ".join(str(example) for example in field.examples),
        sources=", ".join(f"{connector}: {path}" for connector, path in sources),
        kpis=", ".join(kpis),
        envelope=field.name in ENVELOPE,
        pii=field.pii,
        kpi_ids=tuple(kpis),
    )


def _unit(field: Field, language: str) -> str:
    if field.unit_field is not None:
        return f"in {field.unit_field}" if language == "en" else f"ghi ở {field.unit_field}"
    return unit_name(field.unit, language) if field.unit is not None else ""


def _values(field: Field, language: str) -> str:
    if field.codes is not None:
        return f"code table {field.codes}" if language == "en" else f"bảng mã {field.codes}"
    if field.symbols:
        return ", ".join(field.symbols)
    if field.minimum is not None or field.maximum is not None:
        low = "" if field.minimum is None else f"{field.minimum:g}"
        high = "" if field.maximum is None else f"{field.maximum:g}"
        return f"{low} … {high}".strip()
    return ""


def markdown(
    contract: Contract,
    language: str,
    sources: Mapping[str, Sequence[tuple[str, str]]] | None = None,
    kpis: Mapping[str, Sequence[str]] | None = None,
) -> str:
    """The contract as a Markdown page."""
    english = language == "en"
    facts = (
        ("Owner" if english else "Đơn vị chủ quản", contract.owner(language)),
        ("Topic" if english else "Chủ đề Kafka", f"`{contract.topic}`"),
        ("Kind" if english else "Loại", contract.kind),
        ("Follows" if english else "Căn cứ", contract.legal or "–"),
    )
    rows = [row.cells() for row in field_rows(contract, language, sources, kpis)]
    headings = [en if english else vi for _, vi, en in COLUMNS]
    return "\n".join(
        [
            f"# {contract.title(language)}",
            "",
            contract.doc(language),
            "",
            *(f"- {name}: {value}" for name, value in facts),
            "",
            *_table(headings, [[f"`{row[0]}`", *row[1:]] for row in rows]),
            "",
        ]
    )


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [headings, ["---"] * len(headings), *rows]
    return ["| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines]


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
