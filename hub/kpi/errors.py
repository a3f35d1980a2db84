"""Errors of the KPI layer.

KpiError
├── UnknownKpiError         no KPI has this id: 404, with the nearest ids
├── UnknownDimensionError   the KPI cannot be divided or chosen so: 400, with the ones that can be had
├── UnknownRoleError        the KPI has no such part whose records could be listed: 400, with those it has
└── WarehouseAwayError      the warehouse does not answer: 503; it is asked again on the next request
"""

from __future__ import annotations


class KpiError(Exception):
    """Root of this package's errors."""


class UnknownKpiError(KpiError):
    """`kpi_id` is not declared; `nearest` are the ids that look most like it."""

    def __init__(self, kpi_id: str, nearest: tuple[str, ...]) -> None:
        super().__init__(f"no KPI {kpi_id!r}; nearest: {', '.join(nearest)}")
        self.kpi_id = kpi_id
        self.nearest = nearest


class UnknownDimensionError(KpiError):
    """`by` is not a dimension of the KPI; `allowed` are. `parameter`: where it was asked for."""

    def __init__(self, by: str, allowed: tuple[str, ...], parameter: str = "by") -> None:
        super().__init__(f"no dimension {by!r}; allowed: {', '.join(allowed)}")
        self.by = by
        self.allowed = allowed
        self.parameter = parameter


class UnknownRoleError(KpiError):
    """`role` is no role of the KPI; `allowed` are: none of a score, whose parts are KPIs of their own."""

    def __init__(self, role: str, allowed: tuple[str, ...]) -> None:
        super().__init__(f"no role {role!r}; allowed: {', '.join(allowed)}")
        self.role = role
        self.allowed = allowed


class WarehouseAwayError(KpiError):
    """The warehouse did not answer; `cause` is a code that is safe to show."""

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause
