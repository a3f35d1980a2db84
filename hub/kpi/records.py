"""The records behind a figure, page by page: pure.

A role of a KPI – numerator, denominator, value, less – is the sum of what its records add, `amount`; a record that adds
nothing is no record of it. Pages are cut by key: the cost of one does not depend on its depth. Of a KPI by arrival the
records are deliveries; of one as it was known at an earlier time they are the states that counted then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hub.entities.cursor import closed, mark_of, opened
from hub.entities.filters import visible
from hub.kpi.counted import Asked, amount, counted, moment, on_last_day
from hub.kpi.statement import Statement
from schemas.contract import Contract
from streams import arrivals
from streams.arrivals import TOOK_BACK
from streams.kpi import Kpi, Term
from streams.plan import EntityPlan

KEY = "entity_key"
PAGE, MAX_PAGE = 50, 1000


@dataclass(frozen=True, slots=True)
class RecordsAsked:
    """A page of a role's records."""

    kpi: Kpi
    role: str
    asked: Asked
    limit: int = PAGE
    cursor: str | None = None

    @property
    def term(self) -> Term:
        return self.kpi.terms[self.role]

    @property
    def mark(self) -> str:
        """Of the question that a cursor belongs to. What is due is of now: its pages follow the clock."""
        known = self.asked.known_at
        return mark_of(self.kpi.id, self.role, self.asked.period, self.asked.chosen, known)

    @property
    def by_arrival(self) -> bool:
        return self.term.time == arrivals.TIME


@dataclass(frozen=True, slots=True)
class RecordPage:
    """Records as mappings from field to value, each with its `amount`; `next` leads on, None on the last page."""

    items: tuple[Mapping[str, Any], ...]
    next: str | None


def statement(page: RecordsAsked, plan: EntityPlan, contract: Contract) -> Statement:
    """One row more than the page, of deliveries or of states as known at a time; CursorError. Pages of states of now
    are read by `hub.entities.keyed`."""
    return _deliveries(page, plan, contract) if page.by_arrival else _as_known(page, plan, contract)


def after(page: RecordsAsked) -> str | None:
    """The key after which a page of states begins; CursorError."""
    return None if page.cursor is None else opened(page.mark, page.cursor, 1)[0]


def page_of(page: RecordsAsked, contract: Contract, rows: Sequence[Sequence[Any]]) -> RecordPage:
    """The page of what `statement` gave."""
    names = [*_columns(contract), "amount", *(_PLACE if page.by_arrival else ())]
    items = tuple(dict(zip(names, row, strict=True)) for row in rows[: page.limit])
    if len(rows) <= page.limit:
        return RecordPage(items, None)
    place = [str(items[-1][name]) for name in (_PLACE if page.by_arrival else (KEY,))]
    return RecordPage(items, closed(page.mark, place))


_PLACE = ("life", "partition", "offset")


def _columns(contract: Contract) -> list[str]:
    return [field.name for field in visible(contract)]


def conditions(page: RecordsAsked, plan: EntityPlan, contract: Contract) -> tuple[dict[str, str], str, list[str]]:
    """Parameters, the amount and the conditions on states, wherever the page begins."""
    parameters: dict[str, str] = {}
    added = amount(plan, page.term, page.asked.timezone)
    scope = page.asked.chosen.conditions("s", parameters, contract.by_name)
    holds = counted(page.kpi, page.term, page.asked, parameters)
    where = [holds, f"{added} != 0{scope}"]
    if page.kpi.last:
        where.append(on_last_day(page.kpi, plan, page.asked, contract.current_table, holds))
    return parameters, added, where


def _start(page: RecordsAsked, plan: EntityPlan, contract: Contract) -> tuple[dict[str, str], str, list[str]]:
    """The same from where the page begins, to its end."""
    parameters, added, where = conditions(page, plan, contract)
    parameters["limit"] = str(page.limit + 1)
    if page.cursor is not None and not page.by_arrival:
        parameters["after"] = opened(page.mark, page.cursor, 1)[0] or ""
        where.append(f"{KEY} > {{after:String}}")
    return parameters, added, where


def _as_known(page: RecordsAsked, plan: EntityPlan, contract: Contract) -> Statement:
    """States that counted at `known_at`: those not taken back by what had arrived until then."""
    parameters, added, where = _start(page, plan, contract)
    assert page.asked.known_at is not None
    parameters["known_at"] = moment(page.asked.known_at)
    columns = ", ".join(f"`{name}`" for name in _columns(contract))
    # Two versions of one state are the same: any of its values is its value.
    kept = ", ".join(f"any(`{name}`) AS `{name}`" for name in _columns(contract) if name != KEY)
    states = (
        f"SELECT {columns}, partition, state_offset, sign, {added} AS amount FROM {contract.changes_table}"
        f" WHERE sign != 0 AND kafka_time <= {{known_at:DateTime64(3, 'UTC')}} AND {' AND '.join(where)}"
    )
    counted_then = (
        f"SELECT {KEY}, {kept}, any(amount) AS amount FROM ({states})"
        f" GROUP BY {KEY}, partition, state_offset HAVING sum(sign) > 0 ORDER BY {KEY} LIMIT {{limit:UInt32}}"
    )
    return Statement(f"SELECT {columns}, amount FROM ({counted_then}) ORDER BY {KEY}", parameters)


def _deliveries(page: RecordsAsked, plan: EntityPlan, contract: Contract) -> Statement:
    parameters, added, where = _start(page, plan, contract)
    # As the rollup by arrival counts: late corrections are those that took back a state.
    took_back = f" AND reason = '{TOOK_BACK}'" if page.term.measure == arrivals.LATE else ""
    if page.cursor is not None:
        for name, value in zip(_PLACE, opened(page.mark, page.cursor, len(_PLACE)), strict=True):
            parameters[f"after_{name}"] = value or "0"
        after = ", ".join(f"{{after_{name}:Int64}}" for name in _PLACE)
        where.append(f"(life, partition, `offset`) > ({after})")
    columns = ", ".join(f"`{name}`" for name in _columns(contract))
    return Statement(
        f"SELECT {columns}, {added} AS amount, life, partition, `offset` FROM {contract.changes_table}"
        f" WHERE heal = 0 AND kind IN ('applied', 'deleted', 'superseded'){took_back} AND {' AND '.join(where)}"
        " ORDER BY life, partition, `offset` LIMIT {limit:UInt32}",
        parameters,
    )
