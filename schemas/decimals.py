"""Decimals of the wire – big-endian two's complement of any length – as columns of 128-bit decimals. Pure."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

WORD_BYTES = 8
"""Values of so many bytes are read for all rows at once; longer ones, beyond 18 digits, one by one."""


def from_bytes(column: pl.Series, precision: int, scale: int) -> tuple[pl.Series, npt.NDArray[np.bool_]]:
    """The decimals of a column of bytes, and the rows that are none of at most `precision` digits (null there)."""
    raw = column.cast(pl.Binary).rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
    sizes = column.bin.size().fill_null(0).to_numpy().astype(np.int64)
    present = column.is_not_null().to_numpy()
    _, offsets, data = raw.buffers()
    starts = np.frombuffer(offsets, dtype=np.int64)[raw.offset : raw.offset + len(raw)]
    octets = np.frombuffer(data, dtype=np.uint8) if data is not None else np.zeros(0, dtype=np.uint8)
    low = _words(octets, starts, np.where(sizes <= WORD_BYTES, sizes, 0))
    words = np.empty((len(column), 2), dtype=np.int64)
    words[:, 0], words[:, 1] = low, low >> 63
    most = 10**precision
    beyond = present & (sizes == 0)
    if most <= 2**63:
        beyond |= (low <= -most) | (low >= most)
    for row in np.flatnonzero(sizes > WORD_BYTES):
        number = int.from_bytes(octets[starts[row] : starts[row] + sizes[row]].tobytes(), "big", signed=True)
        if abs(number) >= most:
            beyond[row] = True
        else:
            words[row] = np.frombuffer(number.to_bytes(16, "little", signed=True), dtype=np.int64)
    return _column(column.name, words, present & ~beyond, precision, scale), beyond


def _words(octets: npt.NDArray[np.uint8], starts: npt.NDArray[Any], sizes: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Values of at most eight bytes, sign-extended; 0 where there is no byte."""
    value = np.zeros(len(starts), dtype=np.uint64)
    for place in range(int(sizes.max(initial=0))):
        rows = np.flatnonzero(sizes > place)
        value[rows] = (value[rows] << np.uint64(8)) | octets[starts[rows] + place]
    empty = np.where(sizes > 0, 8 * (WORD_BYTES - sizes), 0).astype(np.int64)
    # Up to the sign bit and down again: an arithmetic shift carries the sign.
    return (value << empty.astype(np.uint64)).view(np.int64) >> empty


def _column(
    name: str, words: npt.NDArray[np.int64], valid: npt.NDArray[np.bool_], precision: int, scale: int
) -> pl.Series:
    mask = np.packbits(valid, bitorder="little").tobytes()
    buffers = [pa.py_buffer(mask), pa.py_buffer(words.tobytes())]
    array = pa.Array.from_buffers(pa.decimal128(precision, scale), len(words), buffers)
    made = pl.from_arrow(array)
    assert isinstance(made, pl.Series)
    return made.alias(name)
