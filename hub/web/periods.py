"""The period a page is asked for: a preset by name, or days."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query, Request

from hub.api.problems import ParameterError, Problem
from hub.api.questions import AskedPeriod, Service
from hub.kpi.period import PRESETS, Period, preset, today
from hub.web import formats

DEFAULT_PRESET = "year"

Preset = Annotated[str | None, Query(alias="period")]


async def chosen_period(
    service: Service, asked: AskedPeriod, request: Request, name: Preset = None
) -> tuple[str, Period]:
    """A preset by name, or the days asked for; the default is this year."""
    if "from" in request.query_params or "to" in request.query_params:
        return "custom", asked
    if name is not None and name not in PRESETS:
        wrong = ParameterError("period", "problem.parameter.bound", {"bound": ", ".join(PRESETS)})
        raise Problem("invalid-parameter", [wrong], values={"name": "period"})
    chosen = name or DEFAULT_PRESET
    return chosen, preset(chosen, today(service.around.clock(), service.around.timezone))


Chosen = Annotated[tuple[str, Period], Depends(chosen_period)]


def period_query(name: str, period: Period) -> str:
    """The period in an address."""
    return f"from={period.start}&to={period.end}" if name == "custom" else f"period={name}"


def period_text(period: Period, language: str) -> str:
    """The period in words."""
    first, last = (formats.day_text(day, language) for day in (period.start, period.end))
    return first if period.start == period.end else f"{first} – {last}"
