"""Answers KPIs from the warehouse. All methods block; they are safe from several threads."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from hub.health.flow import CALM, Flow
from hub.kpi import ledger, query
from hub.kpi.answer import (
    Basis,
    Completeness,
    Figures,
    KpiAnswer,
    Point,
    Row,
    figures_of,
    points,
    target_of,
)
from hub.kpi.cache import TTL, AnswerCache
from hub.kpi.errors import UnknownKpiError, WarehouseAwayError
from hub.kpi.freshness import Feed, Status, Written, freshness, newest
from hub.kpi.names import Names
from hub.kpi.period import Period, today, trend_of
from hub.kpi.reader import Outage, Reader
from hub.kpi.rollups import CATALOGUE, Served, Unserved, definitions
from streams.plan import EntityPlan, Kpi
from streams.warehouse.catalogue import entries_of

KEPT_BOARDS = 16
"""Last boards kept for the time the warehouse is away: as many periods as viewers may have open."""


@dataclass(frozen=True, slots=True)
class Tile:
    """One KPI on a board: its answer, its trend, and today's figures if the period is longer than today."""

    answer: KpiAnswer
    trend: tuple[Point, ...] = ()
    grain: str = "day"
    today: Figures | None = None


@dataclass(frozen=True, slots=True)
class Board:
    """All KPIs over one period."""

    period: Period
    tiles: tuple[Tile, ...]
    outage: Outage | None = None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is known outside the warehouse. Callables must return at once.

    `feeds`: the connectors that are declared, at each iteration · `statuses`: their reports by id ·
    `topic_records`: records in the topic by entity (may be empty) · `flow`: the way to the warehouse by entity.
    """

    feeds: Iterable[Feed]
    statuses: Callable[[], Mapping[str, Status]]
    topic_records: Callable[[], Mapping[str, int]]
    clock: Callable[[], datetime]
    timezone: str
    flow: Callable[[str], Flow] = lambda entity: CALM


class KpiService:
    """The declared KPIs over a reader of the warehouse."""

    def __init__(
        self,
        reader: Reader,
        plans: Mapping[str, EntityPlan],
        code_columns: Mapping[str, tuple[str, ...]],
        around: Surroundings,
        names: Names | None = None,
        ttl: timedelta = TTL,
    ) -> None:
        self._reader = reader
        self._plans = plans
        self._code_columns = code_columns
        self._around = around
        self._names = names or {}
        self._kpis = {kpi.id: kpi for plan in plans.values() for kpi in plan.kpis}
        self._answers: AnswerCache[tuple[KpiAnswer, ...]] = AnswerCache(around.clock, ttl)
        self._boards: AnswerCache[Board] = AnswerCache(around.clock, ttl)
        self._ledger: AnswerCache[tuple[Written, ...]] = AnswerCache(around.clock, ttl)
        self._quarantined: AnswerCache[dict[str, int]] = AnswerCache(around.clock, ttl)
        self._served: AnswerCache[Served] = AnswerCache(around.clock, ttl)
        self._definitions = definitions(plans, around.timezone)
        self._last: dict[tuple[Period, str | None], Board] = {}

    @property
    def kpis(self) -> tuple[Kpi, ...]:
        return tuple(self._kpis.values())

    def _listed(self, served: Served | None) -> tuple[Kpi, ...]:
        """Those that have something to show: a connector feeds their entity, or the warehouse has tables of it."""
        known = {entry.entity for entry in (served.entries if served else ())} | {f.entity for f in self._around.feeds}
        return tuple(kpi for kpi in self._kpis.values() if kpi.entity in known)

    @property
    def around(self) -> Surroundings:
        return self._around

    @property
    def outage(self) -> Outage | None:
        """The outage the last question ran into."""
        return self._reader.outage

    def kpi(self, kpi_id: str) -> Kpi:
        """The KPI with this id; UnknownKpiError names the nearest ids."""
        if kpi_id not in self._kpis:
            nearest = difflib.get_close_matches(kpi_id, self._kpis, n=3, cutoff=0.3) or sorted(self._kpis)[:3]
            raise UnknownKpiError(kpi_id, tuple(nearest))
        return self._kpis[kpi_id]

    def dimensions(self, kpi: Kpi) -> tuple[str, ...]:
        """What `kpi` may be divided by."""
        return query.allowed_dimensions(kpi, kpi.dimensions, self._code_columns)

    def name_of(self, kpi: Kpi, by: str, key: str) -> str | None:
        """The name of a dimension's value by its code table, or None."""
        return self._names.get((kpi.entity, by), {}).get(key)

    def answer(self, kpi_id: str, period: Period, org: str | None = None) -> KpiAnswer:
        """One KPI over `period`, of the unit `org` and below if given; UnknownKpiError, WarehouseAwayError."""
        return self._answered((self.kpi(kpi_id),), period, org)[0]

    def answers(self, period: Period, org: str | None = None) -> tuple[KpiAnswer, ...]:
        """All KPIs over `period` in one query; WarehouseAwayError."""
        return self._answered(self._listed(self.served()), period, org)

    def rows(self, kpi_id: str, period: Period, by: str, org: str | None = None) -> tuple[Row, ...]:
        """The KPI by a dimension, largest part first; UnknownKpiError, UnknownDimensionError, WarehouseAwayError."""
        kpi, served = self.kpi(kpi_id), self.served()
        within, tables = self._within(org), served.tables
        statement, layout = query.breakdown(kpi, period, by, kpi.dimensions, self._code_columns, within, tables)
        if served.unserved(kpi, by) is not None:
            return ()
        buckets = _by_bucket(self._reader.rows(statement))
        rows = [Row(key, figures_of(kpi, layout.figures(kpi, sums))) for key, sums in buckets.items()]
        return tuple(sorted(rows, key=lambda row: (-(row.figures.denominator or row.figures.value or 0), row.key)))

    def served(self) -> Served:
        """Which tables answer, and which KPIs cannot be answered yet; WarehouseAwayError."""
        return self._served.get(
            "catalogue", lambda: Served.of(entries_of(self._reader.rows(CATALOGUE)), self._definitions)
        )

    def unserved(self, kpi_id: str, by: str) -> Unserved | None:
        """Why the KPI cannot be divided by a dimension; None if it can; WarehouseAwayError."""
        return self.served().unserved(self.kpi(kpi_id), by)

    def written(self) -> tuple[Written, ...]:
        """The ledger's totals by entity and source system; WarehouseAwayError."""
        return self._ledger.get("ledger", lambda: ledger.written(self._reader.rows(ledger.LEDGER)))

    def quarantined(self) -> dict[str, int]:
        """Quarantined records by connector; WarehouseAwayError."""
        return self._quarantined.get("all", lambda: ledger.quarantined(self._reader.rows(ledger.QUARANTINED)))

    def board(self, period: Period, org: str | None = None) -> Board:
        """All KPIs with their trends; with the warehouse away the last one known, marked as such."""
        try:
            board = self._boards.get((period, org), lambda: self._board(period, org))
        except WarehouseAwayError as error:
            return self._away(period, org, error)
        self._last.pop((period, org), None)
        self._last[period, org] = board
        while len(self._last) > KEPT_BOARDS:
            self._last.pop(next(iter(self._last)))
        return board

    def _within(self, org: str | None) -> query.Within | None:
        if org is None:
            return None
        return query.Within(
            org, frozenset(name for name, columns in self._code_columns.items() if "org_code" in columns)
        )

    def _answered(self, kpis: tuple[Kpi, ...], period: Period, org: str | None) -> tuple[KpiAnswer, ...]:
        def compute() -> tuple[KpiAnswer, ...]:
            # The ledger first: figures read after it hold at least what it says.
            bases = self._bases(self.written())
            served = self.served()
            asked = [kpi for kpi in kpis if served.unserved(kpi) is None]
            statement, layout = query.totals(asked, period, self._within(org), tables=served.tables)
            sums = _by_bucket(self._rows(statement)).get(query.TOTAL, {})
            return tuple(self._one(kpi, period, layout, sums, bases[kpi.entity], served) for kpi in kpis)

        return self._answers.get((period, org, tuple(kpi.id for kpi in kpis)), compute)

    def _rows(self, statement: query.Statement) -> Sequence[Sequence[Any]]:
        """No rows of a statement that asks for nothing, since no KPI is served."""
        return self._reader.rows(statement) if statement.sql else ()

    def _one(
        self,
        kpi: Kpi,
        period: Period,
        layout: query.Layout,
        sums: Mapping[str, Sequence[int]],
        basis: Basis,
        served: Served,
    ) -> KpiAnswer:
        unserved = served.unserved(kpi)
        if unserved is not None:
            figures = Figures(None, unserved=unserved)
        else:
            figures = figures_of(kpi, layout.figures(kpi, sums), ever_fed=basis.as_of is not None)
        return KpiAnswer(kpi, period, figures, target_of(kpi, period), basis)

    def _board(self, period: Period, org: str | None) -> Board:
        bases = self._bases(self.written())
        trend = trend_of(period)
        this_day = today(self._around.clock(), self._around.timezone)
        now = Period(this_day, this_day)
        within = self._within(org)
        served = self.served()
        listed = self._listed(served)
        asked, tables = [kpi for kpi in listed if served.unserved(kpi) is None], served.tables
        whole = query.totals(asked, period, within, tables=tables)
        line = query.trends(asked, period, trend, within, tables=tables)
        parts = [whole, line]
        if this_day in period and period.days > 1:
            parts.append(query.totals(asked, now, within, "d", tables))
        buckets = _by_bucket(self._rows(query.union(*parts)))
        sums = buckets.get(query.TOTAL, {})
        cumulative = trend.window.start >= period.start
        tiles = []
        for kpi in listed:
            answer = self._one(kpi, period, whole[1], sums, bases[kpi.entity], served)
            if answer.figures.unserved is not None:
                tiles.append(Tile(answer))
                continue
            by_bucket = {key: line[1].figures(kpi, values) for key, values in buckets.items()}
            drawn = points(kpi, trend.buckets(), by_bucket, cumulative)
            day = figures_of(kpi, parts[2][1].figures(kpi, sums)) if len(parts) > 2 else None
            tiles.append(Tile(answer, drawn, trend.grain, None if kpi.kind == "stock" else day))
        return Board(period, tuple(tiles))

    def _away(self, period: Period, org: str | None, error: WarehouseAwayError) -> Board:
        outage = self._reader.outage or Outage(self._around.clock(), error.cause)
        last = self._last.get((period, org))
        if last is None:
            bases = self._bases(None)
            last = Board(
                period,
                tuple(
                    Tile(KpiAnswer(kpi, period, Figures(None), target_of(kpi, period), bases[kpi.entity]))
                    for kpi in self._listed(None)
                ),
            )
        tiles = tuple(
            replace(tile, answer=replace(tile.answer, basis=replace(tile.answer.basis, away_since=outage.since)))
            for tile in last.tiles
        )
        return Board(period, tiles, outage)

    def _bases(self, written: Sequence[Written] | None) -> dict[str, Basis]:
        """What each entity's figures rest on; `written` is None while the warehouse cannot be asked."""
        now = self._around.clock()
        statuses, in_topic = self._around.statuses(), self._around.topic_records()
        bases = {}
        for entity in self._plans:
            mine = {item.source_system: item for item in written or () if item.entity == entity}
            flow = self._around.flow(entity)
            bases[entity] = Basis(
                as_of=newest([item.written_at for item in mine.values()]),
                read_at=now,
                freshness=tuple(
                    freshness(feed, statuses.get(feed.connector), _of(mine, feed, written is not None), now, flow)
                    for feed in self._around.feeds
                    if feed.entity == entity
                ),
                completeness=Completeness(
                    in_topic.get(entity),
                    sum(item.records for item in mine.values()) if written is not None else None,
                ),
            )
        return bases


def _of(mine: Mapping[str, Written], feed: Feed, known: bool) -> Written | None:
    return mine.get(feed.source_system) or (Written.nothing(feed.entity, feed.source_system) if known else None)


def _by_bucket(rows: Sequence[Sequence[Any]]) -> dict[str, dict[str, Sequence[int]]]:
    """Sums by bucket and source."""
    buckets: dict[str, dict[str, Sequence[int]]] = {}
    for source, bucket, sums in rows:
        buckets.setdefault(str(bucket), {})[str(source)] = sums
    return buckets
