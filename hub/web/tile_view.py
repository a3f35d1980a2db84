"""One KPI as a tile: value, plan, trend, marks of quality and how old it is, as text in the reader's language. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from hub.kpi.answer import SHARES, Figures, KpiAnswer
from hub.kpi.badges import badges_of
from hub.kpi.period import today
from hub.kpi.rollups import Unserved
from hub.kpi.service import Board, Tile
from hub.locale.catalogue import Catalogue
from hub.web import formats
from hub.web.badge_words import badge_reason
from hub.web.sparkline import Sparkline, sparkline
from hub.web.views import ICONS, Reader, StateView, figures_text, state_view
from streams.kpi import Kpi

BADGE_ICONS = {"good": "tick", "watch": "hourglass", "bad": "alert", "unknown": "question"}
BADGE_SEVERITIES = {"good": "calm", "watch": "muted", "bad": "warn", "unknown": "muted"}
"""Quality is told beside the state, which is as loud as it has to be; records on their way are nothing to act on."""


@dataclass(frozen=True, slots=True)
class BadgeView:
    """One of đúng, đủ, sạch, sống: its name, icon, how loud it is, and why it stands so."""

    name: str
    icon: str
    severity: str
    state: str
    reason: str


@dataclass(frozen=True, slots=True)
class TileView:
    """One KPI as shown."""

    id: str
    name: str
    explanation: str
    entity: str
    value: str
    unit: str
    no_data: bool
    parts: str | None
    today: str | None
    target: str | None
    gap: str | None
    missed: bool
    met: bool
    bar: float | None
    target_at: float | None
    as_of: str
    state: StateView | None
    stale: bool
    stale_text: str | None
    spark: Sparkline
    spark_label: str
    badges: tuple[BadgeView, ...]
    level: str | None


def of_hundred(kpi: Kpi) -> bool:
    """Whether a KPI's values lie between 0 and 100, so that a bar can show them."""
    return (kpi.kind in SHARES and kpi.scale == 100) or kpi.kind == "score"


def tile_view(tile: Tile, reader: Reader) -> TileView:
    """The tile of one KPI."""
    answer, t = tile.answer, reader.t
    kpi, figures = answer.kpi, answer.figures
    percent = of_hundred(kpi)
    stale = answer.basis.stale
    worst = _worst(answer)
    return TileView(
        id=kpi.id,
        name=kpi.name[t.language],
        explanation=kpi.explanation[t.language],
        entity=kpi.entity,
        value=t("tile.unread") if _unread(answer) else figures_text(figures, kpi.kind in SHARES, reader),
        unit=kpi.unit[t.language],
        no_data=figures.value is None,
        parts=_parts(figures, reader),
        today=_today(tile.today, percent, reader),
        target=_target(answer, reader),
        gap=_gap(answer, percent, reader),
        missed=answer.missed,
        met=answer.gap is not None and not answer.missed,
        bar=_of_scale(figures.value) if answer.target is not None and percent else None,
        target_at=_of_scale(answer.target) if percent else None,
        as_of=reader.clock(answer.basis.as_of),
        state=state_view(worst, t) if worst else None,
        stale=stale is not None,
        stale_text=_stale_text(answer, reader),
        spark=sparkline([point.figures.value for point in tile.trend], answer.target, _last_open(tile, reader)),
        spark_label=_spark_label(tile, reader),
        badges=badge_views(answer, t),
        level=answer.level if answer.level in ("warn", "alarm") else None,
    )


def groups(board: Board, reader: Reader, whole: bool = False) -> list[tuple[str, list[TileView]]]:
    """Tiles by entity, in the order of the declarations; with `whole` also the KPIs that are only listed."""
    found: dict[str, list[TileView]] = {}
    for tile in (tile for tile in board.tiles if whole or tile.answer.kpi.tile):
        found.setdefault(tile.answer.kpi.entity, []).append(tile_view(tile, reader))
    return list(found.items())


def badge_views(answer: KpiAnswer, t: Catalogue) -> tuple[BadgeView, ...]:
    """The four marks of an answer."""
    return tuple(
        BadgeView(
            t(f"badge.{badge.name}"),
            BADGE_ICONS[badge.state],
            BADGE_SEVERITIES[badge.state],
            t(f"badge.state.{badge.state}"),
            badge_reason(badge, t),
        )
        for badge in badges_of(answer)
    )


def _unread(answer: KpiAnswer) -> bool:
    """Whether the warehouse was away all the time: nobody knows then whether there are data."""
    return answer.basis.away_since is not None and answer.basis.as_of is None and answer.figures.value is None


def _parts(figures: Figures, reader: Reader) -> str | None:
    if figures.unserved is not None:
        return _cure(figures.unserved, reader)
    if figures.denominator is None:
        return None
    return f"{reader.number(figures.numerator)} / {reader.number(figures.denominator)}"


def _cure(unserved: Unserved, reader: Reader) -> str:
    if unserved.percent is not None:
        return reader.t("tile.computing", percent=str(unserved.percent))
    return reader.t("tile.cure", command=unserved.cure)


def _today(figures: Figures | None, percent: bool, reader: Reader) -> str | None:
    if figures is None:
        return None
    if figures.denominator is not None:
        return reader.t("tile.today", value=_parts(figures, reader) or "")
    return None if percent or figures.value is None else reader.t("tile.today", value=reader.number(figures.value))


def _target(answer: KpiAnswer, reader: Reader) -> str | None:
    if answer.target is None:
        return None
    return f"{reader.number(answer.target)} {answer.kpi.unit[reader.language]}"


def _gap(answer: KpiAnswer, percent: bool, reader: Reader) -> str | None:
    if answer.gap is None:
        return None
    return reader.t(
        "tile.gap_points" if percent else "tile.gap", value=formats.signed_text(answer.gap, reader.language)
    )


def _of_scale(value: float | None) -> float | None:
    return None if value is None else max(0.0, min(100.0, value))


def _worst(answer: KpiAnswer) -> str | None:
    if answer.basis.away_since is None and answer.figures.unserved is not None:
        return answer.figures.unserved.state
    if answer.basis.stale is not None:
        return answer.basis.stale
    order = list(ICONS)
    states = [item.state for item in answer.basis.freshness]
    return min(states, key=order.index) if states else None


def _stale_text(answer: KpiAnswer, reader: Reader) -> str | None:
    if answer.basis.away_since is not None:
        return reader.t("tile.away_since", time=reader.clock(answer.basis.away_since))
    return reader.t("tile.stale") if answer.basis.stale else None


def _last_open(tile: Tile, reader: Reader) -> bool:
    """Whether the trend ends in a day or month that still counts on."""
    return tile.answer.kpi.kind == "flow" and tile.answer.period.end >= today(reader.now, reader.timezone)


def _spark_label(tile: Tile, reader: Reader) -> str:
    known = [point for point in tile.trend if point.figures.value is not None]
    if not known:
        return reader.t("tile.trend_none")
    first, last = known[0], known[-1]
    return reader.t(
        "tile.trend",
        first_day=formats.bucket_text(first.day, tile.grain, reader.language),
        first=reader.number(first.figures.value),
        last_day=formats.bucket_text(last.day, tile.grain, reader.language),
        last=reader.number(last.figures.value),
    )
