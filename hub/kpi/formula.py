"""A KPI's formula in words, and where its data come from. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from hub.kpi.feed import Feed
from hub.kpi.rollups import Served
from schemas.contract import Contract
from streams import arrivals
from streams.kpi import Kpi
from streams.plan import EntityPlan, rollup_table

WORDS: Mapping[str, tuple[str, str]] = {
    "flow": ("{value}", "{value}"),
    "ratio": ("{numerator} ÷ {denominator} × {scale}", "{numerator} ÷ {denominator} × {scale}"),
    "mean": ("{numerator} ÷ {denominator}", "{numerator} ÷ {denominator}"),
    "stock": ("lũy kế đến cuối kỳ: {value}", "cumulative to the end of the period: {value}"),
    "difference": (
        "lũy kế đến cuối kỳ: {value} − {less}",
        "cumulative to the end of the period: {value} − {less}",
    ),
    "members": (
        "số mã trong bảng «{codes}» có {value} trong kỳ ÷ số mã đang hiệu lực cuối kỳ × {scale}",
        "codes of the table “{codes}” with {value} in the period ÷ codes in force at its end × {scale}",
    ),
    "past": ("{value} đã quá thời điểm hạn, tính tại lúc xem", "{value} past the due time at the moment of asking"),
    "within": (
        "{value} đến hạn trong {hours} giờ tới, tính tại lúc xem",
        "{value} due within {hours} hours of the moment of asking",
    ),
    "forecast": (
        "{value} dự kiến xong đúng hạn ÷ {value} × {scale}. Quá hạn là trễ; còn lại, khả năng đúng hạn của mỗi mục là "
        "[{kept}] ÷ [{done}] của những mục cùng {like} trong {back_days} ngày qua mà khi còn chừng ấy thời gian (đến "
        "{left} ngày) vẫn chưa xong; nếu có chưa đến {least} mục như vậy thì bớt điều kiện giống nhau",
        "{value} expected in time ÷ {value} × {scale}. What is past its due time is late; else the chance of each is "
        "[{kept}] ÷ [{done}] of those of the same {like} in the last {back_days} days that were still open with as "
        "little time left (up to {left} days); with fewer than {least} of these, less is asked to be alike",
    ),
    "score": ("tổng các nhóm: {parts}", "sum of the groups: {parts}"),
}
"""By shape of formula: Vietnamese, English."""


LAST = (
    "{formula}, theo báo cáo cuối cùng của từng đơn vị trong kỳ",
    "{formula}, by the last report of each unit in the period",
)
"""Around the formula of what is reported as of a day."""


@dataclass(frozen=True, slots=True)
class TermText:
    """One role of a KPI in words: the measure's name and expression, and the time it is counted by."""

    role: str
    measure: str
    name: str
    sql: str
    time: str
    time_name: str


@dataclass(frozen=True, slots=True)
class Origin:
    """One way by which data come into a KPI, from the source system to the table that answers."""

    entity: str
    connector: str
    source_system: str
    department: str
    topic: str
    tables: tuple[str, ...]


def terms(kpi: Kpi, plan: EntityPlan, contract: Contract, language: str) -> tuple[TermText, ...]:
    """The roles of a KPI; none of a score."""
    return tuple(
        TermText(
            role,
            term.measure,
            _measure(plan, term.measure, language),
            plan.measures[term.measure].sql,
            term.time,
            _time(contract, term.time, language),
        )
        for role, term in kpi.terms.items()
    )


def formula(kpi: Kpi, plan: EntityPlan, contract: Contract, language: str) -> str:
    """`Reports processed ÷ Reports received × 100`."""
    names = {role: f"[{_measure(plan, term.measure, language)}]" for role, term in kpi.terms.items()}
    names |= _forecast_words(kpi, contract, language)
    parts = " + ".join(f"{part.weight:g} × [{(part.name or {}).get(language, part.kpi)}] ÷ 100" for part in kpi.parts)
    words = WORDS[_shape(kpi)][0 if language == "vi" else 1]
    hours = f"{kpi.due.within_h:g}" if kpi.due is not None and kpi.due.within_h else ""
    told = words.format(**names, scale=kpi.scale, codes=kpi.codes, hours=hours, parts=parts)
    return LAST[0 if language == "vi" else 1].format(formula=told) if kpi.last else told


def _shape(kpi: Kpi) -> str:
    if kpi.kind == "ratio" and kpi.scale == 1:
        return "mean"
    if kpi.kind == "stock" and "less" in kpi.terms:
        return "difference"
    if kpi.due is not None:
        return "past" if kpi.due.past else "within"
    return kpi.kind


def _forecast_words(kpi: Kpi, contract: Contract, language: str) -> dict[str, str]:
    """What a forecast goes by."""
    rule = kpi.forecast
    if rule is None:
        return {}
    like = [contract.by_name[name] for name in rule.like]
    joined = " and " if language == "en" else " và "
    return {
        "like": joined.join((one.doc_en if language == "en" else one.doc_vi).rstrip(".").lower() for one in like),
        "left": ", ".join(str(days) for days in rule.left),
        "back_days": str(rule.back_days),
        "least": str(rule.least),
    }


def _measure(plan: EntityPlan, name: str, language: str) -> str:
    measure = plan.measures[name]
    return measure.name_en if language == "en" else measure.name_vi


def _time(contract: Contract, name: str, language: str) -> str:
    if name == arrivals.TIME:
        return "arrival" if language == "en" else "lúc đến"
    field = contract.by_name[name]
    return (field.doc_en if language == "en" else field.doc_vi).rstrip(".")


def origins(
    kpis: Iterable[Kpi], contracts: Mapping[str, Contract], feeds: Iterable[Feed], served: Served
) -> tuple[Origin, ...]:
    """Where the data of a KPI, or of a score's parts, come from."""
    tables: dict[str, dict[str, None]] = {}
    for kpi in kpis:
        mine = tables.setdefault(kpi.entity, {contracts[kpi.entity].changes_table: None})
        for term in kpi.terms.values():
            rollup = rollup_table(kpi.entity, term.time)
            mine[served.tables.get(rollup, rollup)] = None
    return tuple(
        Origin(
            feed.entity,
            feed.connector,
            feed.source_system,
            feed.department,
            contracts[feed.entity].topic,
            tuple(tables[feed.entity]),
        )
        for feed in feeds
        if feed.entity in tables
    )
