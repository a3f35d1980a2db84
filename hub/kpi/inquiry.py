"""One KPI asked in full: by a dimension, over time, against another period, of some rows, as known at an earlier time.

Calls block on the warehouse; they are safe from several threads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from hub.kpi import query
from hub.kpi.answer import Basis, Figures, KpiAnswer, PartFigures, Point, Row, figures_of, points, score, target_of
from hub.kpi.cache import TTL, AnswerCache
from hub.kpi.conditions import ORG, Slice, Where
from hub.kpi.division import Division, adds_up, largest_first
from hub.kpi.errors import UnknownDimensionError
from hub.kpi.known import known_then
from hub.kpi.names import Named
from hub.kpi.period import Period, previous, series_of, year_before
from hub.kpi.reported import ReportedValue, reported_statement, reported_value
from hub.kpi.rollups import Served
from hub.kpi.service import KpiService
from hub.kpi.statement import by_bucket
from hub.kpi.units import VIEWS, Units, UnitsNote, unit_field
from schemas.contract import Contract
from streams.kpi import OF_NOW, Kpi

COMPARISONS = ("previous", "plan", "year")


@dataclass(frozen=True, slots=True)
class Inquiry:
    """A question about one KPI. `org`: the unit the asker is bound to. `known_at`: as it was known then."""

    kpi_id: str
    period: Period
    org: str | None = None
    by: str | None = None
    grain: str | None = None
    where: Where = ()
    compare: str | None = None
    known_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Compared:
    """The figures held against: those of another period, or the plan's (then `period` is None)."""

    kind: str
    period: Period | None
    figures: Figures
    difference: float | None
    percent: float | None


@dataclass(frozen=True, slots=True)
class Finding:
    """The answer to an inquiry. `rows` and `series` are None where they were not asked for; `units`: how administrative
    units are shown; `reported`: the same figure as reported by hand."""

    asked: Inquiry
    answer: KpiAnswer
    rows: tuple[Row, ...] | None = None
    series: tuple[Point, ...] | None = None
    compared: Compared | None = None
    units: UnitsNote | None = None
    reported: ReportedValue | None = None


