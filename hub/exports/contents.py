"""What the API gives as files: KPIs' answers, records of an entity, results of SQL. Blocks where it reads records."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from hub.entities.filters import visible
from hub.entities.listing import Listing
from hub.entities.service import Entities
from hub.exports.table import Column, Table, kind_of
from hub.kpi.answer import KpiAnswer, Row
from hub.kpi.inquiry import Finding
from hub.kpi.names import Named
from hub.sql.desk import Answer
from schemas.contract_field import Field

EXPORT_PAGE = 5_000
"""Records read at once: more take memory, fewer take time. A page is some 15 MB as Python's values."""

_BASES = {
    **dict.fromkeys(("int", "long"), "whole"),
    **dict.fromkeys(("float", "double", "decimal"), "number"),
    "boolean": "truth",
    "timestamp": "time",
}
_FIGURES = (
    Column("value", "Giá trị", "number"),
    Column("numerator", "Tử số", "whole"),
    Column("denominator", "Mẫu số", "whole"),
    Column("status", "Trạng thái"),
)


def records_table(entities: Entities, asked: Listing, org: str | None, zone: str, language: str) -> Table:
    """All records that fit, page by page; the errors of `Entities.page` at the first one."""
    fields = visible(entities.contract(asked.entity))
    columns = tuple(Column(field.name, _heading(field, language), _BASES.get(field.base, "text")) for field in fields)
    # The first page is read at once: what is wrong with the question is told before a file begins.
    first = [entities.page(replace(asked, limit=EXPORT_PAGE), org, whole=True)]

    def batches() -> Iterator[Sequence[Sequence[Any]]]:
        page = first.pop()
        while True:
            yield [tuple(item.values()) for item in page.items]
            onward = page.next
            if onward is None:
                return
            del page  # two pages at once would be twice the memory
            page = entities.page(replace(asked, limit=EXPORT_PAGE, cursor=onward), org, whole=True)

    return Table(asked.entity, columns, batches(), zone)


def _heading(field: Field, language: str) -> str:
    text = (field.doc_en if language == "en" else field.doc_vi).rstrip(".")
    return text[:60] or field.name


def kpis_table(answers: Sequence[KpiAnswer], language: str) -> Table:
    """One line a KPI."""
    columns = (
        Column("id", "Mã"),
        Column("name", "Chỉ số"),
        Column("unit", "Đơn vị tính"),
        *_FIGURES,
        Column("target", "Kế hoạch", "number"),
        Column("gap", "Chênh lệch", "number"),
        Column("as_of", "Tính đến", "time"),
        Column("owner", "Đơn vị chủ quản"),
    )
    rows = [
        (
            *(one.kpi.id, one.kpi.name[language], one.kpi.unit[language], one.figures.value, one.figures.numerator),
            *(one.figures.denominator, one.figures.status, one.target, one.gap, one.basis.as_of, one.kpi.owner),
        )
        for one in answers
    ]
    return Table("kpis", columns, [rows])


def finding_table(found: Finding, language: str, named: Named) -> Table:
    """The rows of a breakdown, else the points of a series, else the one answer."""
    kpi = found.answer.kpi
    if found.rows is not None and found.asked.by is not None:
        by = found.asked.by
        columns = (Column(by, by), Column("name", "Tên"), *_FIGURES, Column("target", "Kế hoạch", "number"))
        return Table(kpi.id, columns, [[_row(row, named(by, row.key)) for row in found.rows]])
    if found.series is not None:
        lines = [
            (point.day, point.figures.value, point.figures.numerator, point.figures.denominator, point.figures.status)
            for point in found.series
        ]
        return Table(kpi.id, (Column("from", "Từ ngày", "day"), *_FIGURES), [lines])
    return replace(kpis_table([found.answer], language), name=kpi.id)


def _row(row: Row, name: str | None) -> tuple[Any, ...]:
    figures = row.figures
    return row.key, name, figures.value, figures.numerator, figures.denominator, figures.status, row.target


def result_table(answer: Answer, zone: str) -> Table:
    """What a statement gave."""
    result = answer.result
    columns = tuple(Column(name, name, kind_of(kind)) for name, kind in zip(result.names, result.types, strict=True))
    return Table("sql", columns, [result.rows], zone)
