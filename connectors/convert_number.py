"""Numbers that come as texts, in the Vietnamese (1.234,5) or the English (1,234.5) way. Pure; see `convert.py`."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from connectors.convert import TEXT_CHARACTERS, Convert
from connectors.misfit import bad_format

SHAPES = {
    ",": re.compile(r"[-+]?(?:\d{1,3}(?:[. \u00a0]\d{3})+|\d+)(?:,\d+)?").fullmatch,
    ".": re.compile(r"[-+]?(?:\d{1,3}(?:[, \u00a0]\d{3})+|\d+)(?:\.\d+)?").fullmatch,
}
"""Digits, in groups of three or not, and decimals after the sign: nothing that could be read in two ways."""
EXAMPLES = {",": "1.234.567,89", ".": "1,234,567.89"}


def number_text(sign: str, whole: bool, then: Convert) -> Convert:
    """A text number by its decimal sign, read exactly and given on to `then`; numbers pass as they are."""
    shape, separators = SHAPES[sign], re.compile(r"[. \u00a0]" if sign == "," else r"[, \u00a0]")

    def convert(value: Any) -> Any:
        if value.__class__ is not str:
            return then(value)
        text = value.strip()
        if len(text) > TEXT_CHARACTERS or shape(text) is None:
            raise bad_format(EXAMPLES[sign])
        number = Decimal(separators.sub("", text).replace(sign, "."))
        if whole:
            if number != number.to_integral_value():
                raise bad_format("1.234" if sign == "," else "1,234")
            return then(int(number))
        return then(float(number))

    return convert


def decimal_text(sign: str, then: Convert) -> Convert:
    """As `number_text` for exact decimals: `then` gets a plain text and loses no digit."""
    shape, separators = SHAPES[sign], re.compile(r"[. \u00a0]" if sign == "," else r"[, \u00a0]")

    def convert(value: Any) -> Any:
        if value.__class__ is not str:
            return then(value)
        text = value.strip()
        if len(text) > TEXT_CHARACTERS or shape(text) is None:
            raise bad_format(EXAMPLES[sign])
        return then(separators.sub("", text).replace(sign, ".").removeprefix("+"))

    return convert
