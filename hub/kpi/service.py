"""Answers KPIs from the warehouse. All methods block; they are safe from several threads."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from hub.kpi import query
from hub.kpi.answer import Basis, Figures, KpiAnswer, PartFigures, Row, figures_of, merged, points, score, target_of
from hub.kpi.basis import Foundations, Surroundings, at_most
from hub.kpi.board import Board, Tile, marked_away
from hub.kpi.board_question import BoardQuestion
from hub.kpi.cache import TTL, AnswerCache
from hub.kpi.conditions import ORG
from hub.kpi.division import Division
from hub.kpi.errors import UnknownKpiError, WarehouseAwayError
from hub.kpi.feed import Written
from hub.kpi.memo import Versions
from hub.kpi.names import Names
from hub.kpi.period import Period, today, trend_of
from hub.kpi.query import Slice, Within
from hub.kpi.reader import Outage, Reader
from hub.kpi.rollups import Served, Unserved
from hub.kpi.statement import by_bucket
from streams.kpi import OF_NOW, Kpi
from streams.plan import EntityPlan

__all__ = ["Board", "KpiService", "Surroundings", "Tile"]

KEPT_BOARDS = 16
"""Last boards kept for the time the warehouse is away: as many periods as viewers may have open."""


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
        self.plans = plans
        self.code_columns = code_columns
        self._around = around
        self._names = names or {}
        self._kpis = {kpi.id: kpi for plan in plans.values() for kpi in plan.kpis}
        self._answers: AnswerCache[tuple[KpiAnswer, ...]] = AnswerCache(around.clock, ttl)
        self._boards: AnswerCache[Board] = AnswerCache(around.clock, ttl)
        self.foundations = Foundations(reader, plans, around, ttl)
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
    def reader(self) -> Reader:
        return self._reader

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
        """What `kpi` may be divided by; a score by what all its parts may be."""
        if kpi.kind == "score":
            own = [self.dimensions(self._kpis[part.kpi]) for part in kpi.parts]
            return tuple(name for name in own[0] if all(name in others for others in own))
        return query.allowed_dimensions(kpi, kpi.dimensions, self.code_columns)

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
        return self.divided(self.kpi(kpi_id).at(period.end), period, by, self.slice_of(org), self.served())

    def divided(self, kpi: Kpi, period: Period, by: str, chosen: Slice, served: Served) -> tuple[Row, ...]:
        """As `rows`, of the rows chosen from the tables that are served."""
        if kpi.kind == "score":
            return self._scored_rows(kpi, period, by, chosen, served)
        division = self.division(kpi, period, by, chosen, served)
        return () if division is None else division.rows()

    def division(
        self, kpi: Kpi, period: Period, by: str, chosen: Slice, served: Served, label: str | None = None
    ) -> Division | None:
        """The sums by a dimension, not of a score; None if it is not served. `label`: see `query.breakdown`."""
        statement, layout = query.breakdown(
            kpi, period, by, kpi.dimensions, self.code_columns, chosen, served.tables, self._around.clock(), label
        )
        if served.unserved(kpi, by) is not None:
            return None
        return Division(kpi, period, by, layout, by_bucket(self.foundations.memo.rows(statement)))

    def _scored_rows(self, kpi: Kpi, period: Period, by: str, chosen: Slice, served: Served) -> tuple[Row, ...]:
        found: dict[str, dict[str, Figures]] = {}
        for part in kpi.parts:
            for row in self.divided(self._kpis[part.kpi].at(period.end), period, by, chosen, served):
                found.setdefault(row.key, {})[part.kpi] = row.figures
        rows = [
            Row(key, score([PartFigures(part, mine.get(part.kpi, Figures(None))) for part in kpi.parts]))
            for key, mine in found.items()
        ]
        return tuple(sorted(rows, key=lambda row: (-(row.figures.value or 0), row.key)))

    def served(self) -> Served:
        """Which tables answer, and which KPIs cannot be answered yet; WarehouseAwayError."""
        return self.foundations.served()

    def unserved(self, kpi_id: str, by: str) -> Unserved | None:
        """Why the KPI cannot be divided by a dimension; None if it can; WarehouseAwayError."""
        return self.why_not(self.kpi(kpi_id), self.served(), by)

    def why_not(self, kpi: Kpi, served: Served, by: str | None = None) -> Unserved | None:
        """Why a KPI, or a part of it, cannot be answered; None if it can."""
        if kpi.kind != "score":
            return served.unserved(kpi, by)
        reasons = [self.why_not(self._kpis[part.kpi], served, by) for part in kpi.parts]
        return next((reason for reason in reasons if reason is not None), None)

    def versions(self, since: datetime) -> Versions | None:
        """Those of the tables, read at or after `since`; None where they cannot be told, or not at present."""
        try:
            return self.foundations.look(since).versions
        except WarehouseAwayError:
            return None

    def written(self) -> tuple[Written, ...]:
        """The ledger's totals by entity and source system; WarehouseAwayError."""
        return self.foundations.written()

    def quarantined(self) -> dict[str, int]:
        """Quarantined records by connector; WarehouseAwayError."""
        return self.foundations.quarantined()

    def board(self, period: Period, org: str | None = None, since: datetime | None = None) -> Board:
        """All KPIs with their trends, read at or after `since`; with the warehouse away the last one known, marked as
        such."""
        try:
            board = self._boards.get((period, org), lambda: self._board(period, org, since), since)
        except WarehouseAwayError as error:
            return self._away(period, org, error)
        self._last.pop((period, org), None)
        self._last[period, org] = board
        while len(self._last) > KEPT_BOARDS:
            self._last.pop(next(iter(self._last)))
        return board

    def slice_of(self, org: str | None, where: tuple[tuple[str, tuple[str, ...]], ...] = ()) -> Slice:
        """The rows a caller bound to `org` may see, of those asked for."""
        coded = frozenset(name for name, columns in self.code_columns.items() if ORG in columns)
        return Slice(Within(org, coded) if org is not None else None, where, self.code_columns)

    def entities_of(self, kpi: Kpi) -> tuple[str, ...]:
        """Whose data a KPI is computed from: its entity's, of a score its parts'."""
        return tuple(dict.fromkeys([self._kpis[part.kpi].entity for part in kpi.parts] or [kpi.entity]))

    def basis_of(self, kpi: Kpi, bases: Mapping[str, Basis]) -> Basis:
        """What a KPI's figures rest on: those of its entity, of a score those of its parts'."""
        return merged([bases[entity] for entity in self.entities_of(kpi)])

    def with_parts(self, kpis: Sequence[Kpi], period: Period) -> tuple[Kpi, ...]:
        """The versions in force of what has to be asked for these KPIs: themselves, or the parts of a score."""
        found = {kpi.id: kpi for one in kpis for kpi in self._asked_of(one.at(period.end))}
        return tuple(kpi.at(period.end) for kpi in found.values())

    def _asked_of(self, kpi: Kpi) -> tuple[Kpi, ...]:
        return tuple(self._kpis[part.kpi] for part in kpi.parts) or (kpi,)

    def _answered(self, kpis: tuple[Kpi, ...], period: Period, org: str | None) -> tuple[KpiAnswer, ...]:
        def compute() -> tuple[KpiAnswer, ...]:
            # The ledger first: figures read after it hold at least what it says.
            bases = self.foundations.bases(self.foundations.look())
            return self.totals(kpis, period, self.slice_of(org), self.served(), bases)

        return self._answers.get((period, org, tuple(kpi.id for kpi in kpis)), compute)

    def totals(
        self, kpis: Sequence[Kpi], period: Period, chosen: Slice, served: Served, bases: Mapping[str, Basis]
    ) -> tuple[KpiAnswer, ...]:
        """The answers for the rows chosen, from the tables that are served, in one union."""
        asked = [kpi for kpi in self.with_parts(kpis, period) if served.unserved(kpi) is None]
        statement, layout = query.totals(asked, period, chosen, tables=served.tables, now=self._around.clock())
        rows, since = self._rows(statement)
        sums, bases = by_bucket(rows).get(query.TOTAL, {}), at_most(bases, since)
        org = chosen.within.org if chosen.within is not None else None
        return tuple(
            self._one(kpi.at(period.end), period, layout, sums, self.basis_of(kpi, bases), served, org) for kpi in kpis
        )

    def whole(self, division: Division, chosen: Slice, served: Served, bases: Mapping[str, Basis]) -> KpiAnswer:
        """As `totals`, from sums by a dimension; of a KPI that `adds_up`."""
        kpi, org = division.kpi, chosen.within.org if chosen.within is not None else None
        basis = self.basis_of(kpi, bases)
        return self._one(kpi, division.period, division.layout, division.whole(), basis, served, org)

    def _rows(self, statement: query.Statement) -> tuple[Sequence[Sequence[Any]], datetime | None]:
        """See `Memo.rows_since`; no rows of a statement that asks for nothing, since no KPI is served."""
        return self.foundations.memo.rows_since(statement) if statement.sql else ((), None)

    def _one(
        self,
        kpi: Kpi,
        period: Period,
        layout: query.Layout,
        sums: Mapping[str, Sequence[int]],
        basis: Basis,
        served: Served,
        org: str | None,
    ) -> KpiAnswer:
        unserved = self.why_not(kpi, served)
        if unserved is not None:
            figures = Figures(None, unserved=unserved)
        else:
            figures = self._figures(kpi, period, layout, sums, basis.as_of is not None)
        return KpiAnswer(kpi, period, figures, target_of(kpi, period, org), basis)

    def _figures(
        self, kpi: Kpi, period: Period, layout: query.Layout, sums: Mapping[str, Sequence[int]], ever_fed: bool = True
    ) -> Figures:
        if kpi.kind != "score":
            return figures_of(kpi, layout.figures(kpi, sums), ever_fed)
        found = []
        for part in kpi.parts:
            other = self._kpis[part.kpi].at(period.end)
            found.append(PartFigures(part, figures_of(other, layout.figures(other, sums))))
        return score(found)

    def _board(self, period: Period, org: str | None, since: datetime | None) -> Board:
        bases: Mapping[str, Basis] = self.foundations.bases(self.foundations.look(since))
        now, trend = self._around.clock(), trend_of(period)
        this_day = today(now, self._around.timezone)
        told_apart = this_day if this_day in period and period.days > 1 else None
        served = self.served()
        listed = self._listed(served)
        asked = [kpi for kpi in self.with_parts(listed, period) if served.unserved(kpi) is None]
        question = BoardQuestion.of(asked, period, told_apart, self.slice_of(org), served, now)
        rows, since = self._rows(question.statement)
        read, bases = question.read(rows), at_most(bases, since)
        cumulative = trend.window.start >= period.start
        tiles = []
        for kpi in (kpi.at(period.end) for kpi in listed):
            answer = self._one(kpi, period, question.layouts[0], read.whole, self.basis_of(kpi, bases), served, org)
            if answer.figures.unserved is not None or kpi.kind in (*OF_NOW, "score"):
                tiles.append(Tile(answer))
                continue
            fed = answer.basis.as_of is not None
            drawn = points(kpi, trend.buckets(), read.of_buckets(kpi), cumulative, fed)
            day = None if told_apart is None or kpi.kind == "stock" else figures_of(kpi, read.of_today(kpi), fed)
            tiles.append(Tile(answer, drawn, trend.grain, day))
        return Board(period, tuple(tiles))

    def _away(self, period: Period, org: str | None, error: WarehouseAwayError) -> Board:
        outage = self._reader.outage or Outage(self._around.clock(), error.cause)
        last = self._last.get((period, org))
        if last is None:
            bases = self.foundations.bases(None)
            answers = [
                KpiAnswer(
                    kpi.at(period.end), period, Figures(None), target_of(kpi, period, org), self.basis_of(kpi, bases)
                )
                for kpi in self._listed(None)
            ]
            last = Board(period, tuple(Tile(answer) for answer in answers))
        return marked_away(last, outage)
