"""Why a figure is what it is, in words: the formula with its numbers, what changed it, what was known before. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hub.kpi.answer import SHARES, Figures
from hub.kpi.explain import Changed, Explanation
from hub.kpi.inquiry import Finding
from hub.web import formats
from hub.web.views import Reader, figures_text
from streams.kpi import Kpi

MOST_CONTRIBUTIONS = 12


@dataclass(frozen=True, slots=True)
class TermView:
    """One role of the formula: `value` is its figure, None where the figure has no such part."""

    role: str
    title: str
    name: str
    value: str | None
    sql: str
    time: str


@dataclass(frozen=True, slots=True)
class EffectView:
    unit: str
    reason: str
    records: str
    effects: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ChangedView:
    """`effects` None: the figure is no sum of deliveries; `left`: effects that are not listed."""

    since: str
    before: str
    now: str
    roles: tuple[str, ...]
    effects: tuple[EffectView, ...] | None
    left: int


@dataclass(frozen=True, slots=True)
class ReportedView:
    value: str
    until: str
    submitted: str
    approved: bool
    difference: str | None


def term_views(found: Explanation, reader: Reader) -> list[TermView]:
    """The roles of the formula with their figures."""
    figures = found.finding.answer.figures
    values: Mapping[str, float | None] = {"numerator": figures.numerator, "denominator": figures.denominator}
    kpi = found.finding.answer.kpi
    single = figures.value if kpi.kind in ("flow", "due") else figures.denominator if kpi.forecast else None
    return [
        TermView(
            term.role,
            reader.t(f"role.{term.role.partition(':')[0]}"),
            term.name,
            _value(values.get(term.role, single if term.role == "value" else None), reader),
            term.sql,
            term.time_name,
        )
        for term in found.terms
    ]


def _value(value: float | None, reader: Reader) -> str | None:
    return None if value is None else reader.number(value)


def worked(found: Explanation, reader: Reader) -> str | None:
    """The formula with its numbers: `380 ÷ 493 × 100 = 77.08`; None where it has no two parts."""
    answer = found.finding.answer
    figures, kpi = answer.figures, answer.kpi
    if kpi.kind not in SHARES or figures.value is None or figures.denominator is None:
        return None
    scale = f" × {kpi.scale}" if kpi.scale != 1 else ""
    parts = f"{reader.number(figures.numerator)} ÷ {reader.number(figures.denominator)}"
    return f"{parts}{scale} = {figures_text(figures, True, reader)}"


def changed_view(found: Explanation, name_of: Callable[[str, str], str | None], reader: Reader) -> ChangedView:
    """What changed since yesterday, the largest effects first."""
    changed, kpi = found.changed, found.finding.answer.kpi
    effects = None
    if changed.contributions is not None:
        effects = tuple(
            EffectView(
                name_of("org_code", one.org) or one.org or reader.t("kpi.empty_key"),
                reader.t(f"reason.{one.reason}"),
                reader.number(one.records),
                tuple(
                    formats.signed_text(effect, reader.language)
                    for effect, _ in zip((one.first, one.second), _told_roles(changed, kpi), strict=False)
                ),
            )
            for one in changed.contributions[:MOST_CONTRIBUTIONS]
        )
    return ChangedView(
        reader.clock(changed.since),
        _with_parts(changed.before, kpi, reader),
        _with_parts(found.finding.answer.figures, kpi, reader),
        tuple(reader.t(f"role.{role}") for role in _told_roles(changed, kpi)),
        effects,
        max(0, len(changed.contributions or ()) - MOST_CONTRIBUTIONS),
    )


def _told_roles(changed: Changed, kpi: Kpi) -> tuple[str, ...]:
    return tuple(role for role in changed.roles if role in kpi.terms)


def _with_parts(figures: Figures, kpi: Kpi, reader: Reader) -> str:
    text = figures_text(figures, kpi.kind in SHARES, reader)
    if figures.value is None:
        return text
    unit = f" {kpi.unit[reader.language]}".rstrip()
    if figures.denominator is None:
        return text + unit
    return f"{text}{unit} ({reader.number(figures.numerator)} / {reader.number(figures.denominator)})"


def figures_line(finding: Finding, reader: Reader) -> str:
    """A figure in one line, with its parts."""
    return _with_parts(finding.answer.figures, finding.answer.kpi, reader)


def reported_view(finding: Finding, reader: Reader) -> ReportedView | None:
    """The same figure as reported by hand: beside the computed one, never mixed."""
    told = finding.reported
    if told is None or told.value is None:
        return None
    unit = finding.answer.kpi.unit[reader.language]
    return ReportedView(
        ("≥ " if told.lower_bound else "") + f"{reader.number(told.value)} {unit}".rstrip(),
        reader.clock(told.end),
        reader.clock(told.submitted_at),
        told.approved,
        None if told.difference is None else formats.signed_text(told.difference, reader.language),
    )
