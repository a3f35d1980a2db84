"""A KPI's sums by the values of a dimension, and the whole of them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from hub.kpi.answer import Row, figures_of, target_of
from hub.kpi.conditions import ORG
from hub.kpi.period import Period
from hub.kpi.query import OWN_SELECTS, Layout
from streams.kpi import Kpi


def adds_up(kpi: Kpi) -> bool:
    """Whether the sums of a dimension's values are those of the whole, since each row is in one of them.

    A member is one however many values it appears with, a forecast is made of all rows together, and of figures whose
    last one counts the last day is another one for each value. The parts of a score are asked for each by itself.
    """
    return kpi.kind not in (*OWN_SELECTS, "score") and not kpi.last


def largest_first(rows: Iterable[Row]) -> tuple[Row, ...]:
    """By what a share is of, or by the figure itself."""
    return tuple(sorted(rows, key=lambda row: (-(row.figures.denominator or row.figures.value or 0), row.key)))


@dataclass(frozen=True, slots=True)
class Division:
    """`buckets`: sums by source, by value of the dimension `by`."""

    kpi: Kpi
    period: Period
    by: str
    layout: Layout
    buckets: Mapping[str, Mapping[str, Sequence[int]]]

    def rows(self) -> tuple[Row, ...]:
        """The largest part first."""
        return largest_first(
            Row(
                key,
                figures_of(self.kpi, self.layout.figures(self.kpi, sums)),
                target_of(self.kpi, self.period, key) if self.by == ORG else None,
            )
            for key, sums in self.buckets.items()
        )

    def whole(self) -> dict[str, Sequence[int]]:
        """Sums by source of all values together: of a KPI that `adds_up`."""
        found: dict[str, Sequence[int]] = {}
        for by_source in self.buckets.values():
            for source, sums in by_source.items():
                before = found.get(source)
                found[source] = sums if before is None else [one + more for one, more in zip(before, sums, strict=True)]
        return found
