"""Why a figure is what it is: its formula, the records behind it, what changed it, what it was known to be. Blocks."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from hub.entities.filters import visible
from hub.entities.keyed import rows_by_key
from hub.kpi import delta, records
from hub.kpi.answer import Figures, figures_of
from hub.kpi.counted import Asked
from hub.kpi.errors import UnknownRoleError
from hub.kpi.formula import Origin, TermText, formula, origins, terms
from hub.kpi.inquiry import Finding, Inquirer, Inquiry
from hub.kpi.records import RecordPage, RecordsAsked
from schemas.contract import Contract
from streams.kpi import Kpi
from streams.plan import EntityPlan

BESIDE = 4
"""Statements of explanations that run beside each other: two explanations at once, on two threads of the warehouse."""

SINCE = timedelta(days=1)
"""What changed is told since the same moment of yesterday, unless another is asked for."""


@dataclass(frozen=True, slots=True)
class Changed:
    """What a figure was at `since`, and what made the difference; `contributions` is None where the figure is no sum of
    deliveries. Their two figures belong to `roles`."""

    since: datetime
    before: Figures
    roles: tuple[str, ...]
    contributions: tuple[delta.Contribution, ...] | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """`page`: the first records of the KPI's first role, None of a score or of members."""

    finding: Finding
    formula: str
    terms: tuple[TermText, ...]
    origins: tuple[Origin, ...]
    changed: Changed
    role: str | None
    page: RecordPage | None


class Explainer:
    """Explains the figures that an inquirer gives."""

    def __init__(self, inquirer: Inquirer) -> None:
        self._inquirer = inquirer
        self._service = inquirer.service
        self._reader = inquirer.service.reader
        self._beside = ThreadPoolExecutor(BESIDE, thread_name_prefix="explain")

    def explain(self, asked: Inquiry, language: str, since: datetime | None = None, limit: int = 20) -> Explanation:
        """All of it for one value; the errors of `Inquirer.find`."""
        kpi = self._service.kpi(asked.kpi_id).at(asked.period.end)
        plan, contract = self._of(kpi)
        role = next(iter(roles_of(kpi)), None)
        until = asked.known_at or self._service.around.clock()
        begun = since or until - SINCE
        # None of the three waits for another, and the warehouse answers several at once.
        page = self._beside.submit(self.records, asked, role, limit) if role is not None else None
        deliveries = self._beside.submit(self._deliveries, kpi, asked, begun) if delta.traceable(kpi) else None
        finding = self._inquirer.find(asked)
        served = self._service.served()
        return Explanation(
            finding,
            formula(kpi, plan, contract, language),
            terms(kpi, plan, contract, language),
            origins(self._parts(kpi), self._inquirer.contracts, self._service.around.feeds, served),
            self._changed(finding, begun, deliveries),
            role,
            page.result() if page is not None else None,
        )

    def records(self, asked: Inquiry, role: str, limit: int = records.PAGE, cursor: str | None = None) -> RecordPage:
        """A page of a role's records; UnknownRoleError, CursorError, and the errors of `Inquirer.find`."""
        kpi = self._service.kpi(asked.kpi_id).at(asked.period.end)
        if role not in roles_of(kpi):
            raise UnknownRoleError(role, roles_of(kpi))
        plan, contract = self._of(kpi)
        page = RecordsAsked(kpi, role, self._asked(asked), limit, cursor)
        if page.by_arrival or asked.known_at is not None:
            return records.page_of(page, contract, self._reader.rows(records.statement(page, plan, contract)))
        return records.page_of(page, contract, self._last_states(page, plan, contract))

    def _last_states(self, page: RecordsAsked, plan: EntityPlan, contract: Contract) -> list[Sequence[Any]]:
        parameters, added, where = records.conditions(page, plan, contract)
        columns = [*(f"`{field.name}`" for field in visible(contract)), f"{added} AS amount"]
        return rows_by_key(self._reader, contract, columns, where, parameters, page.limit + 1, records.after(page))

    def _asked(self, asked: Inquiry) -> Asked:
        around = self._service.around
        chosen = self._service.slice_of(asked.org, asked.where)
        return Asked(asked.period, chosen, around.clock(), around.timezone, asked.known_at)

    def _deliveries(self, kpi: Kpi, asked: Inquiry, begun: datetime) -> tuple[delta.Contribution, ...]:
        plan, contract = self._of(kpi)
        statement = delta.statement(kpi, plan, contract, self._asked(asked), begun, asked.known_at)
        return delta.contributions(self._reader.rows(statement))

    def _changed(
        self, finding: Finding, begun: datetime, deliveries: Future[tuple[delta.Contribution, ...]] | None
    ) -> Changed:
        kpi, asked = finding.answer.kpi, finding.asked
        if deliveries is None or finding.answer.figures.unserved is not None:
            earlier = Inquiry(asked.kpi_id, asked.period, asked.org, where=asked.where, known_at=begun)
            return Changed(begun, self._inquirer.find(earlier).answer.figures, (), None)
        found = deliveries.result()
        return Changed(begun, _before(kpi, finding, found), delta.roles(kpi), found)

    def _of(self, kpi: Kpi) -> tuple[EntityPlan, Contract]:
        return self._service.plans[kpi.entity], self._inquirer.contracts[kpi.entity]

    def _parts(self, kpi: Kpi) -> tuple[Kpi, ...]:
        return tuple(self._service.kpi(part.kpi) for part in kpi.parts) or (kpi,)


def roles_of(kpi: Kpi) -> tuple[str, ...]:
    """The roles whose records can be listed; of a forecast the open items that it is about."""
    return ("value",) if kpi.forecast is not None else tuple(kpi.terms)


def _before(kpi: Kpi, finding: Finding, found: tuple[delta.Contribution, ...]) -> Figures:
    """The figures less all that came since: exact, since every change is in the sum."""
    figures = finding.answer.figures
    first, second = sum(item.first for item in found), sum(item.second for item in found)
    if kpi.kind == "ratio":
        parts = {"numerator": (figures.numerator or 0) - first, "denominator": (figures.denominator or 0) - second}
        return figures_of(kpi, parts)
    return Figures(None) if figures.value is None else figures_of(kpi, {"value": int(figures.value) - first + second})
