"""Which rules of a mapping read a whole column at once, and how. Pure.

Each agrees with what `connectors/converters.py` makes of the rule for each value, or gives None where it does not know.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from connectors.column_times import column_codesets, column_times
from connectors.convert import TEXT_CHARACTERS, Convert, Pseudonym
from connectors.converters import bounds_of
from connectors.rules import FieldRule
from schemas.contract import Field

ConvertColumn = Callable[[Sequence[Any]], Any]
"""From raw values, none of them null or empty, to the field's values; None if one of them does not fit, or may not."""

_TEXT, _WHOLE, _NUMBER = {str}, {int}, {int, float}
PLAIN_DIGITS = 18
"""Whole numbers of more digits may not fit 64 bits."""


def column_converter(field: Field, rule: FieldRule, one: Convert, zone: ZoneInfo) -> ConvertColumn | None:
    """The converter of a rule's columns; None where every value is converted by itself, by `one`."""
    if rule.codes is not None or rule.table is not None:
        return None
    if rule.time is not None:
        return _times(rule, zone)
    if field.base == "string":
        if isinstance(one, Pseudonym):
            of_many = one.of.of_many
            return lambda column: of_many(column) if set(map(type, column)) == _TEXT else None
        return _texts(rule.pattern) if rule.normalise is None and rule.check is None else None
    if field.base in {"int", "long"}:
        low, high = bounds_of(field, rule)
        return _integers(low, high) if rule.decimal is None else _written_integers(low, high)
    if field.base == "double" and rule.decimal is None:
        return _doubles(*bounds_of(field, rule))
    return None


def _times(rule: FieldRule, zone: ZoneInfo) -> ConvertColumn | None:
    """Of one form alone: of several the first that fits counts, for each value."""
    times = column_times(rule.times[0], zone) if len(rule.times) == 1 else None
    if times is None:
        return None
    read: ConvertColumn = times
    if rule.codeset is not None:
        read = column_codesets(times, tuple((step.before, step.value) for step in rule.codeset), zone)
    return lambda column: read(column) if set(map(type, column)) == _TEXT else None


def _texts(pattern: str | None) -> ConvertColumn:
    if pattern is not None:
        fullmatch = re.compile(pattern).fullmatch

        def matching(column: Sequence[Any]) -> Sequence[str] | None:
            return column if set(map(type, column)) == _TEXT and all(map(fullmatch, column)) else None

        return matching

    def texts(column: Sequence[Any]) -> Sequence[str] | None:
        fits = set(map(type, column)) == _TEXT and all(column) and max(map(len, column)) <= TEXT_CHARACTERS
        return column if fits else None

    return texts


def _integers(low: int, high: int) -> ConvertColumn:
    def convert(column: Sequence[Any]) -> Any:
        if set(map(type, column)) != _WHOLE or min(column) < low or max(column) > high:
            return None
        return np.array(column, dtype=np.int64)

    return convert


def _written_integers(low: int, high: int) -> ConvertColumn:
    """Of texts that are digits alone: they mean the same with either decimal sign."""
    plain = _integers(low, high)

    def convert(column: Sequence[Any]) -> Any:
        if set(map(type, column)) == _TEXT:
            joined = "".join(column)
            digits = joined.isascii() and joined.isdigit() and all(column)
            if not digits or max(map(len, column)) > PLAIN_DIGITS:
                return None
            return plain(list(map(int, column)))
        return plain(column)

    return convert


def _doubles(low: float, high: float) -> ConvertColumn:
    def convert(column: Sequence[Any]) -> Any:
        if not set(map(type, column)) <= _NUMBER:
            return None
        try:
            values = np.array(column, dtype=np.float64)
        except OverflowError:
            return None
        return values if ((values >= low) & (values <= high)).all() and np.isfinite(values).all() else None

    return convert
