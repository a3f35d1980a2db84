"""Questions that cannot be answered as they are asked: each error's problem, which names what could be asked. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hub.alerts.desk import DeskError
from hub.api.asking import wrong
from hub.api.datasets import UnknownDatasetError
from hub.api.problems import ParameterError, Problem
from hub.catalogue.service import UnknownEntityError
from hub.entities.errors import CursorError, FilterError, NoSuchRecordError, UnknownFieldError
from hub.kpi.errors import UnknownDimensionError, UnknownKpiError, UnknownRoleError


def _unknown(slug: str, name: str, nearest: Sequence[str]) -> Problem:
    return Problem(slug, extra={"nearest": list(nearest)}, values={"id": name[:80], "nearest": ", ".join(nearest)})


def _unknown_dimension(error: UnknownDimensionError) -> Problem:
    values = {"name": error.by[:80], "allowed": ", ".join(error.allowed)}
    bad = ParameterError(error.parameter, "problem.unknown-dimension.detail", values)
    return Problem("unknown-dimension", [bad], extra={"allowed": list(error.allowed)}, values=values)


REFUSALS: Mapping[type[Exception], Callable[[Any], Problem]] = {
    UnknownKpiError: lambda error: _unknown("unknown-kpi", error.kpi_id, error.nearest),
    UnknownEntityError: lambda error: _unknown("unknown-entity", error.entity, error.nearest),
    UnknownDatasetError: lambda error: _unknown("unknown-entity", error.dataset, error.nearest),
    UnknownDimensionError: _unknown_dimension,
    UnknownRoleError: lambda error: wrong("role", ", ".join(error.allowed) or "–"),
    UnknownFieldError: lambda error: wrong(error.parameter, ", ".join(error.allowed)),
    FilterError: lambda error: wrong(error.parameter, error.wanted),
    CursorError: lambda error: Problem(
        "invalid-cursor", [ParameterError("cursor", "problem.invalid-cursor.detail", {})]
    ),
    NoSuchRecordError: lambda error: Problem("not-found"),
    DeskError: lambda error: Problem(error.slug, values=error.values),
}
"""What a question asks for and there is not, acts that are not possible, and what is answered."""
