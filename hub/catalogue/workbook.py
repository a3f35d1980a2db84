"""The data dictionary as an Excel workbook, Vietnamese first: the home module of XlsxWriter."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import xlsxwriter

from hub.catalogue.dictionary import COLUMNS, field_rows
from schemas.contract import Contract

WIDTHS = {"name": 22, "doc": 52, "type": 18, "values": 40, "personal": 20, "examples": 26, "sources": 34, "kpis": 40}
"""Of columns, in characters; the others have `WIDTH`."""
WIDTH = 12
MAX_SHEET_NAME = 31
"""Excel's own limit."""

Sources = Mapping[str, Mapping[str, Sequence[tuple[str, str]]]]
Kpis = Mapping[str, Mapping[str, Sequence[str]]]


def workbook(contracts: Sequence[Contract], language: str, sources: Sources, kpis: Kpis) -> bytes:
    """One sheet per contract, and a first one that lists them if there are several. Texts stay texts: nothing that
    begins like a formula is computed."""
    held = io.BytesIO()
    book = xlsxwriter.Workbook(held, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
    forms = {
        "title": book.add_format({"bold": True, "font_size": 14}),
        "head": book.add_format({"bold": True, "bg_color": "#E4E8EC", "border": 1, "text_wrap": True, "valign": "top"}),
        "cell": book.add_format({"text_wrap": True, "valign": "top", "border": 1}),
        "muted": book.add_format({"font_color": "#566270"}),
    }
    if len(contracts) > 1:
        _overview(book, forms, contracts, language)
    for contract in contracts:
        _sheet(book, forms, contract, language, sources, kpis)
    book.close()
    return held.getvalue()


def code_workbook(name: str, lines: Sequence[Sequence[str]]) -> bytes:
    """A code table as one sheet, its header first. Every value is a text, so that no code loses its zeros."""
    held = io.BytesIO()
    book = xlsxwriter.Workbook(held, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
    head, cell = book.add_format({"bold": True, "bg_color": "#E4E8EC"}), book.add_format({"num_format": "@"})
    sheet = book.add_worksheet(name[:MAX_SHEET_NAME])
    for number, line in enumerate(lines):
        for column, value in enumerate(line):
            sheet.write_string(number, column, value, cell if number else head)
    sheet.freeze_panes(1, 0)
    sheet.set_column(0, max(len(lines[0]) - 1, 0), 20)
    book.close()
    return held.getvalue()


def _overview(book: Any, forms: Mapping[str, Any], contracts: Sequence[Contract], language: str) -> None:
    english = language == "en"
    sheet = book.add_worksheet("Contents" if english else "Danh mục")
    headings = ("Entity", "Name", "Owner", "Meaning") if english else ("Thực thể", "Tên", "Đơn vị chủ quản", "Ý nghĩa")
    sheet.set_column(0, 0, 22)
    sheet.set_column(1, 2, 34)
    sheet.set_column(3, 3, 90)
    sheet.write_row(0, 0, headings, forms["head"])
    for line, contract in enumerate(contracts, 1):
        row = (contract.entity, contract.title(language), contract.owner(language), contract.doc(language))
        sheet.write_row(line, 0, row, forms["cell"])
    sheet.freeze_panes(1, 0)


def _sheet(
    book: Any, forms: Mapping[str, Any], contract: Contract, language: str, sources: Sources, kpis: Kpis
) -> None:
    english = language == "en"
    sheet = book.add_worksheet(contract.entity[:MAX_SHEET_NAME])
    sheet.write_string(0, 0, contract.title(language), forms["title"])
    sheet.write_string(1, 0, contract.doc(language))
    owner = f"{'Owner' if english else 'Đơn vị chủ quản'}: {contract.owner(language)} · {contract.topic}"
    sheet.write_string(2, 0, owner, forms["muted"])
    headings = [en if english else vi for _, vi, en in COLUMNS]
    sheet.write_row(4, 0, headings, forms["head"])
    for number, (key, _, _) in enumerate(COLUMNS):
        sheet.set_column(number, number, WIDTHS.get(key, WIDTH))
    rows = field_rows(contract, language, sources.get(contract.entity), kpis.get(contract.entity))
    for line, row in enumerate(rows, 5):
        for number, cell in enumerate(row.cells()):
            sheet.write_string(line, number, cell, forms["cell"])
    sheet.freeze_panes(5, 1)
    sheet.autofilter(4, 0, 4 + len(rows), len(COLUMNS) - 1)
