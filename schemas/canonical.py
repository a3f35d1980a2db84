"""Whether the columns of a block are what its values say: their lengths and marks, counted again from the columns.

The columnar reader is quick to believe: it takes a union's third branch for one of two, a truth value of 7 for false, a
whole number of 33 bits for its lower 32, and values shifted against each other as long as the whole comes out. So
from each column the bytes are counted that its values take when written the shortest way, over all records at once;
then every union's branch and every truth value is looked at in its place, and every record must end where its value
does. What does not fit is not wrong yet – a writer may waste bytes – but is read with care (`schemas.screen`).

Costs about a twentieth of the reading itself, since most columns' numbers have one length.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np
import numpy.typing as npt
import polars as pl

from schemas.avro_tree import INT_BITS, Enum, Fixed
from schemas.wire import HEADER_BYTES
from schemas.writer import Block, FlatField

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

LONGEST = 10
"""Bytes of the longest whole number; of the last one only the lowest bit counts."""


def is_canonical(fields: Sequence[FlatField], frame: pl.DataFrame, block: Block) -> bool:
    """Whether each value of the block is the one shortest way to write its row of `frame` (`Writer.columns`)."""
    return _Count(block, _octets_of(fields, frame)).fits(fields, frame)


def _octets_of(fields: Sequence[FlatField], frame: pl.DataFrame) -> dict[str, pl.Series]:
    """The bytes of each text and binary value, 0 for a null. In one question for all: on a batch of a few records most
    of the time goes into asking."""
    kinds = frame.schema
    texts = tuple((field.name, kinds[field.name] == pl.String) for field in fields if kinds[field.name] in _OF_OCTETS)
    return {column.name: column for column in frame.select(_sizes(texts))}


_OF_OCTETS = (pl.String, pl.Binary)


@cache
def _sizes(columns: tuple[tuple[str, bool], ...]) -> tuple[pl.Expr, ...]:
    """Of columns, each a text or binary. Made once: making them takes longer than asking them of a small batch."""
    counts = [pl.col(name).str.len_bytes() if text else pl.col(name).bin.size() for name, text in columns]
    return tuple(count.fill_null(0).cast(pl.Int64) for count in counts)


class _Count:
    def __init__(self, block: Block, sizes: Mapping[str, pl.Series]) -> None:
        self._sizes = sizes
        self._octets = np.frombuffer(block.octets, dtype=np.uint8)
        self._ends: Ints = block.first + np.cumsum(block.sizes)
        self._at: Ints = self._ends - block.sizes + HEADER_BYTES

    def fits(self, fields: Sequence[FlatField], frame: pl.DataFrame) -> bool:
        for field in fields:
            column = frame[field.name]
            present = column.is_not_null().to_numpy() if column.null_count() else None
            if field.nullable and not self._branch_fits(field, present):
                return False
            size = self._size(field, column, present)
            if size is None:
                return False
            self._at += size if present is None else np.where(present, size, 0)
        return bool((self._at == self._ends).all())

    def _here(self, further: int = 0) -> npt.NDArray[np.uint8]:
        return self._octets.take(self._at + further, mode="clip")

    def _branch_fits(self, field: FlatField, present: Mask | None) -> bool:
        value, null = (2, 0) if field.null_first else (0, 2)
        branch = self._here()
        self._at += 1
        return bool((branch == (value if present is None else np.where(present, value, null))).all())

    def _size(self, field: FlatField, column: pl.Series, present: Mask | None) -> Ints | int | None:
        """Bytes of each value; None if one cannot be."""
        node = field.type
        if isinstance(node, Fixed):
            return node.size
        if isinstance(node, Enum):
            return self._number(column, 0, len(node.symbols) - 1)
        match node.kind:
            case "int":
                return self._number(column, -(2**INT_BITS), 2**INT_BITS - 1)
            case "long":
                return self._number(column.cast(pl.Int64), None, None)
            case "float":
                return 4
            case "double":
                return 8
            case "boolean":
                truth = self._here() <= 1
                return 1 if (truth if present is None else truth | ~present).all() else None
        sizes = self._sizes[field.name]
        return _lengths(sizes, _bounds(sizes)) + sizes.to_numpy()

    def _number(self, column: pl.Series, least: int | None, most: int | None) -> Ints | int | None:
        """Of numbers that must be from `least` to `most`."""
        bounds = _bounds(column)
        if bounds and least is not None and most is not None and not (least <= bounds[0] and bounds[1] <= most):
            return None
        lengths = _lengths(column, bounds)
        if np.max(lengths, initial=0) == LONGEST:
            overflows = (self._here(LONGEST - 1) > 1) & (lengths == LONGEST) & column.is_not_null().to_numpy()
            if overflows.any():
                return None
        return lengths


def _bounds(column: pl.Series) -> tuple[int, int] | None:
    """The lowest and the highest of whole numbers; None of none."""
    low, high = column.min(), column.max()
    if low is None or high is None:
        return None
    assert isinstance(low, int) and isinstance(high, int)
    return low, high


def _lengths(column: pl.Series, bounds: tuple[int, int] | None) -> Ints | int:
    """Bytes of whole numbers as zig-zag variable-length integers; one number if it is the same for all."""
    if bounds is None:
        return 1
    low, high = bounds
    if (low < 0) == (high < 0) and _length(low) == _length(high):
        return _length(low)
    numbers = column.fill_null(0).to_numpy().astype(np.int64)
    numbers ^= numbers >> 63
    lengths: Ints = np.ones(len(numbers), dtype=np.int64)
    for more in range(1, max(_length(low), _length(high))):
        lengths += numbers >= 1 << (7 * more - 1)
    return lengths


def _length(number: int) -> int:
    return ((number if number >= 0 else ~number).bit_length() + 7) // 7
