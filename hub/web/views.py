"""What the templates show: every number, time and state as text in the reader's language. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from hub.api.connector_board import ConnectorRow
from hub.health.states import VOCABULARY
from hub.kpi.answer import SHARES, Figures, KpiAnswer, Row
from hub.kpi.period import today
from hub.kpi.rollups import Unserved
from hub.kpi.service import Board, Tile
from hub.locale.catalogue import Catalogue
from hub.web import formats
from hub.web.sparkline import Sparkline, sparkline

ICONS = (
    {state.code: state.icon for state in VOCABULARY[:-4]}
    | {
        "warehouse_away": "plug",
        "broken": "plug",
        "not_computed": "hourglass",
        "computing": "hourglass",
    }
    | {state.code: state.icon for state in VOCABULARY[-4:]}
)
"""In the order of precedence, with the states that only KPIs have after those that a connector's fault gives them."""
ERRORS_SHOWN = frozenset({"credentials", "source_down", "stuck_connector"})
"""States that a connector's last error explains; beside another one it is an old one, overcome."""
SEVERITIES = {state.code: state.severity for state in VOCABULARY if state.severity != "alarm"} | {
    "not_computed": "warn",
    "computing": "muted",
}
"""How loud a state is; what is not named here is an alarm."""


@dataclass(frozen=True, slots=True)
class Reader:
    """For whom a view is made."""

    t: Catalogue
    now: datetime
    timezone: str

    @property
    def language(self) -> str:
        return self.t.language

    def clock(self, time: datetime | None) -> str:
        return formats.clock_text(time, self.now, self.timezone, self.language)

    def clock_ms(self, millis: int | None) -> str:
        return self.clock(None if millis is None else datetime.fromtimestamp(millis / 1000, UTC))

    def number(self, value: float | None) -> str:
        return formats.number_text(value, self.language)


@dataclass(frozen=True, slots=True)
class StateView:
    """A state: text and icon always, a colour only if it is abnormal (`severity` calm|muted|warn|alarm)."""

    code: str
    text: str
    icon: str
    severity: str


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


@dataclass(frozen=True, slots=True)
class ConnectorView:
    """One connector as shown."""

    id: str
    name: str
    department: str
    last_event: str
    age: str
    rate: str
    lag: str
    quarantined: str
    has_quarantined: bool
    received: str
    state: StateView
    error: str | None


def state_view(code: str, t: Catalogue) -> StateView:
    return StateView(code, t(f"state.{code}"), ICONS[code], SEVERITIES.get(code, "alarm"))


def tile_view(tile: Tile, reader: Reader) -> TileView:
    """The tile of one KPI."""
    answer, t = tile.answer, reader.t
    kpi, figures = answer.kpi, answer.figures
    percent = kpi.kind in SHARES
    stale = answer.basis.stale
    worst = _worst(answer)
    return TileView(
        id=kpi.id,
        name=kpi.name[t.language],
        explanation=kpi.explanation[t.language],
        entity=kpi.entity,
        value=figures_text(figures, percent, reader),
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
    )


def groups(board: Board, reader: Reader, whole: bool = False) -> list[tuple[str, list[TileView]]]:
    """Tiles by entity, in the order of the declarations; with `whole` also the KPIs that are only listed."""
    found: dict[str, list[TileView]] = {}
    for tile in (tile for tile in board.tiles if whole or tile.answer.kpi.tile):
        found.setdefault(tile.answer.kpi.entity, []).append(tile_view(tile, reader))
    return list(found.items())


def connector_view(row: ConnectorRow, reader: Reader) -> ConnectorView:
    """One line of the connectors' table."""
    t = reader.t
    return ConnectorView(
        id=row.feed.connector,
        name=row.name(t.language),
        department=row.feed.department,
        last_event=reader.clock(row.freshness.last_event_time),
        age=formats.age_text(row.freshness.age_s, t),
        rate=formats.number_text(row.events_per_second, t.language, 1),
        lag=reader.number(row.lag),
        quarantined=reader.number(row.quarantined),
        has_quarantined=bool(row.quarantined),
        received=reader.number(row.received),
        state=state_view(row.freshness.state, t),
        error=row.error_text(t.language) if row.freshness.state in ERRORS_SHOWN else None,
    )


def breakdown_view(
    rows: Sequence[Row], by: str, percent: bool, name_of: Callable[[str], str | None], reader: Reader
) -> list[dict[str, str | None]]:
    """Lines of a breakdown's table: the value's name, and its code if it has both."""
    return [
        {
            "name": name_of(row.key) or value_name(by, row.key, reader),
            "code": row.key if name_of(row.key) else None,
            "value": figures_text(row.figures, percent, reader),
            "numerator": reader.number(row.figures.numerator),
            "denominator": reader.number(row.figures.denominator),
        }
        for row in rows
    ]


def value_name(by: str, key: str, reader: Reader) -> str:
    """The words for a dimension's value that no code table names."""
    return reader.t.texts.get(f"value.{by}.{key}", key) or reader.t("kpi.empty_key")


def figures_text(figures: Figures, percent: bool, reader: Reader) -> str:
    """A value as shown, without its unit; why there is none."""
    if figures.unserved is not None:
        return reader.t(f"state.{figures.unserved.state}")
    if figures.value is None:
        return reader.t("tile.no_data")
    return formats.number_text(figures.value, reader.language, 2 if percent else None)


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
    return None if percent else reader.t("tile.today", value=reader.number(figures.value))


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
