"""Converters: from one raw value to one value of the contract, or a MappingError that says what to mend.

Pure. A converter is called with values that are neither null nor empty; it never puts a value into a message.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Context, Decimal
from typing import Any

from connectors.errors import MappingError, Text
from connectors.memo import Memo
from connectors.misfit import TYPES, bad_format, out_of_range, wrong_type
from connectors.pseudonym import Pseudonyms
from schemas.contract import MAX_PRECISION

Convert = Callable[[Any], Any]

TEXT_CHARACTERS = 1_024
"""Longest text of a field; longer ones are free text that does not belong into a contract."""


def text(value: Any) -> str:
    """A text as it is, not empty."""
    if value.__class__ is str:
        if 0 < len(value) <= TEXT_CHARACTERS:
            return value
        raise out_of_range(1, f"{TEXT_CHARACTERS} ký tự/characters")
    raise wrong_type(value, TYPES[str])


def boolean(value: Any) -> bool:
    """True or false, never 0 or 1."""
    if value.__class__ is bool:
        return value
    raise wrong_type(value, TYPES[bool])


def integer(low: int, high: int) -> Convert:
    """An integer within the bounds; booleans and decimals are refused."""

    def convert(value: Any) -> int:
        if value.__class__ is int:
            if low <= value <= high:
                return value
            raise out_of_range(low, high)
        raise wrong_type(value, TYPES[int])

    return convert


def decimal(low: float, high: float) -> Convert:
    """A finite number within the bounds, as float."""

    def convert(value: Any) -> float:
        if value.__class__ is not float and value.__class__ is not int:
            raise wrong_type(value, TYPES[float])
        number = float(value)
        if math.isfinite(number) and low <= number <= high:
            return number
        raise out_of_range(low, high)

    return convert


_FIXED_POINT = re.compile(r"-?\d+(?:\.\d+)?").fullmatch
_DIGITS = Context(prec=2 * MAX_PRECISION)


def fixed_point(precision: int, scale: int, low: float = -math.inf, high: float = math.inf) -> Convert:
    """A number, or a text such as "1250000.50", as an exact decimal of at most so many digits; never rounded."""
    most = Decimal(10) ** (precision - scale)
    step = Decimal(1).scaleb(-scale)

    def convert(value: Any) -> Decimal:
        if value.__class__ is str:
            if len(value) > TEXT_CHARACTERS or _FIXED_POINT(value) is None:
                raise bad_format("-1250000.50")
        elif value.__class__ is not int and (value.__class__ is not float or not math.isfinite(value)):
            raise wrong_type(value, TYPES[float])
        number = Decimal(str(value))
        if not (abs(number) < most and low <= number <= high):
            raise out_of_range(max(low, -most), min(high, most))
        exact = number.quantize(step, context=_DIGITS)
        if exact != number:
            raise bad_format(f"{step}")
        return exact

    return convert


def codes(table: Mapping[Any, Any]) -> Convert:
    """Raw code → contract value; the types of the raw codes count (`true` is not 1)."""
    kinds = {type(code) for code in table}
    wanted = TYPES[next(iter(kinds))]
    known = ", ".join(str(code) for code in table)

    def convert(value: Any) -> Any:
        if value.__class__ not in kinds:
            raise wrong_type(value, wanted)
        try:
            return table[value]
        except KeyError:
            raise MappingError(
                "unknown_code",
                Text(f"mã không có trong bảng ánh xạ ({known})", f"the code is not in the mapping's table ({known})"),
                Text("thêm mã vào bảng codes của ánh xạ", "add the code to the mapping's table of codes"),
            ) from None

    return convert


def matching(pattern: str) -> Convert:
    """A text that the whole pattern matches."""
    fullmatch = re.compile(pattern).fullmatch

    def convert(value: Any) -> str:
        if value.__class__ is not str:
            raise wrong_type(value, TYPES[str])
        if fullmatch(value) is None:
            raise bad_format(pattern)
        return value

    return convert


_DOSSIER = re.compile(r"(?:\d{3}(?:\.\d{2})*\.H\d{2}|H\d{2}(?:\.\d+)*)-(\d{6})-\d{4,}").fullmatch
_DOSSIER_SHAPE = "H53.14-yyMMdd-0001 / 000.14.22.H53-yyMMdd-0001"


def _is_day(digits: str) -> int:
    try:
        date(2000 + int(digits[:2]), int(digits[2:4]), int(digits[4:]))
    except ValueError:
        return 0
    return 1


_DAYS = Memo(_is_day)


def dossier_code(value: Any) -> str:
    """A dossier code of either form: org code (new, or old with its leading digits), date yyMMdd, sequence."""
    if value.__class__ is not str:
        raise wrong_type(value, TYPES[str])
    match = _DOSSIER(value)
    if match is None or not _DAYS[match[1]]:
        raise bad_format(_DOSSIER_SHAPE)
    return value


_PROCEDURE = re.compile(r"(\d\.\d{6})(?:(?:\.\d{2,3})*\.H\d{2})?").fullmatch


def procedure_code(value: Any) -> str:
    """The national prefix: `1.002835.000.00.00.H53` and `1.002835.H53` are `1.002835`."""
    if value.__class__ is not str:
        raise wrong_type(value, TYPES[str])
    match = _PROCEDURE(value)
    if match is None:
        raise bad_format("1.002835.000.00.00.H53 / 2.002622.H53")
    return match[1]


@dataclass(frozen=True, slots=True)
class Pseudonym:
    """A personal text → its pseudonym."""

    of: Pseudonyms

    def __call__(self, value: Any) -> str:
        if value.__class__ is not str:
            raise wrong_type(value, TYPES[str])
        return self.of(value)