class Inquirer:
    """Answers inquiries with a service's tables. `contracts`: those in use."""

    def __init__(
        self, service: KpiService, contracts: Mapping[str, Contract], units: Units, ttl: timedelta = TTL
    ) -> None:
        self.service = service
        self.contracts = contracts
        self.units = units
        self._memo = service.foundations.memo
        self._found: AnswerCache[Finding] = AnswerCache(service.around.clock, ttl)

    def dimensions(self, kpi: Kpi) -> tuple[str, ...]:
        """What a KPI may be divided by: its dimensions, and the views of its administrative unit."""
        own = self.service.dimensions(kpi)
        return (*own, *(VIEWS if self._unit_field(kpi, own) else ()))

    def filters(self, kpi: Kpi) -> tuple[str, ...]:
        """What a KPI's rows may be chosen by."""
        codes = self.service.code_columns.get(kpi.codes or "", ()) if kpi.kind == "members" else ()
        hidden = ("code", "valid_from", "valid_to")
        return tuple(dict.fromkeys((*self._rolled_by(kpi), *(name for name in codes if name not in hidden))))

    def named(self, kpi: Kpi) -> Named:
        """Names of a KPI's dimensions' values, administrative units included."""
        return lambda by, key: self.service.name_of(kpi, by, key) or self.units.names.get(key)

    def find(self, asked: Inquiry) -> Finding:
        """The answer; UnknownKpiError, UnknownDimensionError, WarehouseAwayError."""
        self._check(asked)
        return self._found.get(asked, lambda: self._find(asked))

    def _check(self, asked: Inquiry) -> None:
        kpi = self.service.kpi(asked.kpi_id)
        if asked.by is not None and asked.by not in self.dimensions(kpi):
            raise UnknownDimensionError(asked.by, self.dimensions(kpi))
        for name, _ in asked.where:
            if name not in self.filters(kpi):
                raise UnknownDimensionError(name, self.filters(kpi), f"where[{name}]")

    def _find(self, asked: Inquiry) -> Finding:
        service = self.service
        # The ledger first: figures read after it hold at least what it says.
        look = service.foundations.look()
        kpi = service.kpi(asked.kpi_id).at(asked.period.end)
        bases = service.foundations.bases(look, service.entities_of(kpi))
        chosen, served = service.slice_of(asked.org, asked.where), self.served_for(kpi, asked)
        if asked.known_at is not None:
            bases = {entity: _known(basis, asked.known_at) for entity, basis in bases.items()}
        division = self._division(kpi, asked, chosen, served)
        answer = self._answer(kpi, asked.period, chosen, served, bases, division)
        rows, note = self._rows(kpi, asked, chosen, served, division)
        return Finding(
            asked,
            answer,
            rows,
            self._series(kpi, asked, chosen, served),
            self._compared(kpi, asked, answer, chosen, served, bases),
            note,
            self._reported(kpi, asked, answer),
        )

    def served_for(self, kpi: Kpi, asked: Inquiry) -> Served:
        """The tables that answer, as they are or as they were known."""
        served = self.service.served()
        if asked.known_at is None:
            return served
        kpis = self.service.with_parts([kpi], asked.period)
        return known_then(served, kpis, self.service.plans, self.service.around.timezone, asked.known_at)

    def _division(self, kpi: Kpi, asked: Inquiry, chosen: Slice, served: Served) -> Division | None:
        """The sums by what is asked for; None if nothing is, or if it is not served."""
        if asked.by is None or kpi.kind == "score":
            return None
        if asked.by not in VIEWS:
            return self.service.division(kpi, asked.period, asked.by, chosen, served)
        field = self._unit_field(kpi, self.service.dimensions(kpi))
        assert field is not None
        return self.service.division(kpi, asked.period, field, chosen, served, self.units.label(field))

    def _answer(
        self,
        kpi: Kpi,
        period: Period,
        chosen: Slice,
        served: Served,
        bases: Mapping[str, Basis],
        division: Division | None = None,
    ) -> KpiAnswer:
        if division is not None and adds_up(kpi):
            # A statement less, and rows that come to exactly the figure above them.
            answer = self.service.whole(division, chosen, served, bases)
        else:
            answer = self.service.totals([kpi], period, chosen, served, bases)[0]
        units = [value for name, values in chosen.where if name == ORG for value in values]
        if len(units) == 1:
            return replace(answer, target=target_of(kpi, period, units[0]))
        return answer

    def _rows(
        self, kpi: Kpi, asked: Inquiry, chosen: Slice, served: Served, division: Division | None
    ) -> tuple[tuple[Row, ...] | None, UnitsNote | None]:
        if asked.by is None:
            return None, None
        if asked.by in VIEWS:
            return self._by_unit(kpi, division, asked.by)
        if kpi.kind == "score":
            return self.service.divided(kpi, asked.period, asked.by, chosen, served), None
        return () if division is None else division.rows(), None

    def _by_unit(self, kpi: Kpi, division: Division | None, view: str) -> tuple[tuple[Row, ...], UnitsNote]:
        """Sums of what falls into a unit of the view: counts are added, never shares."""
        if division is None:
            return (), UnitsNote(view, ())
        summed: dict[str, dict[str, int]] = {}
        for key, sums in division.buckets.items():
            mine = summed.setdefault(self.units.mapped(key, view), {})
            for role, value in division.layout.figures(kpi, sums).items():
                mine[role] = mine.get(role, 0) + value
        rows = largest_first(Row(key, figures_of(kpi, parts)) for key, parts in summed.items())
        return rows, self.units.note(division.buckets, view)

    def _series(self, kpi: Kpi, asked: Inquiry, chosen: Slice, served: Served) -> tuple[Point, ...] | None:
        if asked.grain is None or kpi.kind in OF_NOW:
            return None if asked.grain is None else ()
        if kpi.kind == "score":
            return self._scored(kpi, asked, chosen, served)
        if served.unserved(kpi) is not None:
            return ()
        trend = series_of(asked.period, asked.grain)
        statement, layout = query.trends([kpi], asked.period, trend, chosen, tables=served.tables, cumulative=False)
        found = by_bucket(self._memo.rows(statement))
        return points(kpi, trend.buckets(), {key: layout.figures(kpi, sums) for key, sums in found.items()}, False)

    def _scored(self, kpi: Kpi, asked: Inquiry, chosen: Slice, served: Served) -> tuple[Point, ...]:
        lines = [
            self._series(self.service.kpi(part.kpi).at(asked.period.end), asked, chosen, served) or ()
            for part in kpi.parts
        ]
        return tuple(
            Point(one[0].day, score([PartFigures(part, at.figures) for part, at in zip(kpi.parts, one, strict=True)]))
            for one in zip(*lines, strict=False)
        )

    def _compared(
        self, kpi: Kpi, asked: Inquiry, answer: KpiAnswer, chosen: Slice, served: Served, bases: Mapping[str, Basis]
    ) -> Compared | None:
        if asked.compare is None:
            return None
        if asked.compare == "plan":
            other, period = Figures(answer.target), None
        else:
            period = previous(asked.period) if asked.compare == "previous" else year_before(asked.period)
            other = self._answer(kpi.at(period.end), period, chosen, served, bases).figures
        value = answer.figures.value
        known = value is not None and other.value is not None
        difference = round(value - other.value, 2) if known else None  # type: ignore[operator]
        percent = round(100 * difference / abs(other.value), 2) if difference is not None and other.value else None
        return Compared(asked.compare, period, other, difference, percent)

    def _reported(self, kpi: Kpi, asked: Inquiry, answer: KpiAnswer) -> ReportedValue | None:
        source = kpi.reported
        contract = self.contracts.get(source.entity) if source is not None else None
        if source is None or contract is None or asked.where:
            return None
        chosen = self.service.slice_of(asked.org)
        statement = reported_statement(source, contract, asked.period, chosen, self.service.around.timezone)
        rows: Sequence[Sequence[object]] = self._memo.rows(statement)
        return reported_value(rows, answer.figures.value)

    def _rolled_by(self, kpi: Kpi) -> tuple[str, ...]:
        """Dimensions of the rows behind a KPI; of a score those that all its parts have."""
        own = [self.service.kpi(part.kpi).dimensions for part in kpi.parts] or [kpi.dimensions]
        return tuple(name for name in own[0] if all(name in others for others in own))

    def _unit_field(self, kpi: Kpi, dimensions: Sequence[str]) -> str | None:
        contract = self.contracts.get(kpi.entity)
        if contract is None or kpi.kind in ("members", "score") or not self.units.since:
            return None
        return unit_field(contract, dimensions)


def _known(basis: Basis, known_at: datetime) -> Basis:
    """Figures as known at a time are not newer than it."""
    return replace(basis, as_of=None if basis.as_of is None else min(basis.as_of, known_at))
