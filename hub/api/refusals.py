"""Questions that cannot be answered as they are asked: each error's problem, which names what could be asked. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hub.alerts.desk import DeskError
from hub.api.asking import wrong
from hub.api.datasets import UnknownDatasetError
from hub.api.problems import ParameterError, Problem
from hub.catalogue.service import UnknownEntityError
from hub.codes_desk import CodesRefusedError, UnknownTableError
from hub.entities.errors import CursorError, FilterError, NoSuchRecordError, UnknownFieldError
from hub.exports.files import TooManyRowsError
from hub.kpi.errors import UnknownDimensionError, UnknownKpiError, UnknownRoleError
from hub.sql.desk import TIMEOUT_S
from hub.sql.errors import (
    SqlFailedError,
    SqlParameterError,
    SqlRefusedError,
    TooManyQueriesError,
    UnknownQueryError,
)


def _unknown(slug: str, name: str, nearest: Sequence[str]) -> Problem:
    return Problem(slug, extra={"nearest": list(nearest)}, values={"id": name[:80], "nearest": ", ".join(nearest)})


def _unknown_dimension(error: UnknownDimensionError) -> Problem:
    values = {"name": error.by[:80], "allowed": ", ".join(error.allowed)}
    bad = ParameterError(error.parameter, "problem.unknown-dimension.detail", values)
    return Problem("unknown-dimension", [bad], extra={"allowed": list(error.allowed)}, values=values)


def _whereabouts(error: SqlRefusedError | SqlFailedError) -> dict[str, Any]:
    """Where in the statement it is, and what may have been meant."""
    place = {"line": error.place.line, "column": error.place.column} if error.place is not None else None
    return {"place": place, "nearest": list(error.nearest)}


def _codes_refused(reasons: Sequence[str]) -> Problem:
    return Problem("codes-refused", values={"reason": "; ".join(reasons)}) if reasons else Problem("codes-moved")


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
    UnknownTableError: lambda error: Problem(
        "unknown-table",
        extra={"known": list(error.known)},
        values={"id": error.name[:80], "known": ", ".join(error.known)},
    ),
    CodesRefusedError: lambda error: _codes_refused(error.reasons),
    NoSuchRecordError: lambda error: Problem("not-found"),
    SqlRefusedError: lambda error: Problem(
        "sql-refused", extra=_whereabouts(error), values={"why": {"vi": error.vi, "en": error.en}}
    ),
    SqlParameterError: lambda error: wrong(error.name, error.wanted),
    SqlFailedError: lambda error: Problem("sql-failed", extra=_whereabouts(error), values={"why": _why(str(error))}),
    UnknownQueryError: lambda error: Problem("not-found"),
    TooManyQueriesError: lambda error: Problem("too-many-queries", values={"most": str(error)}),
    TooManyRowsError: lambda error: wrong("limit", f"≤ {error}"),
    DeskError: lambda error: Problem(error.slug, values=error.values),
}
"""What a question asks for and there is not, acts that are not possible, and what is answered."""


_CUT_OFF = {
    "timed_out": {
        "vi": f"quá {TIMEOUT_S} giây; hãy hẹp lại kỳ hoặc điều kiện",
        "en": f"longer than {TIMEOUT_S} s; narrow it",
    },
    "too_much_memory": {"vi": "cần quá nhiều bộ nhớ; hãy gộp ít nhóm hơn", "en": "too much memory; group by less"},
    "cancelled": {"vi": "đã bị dừng", "en": "it was ended"},
}


def _why(code: str) -> Any:
    return _CUT_OFF.get(code, code)
