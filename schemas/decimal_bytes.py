"""A decimal as the wire has it: big-endian two's complement. Pure; columns of them are read by `decimals.py`."""

from __future__ import annotations

from decimal import Decimal


def unscaled(value: Decimal, scale: int) -> int:
    """The integer that a decimal is written as; `value` must have at most `scale` digits after the point."""
    sign, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)
    shift = exponent + scale
    written = int("".join(map(str, digits)))
    number, rest = divmod(written * 10 ** max(0, shift), 10 ** max(0, -shift))
    assert rest == 0, "digits beyond the scale"
    return -int(number) if sign else int(number)


def to_bytes(value: Decimal, scale: int) -> bytes:
    """The shortest two's complement of a decimal."""
    number = unscaled(value, scale)
    size = ((number if number >= 0 else ~number).bit_length() + 8) // 8
    return number.to_bytes(size, "big", signed=True)
