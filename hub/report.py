"""The monthly report: every KPI of a month against its plan and the month before, as HTML for the printer and as XLSX.

Pure: figures in, texts out. Numbers are written as Vietnamese are: 1.234,56 and 30/09/2022.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from html import escape

from hub.client_answers import KpiFigure
from hub.exports.table import Column, Table
from hub.web.formats import day_text, number_text, signed_text

TITLE = {"vi": "Báo cáo chỉ số điều hành tháng {month}", "en": "Monthly report of indicators, {month}"}
HEADINGS = {
    "vi": ("Chỉ số", "Đơn vị tính", "Giá trị", "Tử số", "Mẫu số", "Kế hoạch", "Chênh lệch", "Tháng trước", "Tăng, giảm",
           "Đánh giá"),
    "en": ("Indicator", "Unit", "Value", "Numerator", "Denominator", "Plan", "Gap", "Month before", "Change",
           "Verdict"),
}  # fmt: skip
PUNCTUALITY = {
    "vi": ("Thống nhất thời gian cập nhật: sự cố theo đơn vị", "Không có sự cố nào trong tháng."),
    "en": ("Updates as agreed: incidents by unit", "No incident in the month."),
}
INCIDENTS = {
    "vi": ("Đơn vị", "Trạng thái", "Số sự cố", "Tổng thời gian (giờ)"),
    "en": ("Unit", "State", "Incidents", "Together (hours)"),
}
VERDICTS = {
    "vi": {"no_data": "chưa có dữ liệu", "missed": "▼ chưa đạt", "met": "✓ đạt", "": ""},
    "en": {"no_data": "no data yet", "missed": "▼ missed", "met": "✓ met", "": ""},
}
STYLE = """
@page { size: A4 landscape; margin: 14mm }
body { font: 11pt "Be Vietnam Pro", "Times New Roman", serif; color: #111 }
h1 { font-size: 15pt; margin: 0 0 2mm } h2 { font-size: 12pt; margin: 6mm 0 2mm } p { margin: 0 0 4mm; color: #444 }
table { border-collapse: collapse; width: 100% } thead { display: table-header-group }
th, td { border: .3mm solid #888; padding: 1.2mm 2mm; text-align: left; vertical-align: top }
td.n { text-align: right; font-variant-numeric: tabular-nums } tr { break-inside: avoid }
tr.missed td { background: #fbe9e7 }
"""


def month_of(text: str) -> tuple[date, date]:
    """First and last day of `YYYY-MM`; ValueError."""
    first = date.fromisoformat(f"{text}-01")
    after = date(first.year + first.month // 12, first.month % 12 + 1, 1)
    return first, after - timedelta(days=1)


def verdict(kpi: KpiFigure) -> str:
    """`no_data`, `missed`, `met`, or '' without a plan."""
    if kpi.figure.value is None:
        return "no_data"
    return "" if kpi.target is None else "missed" if kpi.missed else "met"


@dataclass(frozen=True, slots=True)
class Unpunctual:
    """How often and for how many seconds together data sets of a unit were in an abnormal state; names for people."""

    unit: str
    state: str
    incidents: int
    seconds: float


def html_report(
    kpis: Sequence[KpiFigure], language: str, made_at: datetime, unpunctual: Sequence[Unpunctual] = ()
) -> str:
    """One page after the other, ready to be printed or saved as PDF; nothing is loaded from anywhere."""
    first, last = kpis[0].start, kpis[0].end
    title = TITLE[language].format(month=f"{first.month:02d}/{first.year}")
    head = "".join(f"<th>{escape(name)}</th>" for name in HEADINGS[language])
    rows = "".join(_html_row(kpi, language) for kpi in kpis)
    as_of = max((kpi.as_of for kpi in kpis if kpi.as_of is not None), default=None)
    told = f"{day_text(first, language)} – {day_text(last, language)}"
    if as_of is not None:
        told += (
            f" · dữ liệu lúc {as_of:%H:%M:%S} UTC {day_text(as_of.date(), language)}"
            if language == "vi"
            else (f" · data as of {as_of:%H:%M:%S} UTC {day_text(as_of.date(), language)}")
        )
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{STYLE}</style></head><body><h1>{escape(title)}</h1><p>{escape(told)}</p>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
        f"{_punctuality(unpunctual, language)}"
        f"<p>{made_at:%d/%m/%Y %H:%M} UTC</p></body></html>\n"
    )


def _punctuality(unpunctual: Sequence[Unpunctual], language: str) -> str:
    title, none = PUNCTUALITY[language]
    if not unpunctual:
        return f"<h2>{escape(title)}</h2><p>{escape(none)}</p>"
    head = "".join(f"<th>{escape(name)}</th>" for name in INCIDENTS[language])
    rows = "".join(
        f"<tr><td>{escape(one.unit)}</td><td>{escape(one.state)}</td>"
        f'<td class="n">{number_text(one.incidents, language)}</td>'
        f'<td class="n">{number_text(round(one.seconds / 3600, 1), language)}</td></tr>'
        for one in unpunctual
    )
    return f"<h2>{escape(title)}</h2><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _html_row(kpi: KpiFigure, language: str) -> str:
    found = verdict(kpi)
    figure, before = kpi.figure, kpi.compared
    numbers = (
        number_text(figure.value, language),
        number_text(figure.numerator, language),
        number_text(figure.denominator, language),
        number_text(kpi.target, language),
        "–" if kpi.gap is None else signed_text(kpi.gap, language),
        number_text(before.value if before else None, language),
        "–" if kpi.difference is None else signed_text(kpi.difference, language),
    )
    cells = "".join(f'<td class="n">{escape(text)}</td>' for text in numbers)
    return (
        f'<tr class="{found}"><td>{escape(kpi.name)}</td><td>{escape(kpi.unit)}</td>{cells}'
        f"<td>{escape(VERDICTS[language][found])}</td></tr>"
    )


def report_table(kpis: Sequence[KpiFigure], language: str) -> Table:
    """The same for XLSX, numbers as numbers."""
    kinds = ("text", "text", *("number",) * 7, "text")
    columns = tuple(Column(name, name, kind) for name, kind in zip(HEADINGS[language], kinds, strict=True))
    rows = [
        (
            *(kpi.name, kpi.unit, kpi.figure.value, kpi.figure.numerator, kpi.figure.denominator, kpi.target, kpi.gap),
            *(kpi.compared.value if kpi.compared else None, kpi.difference, VERDICTS[language][verdict(kpi)]),
        )
        for kpi in kpis
    ]
    return Table("report", columns, [rows])
