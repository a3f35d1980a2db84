"""Which values are whole Avro datums: read column by column over all values at once, without making anything of them.

The columnar reader fails a whole block for one bad datum. This walk finds the bad ones, and the field in which each
goes wrong, in no more time than reading the block takes, so that the good ones are read as columns all the same.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from schemas.avro_tree import INT_BITS, Enum, Fixed
from schemas.octets import Octets
from schemas.wire import HEADER_BYTES
from schemas.writer import FlatField

WHOLE = -1
"""The verdict on a datum with which nothing is wrong."""

INT_OCTETS, LONG_OCTETS = 5, 10
"""Longest variable-length integers."""
_PADDING = 16
"""Bytes after the last value, so that reading past an end is reading, and found out afterwards."""

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


def faults(fields: Sequence[FlatField], values: Octets) -> Ints:
    """By value (with its header): WHOLE, the index of the field that is cut short or malformed, or the number of
    fields if bytes are left over."""
    return _Walk(values).run(fields)


class _Walk:
    def __init__(self, values: Octets) -> None:
        sizes = values.sizes
        self._octets = np.frombuffer(b"".join((values.data, bytes(_PADDING))), dtype=np.uint8)
        self._ends: Ints = np.cumsum(sizes)
        self._at: Ints = self._ends - sizes + HEADER_BYTES
        self._verdict: Ints = np.full(len(values), WHOLE, dtype=np.int64)
        self._good: Ints = np.arange(len(values))
        """Positions of the values with which nothing is wrong so far."""

    def run(self, fields: Sequence[FlatField]) -> Ints:
        for number, field in enumerate(fields):
            rows = self._good
            if field.nullable:
                branch, fits = self._number(rows, INT_OCTETS)
                fits &= (branch == 0) | (branch == 1)
                self._condemn(rows, ~fits, number)
                rows = rows[fits & (branch == (1 if field.null_first else 0))]
            self._condemn(rows, ~self._skip(rows, field), number)
        left = self._at[self._good] != self._ends[self._good]
        self._condemn(self._good, left, len(fields))
        return self._verdict

    def _condemn(self, rows: Ints, wrong: Mask, number: int) -> None:
        if wrong.any():
            self._verdict[rows[wrong]] = number
            self._good = self._good[self._verdict[self._good] == WHOLE]

    def _skip(self, rows: Ints, field: FlatField) -> Mask:
        """Step over the field; True where it is well formed and within the value."""
        node = field.type
        if isinstance(node, Enum):
            symbol, fits = self._number(rows, INT_OCTETS)
            fits &= (symbol >= 0) & (symbol < len(node.symbols))
            return fits
        if isinstance(node, Fixed):
            return self._step(rows, node.size)
        if node.kind == "int":
            number, fits = self._number(rows, INT_OCTETS)
            fits &= (number >= -(2**INT_BITS)) & (number < 2**INT_BITS)
            return fits
        if node.kind == "long":
            return self._number(rows, LONG_OCTETS)[1]
        if node.kind in ("float", "double"):
            return self._step(rows, 4 if node.kind == "float" else 8)
        if node.kind == "boolean":
            truth = self._octets[np.minimum(self._at[rows], self._ends[rows])]
            return self._step(rows, 1) & np.less_equal(truth, 1)
        size, fits = self._number(rows, LONG_OCTETS)
        room = self._ends[rows] - self._at[rows]
        fits &= (size >= 0) & (size <= room)
        return self._step(rows, np.where(fits, size, 0)) & fits

    def _step(self, rows: Ints, size: Ints | int) -> Mask:
        self._at[rows] += size
        return self._within(rows)

    def _within(self, rows: Ints) -> Mask:
        within: Mask = np.less_equal(self._at[rows], self._ends[rows])
        return within

    def _number(self, rows: Ints, most: int) -> tuple[Ints, Mask]:
        """The variable-length integers that begin here, and where they end within their value."""
        value = np.zeros(len(rows), dtype=np.uint64)
        start = self._at[rows]
        open_ = np.arange(len(rows))
        for place in range(most):
            octet = self._octets[start[open_] + place]
            value[open_] |= (octet & 0x7F).astype(np.uint64) << np.uint64(7 * place)
            self._at[rows[open_]] = start[open_] + place + 1
            open_ = open_[octet >= 0x80]
            if not len(open_):
                break
        fits = self._within(rows)
        fits[open_] = False
        if most == LONG_OCTETS:
            longest = self._at[rows] - start == LONG_OCTETS
            fits &= ~(longest & (self._octets[np.minimum(start + LONG_OCTETS - 1, len(self._octets) - 1)] > 1))
        number: Ints = (value >> np.uint64(1)).astype(np.int64) ^ -(value & np.uint64(1)).astype(np.int64)
        return number, fits
