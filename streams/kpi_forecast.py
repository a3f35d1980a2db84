"""What a forecast declares: how open items are judged by those done before. Pure; PlanError names the place.

kind: forecast
value: {measure: open, time: due_at}               # open items by their due time
done: {measure: finished_due, time: ended_at}      # those done, and of them those in time
kept: {measure: finished_by_due, time: ended_at}
left: {1: finished_1_day_left, 3: …}               # of those done: with more than so many days left
like: [procedure_code, org_code]                   # judged by their like, the most telling first
back_days: 90                                      # done so long ago at most
least: 10                                          # with fewer of their like, fewer things are asked to be alike
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from streams.errors import PlanError
from streams.kpi import Forecast, Term

LEFT = "left:"
"""How the roles begin that sum up what was done with time left."""
MOST_DAYS = 400


def left_terms(raw: Any, time: str, where: str) -> dict[str, Term]:
    """A term by `time` for each bound, ascending."""
    wanted = isinstance(raw, Mapping) and raw and all(type(days) is int and days > 0 for days in raw)
    if not wanted or not all(isinstance(measure, str) for measure in raw.values()):
        raise PlanError(f"{where}: write {{1: MEASURE, 3: MEASURE}} with whole days from 1, found {raw!r}")
    return {f"{LEFT}{days}": Term(raw[days], time) for days in sorted(raw)}


def read_forecast(raw: Mapping[str, Any], dimensions: Sequence[str], where: str) -> Forecast:
    """The rule of a KPI of kind `forecast`."""
    like = raw["like"]
    if not isinstance(like, list) or not like or not set(like) <= set(dimensions) or len(set(like)) < len(like):
        raise PlanError(f"{where}.like: write a list of dimensions, of {', '.join(dimensions)}; found {like!r}")
    return Forecast(
        tuple(sorted(raw["left"])),
        tuple(like),
        _count(raw["back_days"], f"{where}.back_days"),
        _count(raw["least"], f"{where}.least"),
    )


def _count(value: Any, where: str) -> int:
    if type(value) is not int or not 1 <= value <= MOST_DAYS:
        raise PlanError(f"{where}: write a whole number from 1 to {MOST_DAYS}, found {value!r}")
    return value
