"""Byte strings of many records back to back in memory, one of them null where a record has none.

A `bytes` object costs 33 bytes, a place in a list and a hole in the interpreter's memory where it was; a worker on a
backlog holds hundreds of thousands. What goes on to a columnar reader needs none of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

SIZE_BYTES = 4
"""Of a place's end."""

MOST_BYTES = 2**31 - 1
"""Of all together: a fetched answer and a batch are far below it."""


@dataclass(frozen=True, slots=True, eq=False)
class Octets:
    """Immutable, and with the meaning of a sequence of `bytes | None`; parts share the memory of the whole."""

    array: pa.BinaryArray

    @classmethod
    def of(cls, values: Iterable[bytes | None]) -> Octets:
        """In their order; OverflowError if they are more than `MOST_BYTES`."""
        if isinstance(values, Octets):
            return values
        values = list(values)
        try:
            data = b"".join(values)  # type: ignore[arg-type]  # a null is told by the error
        except TypeError:
            return cls(pa.array(values, pa.binary()))
        if len(data) > MOST_BYTES:
            raise OverflowError(f"{len(values)} values of {len(data)} bytes: at most {MOST_BYTES} bytes go together")
        ends = np.zeros(len(values) + 1, dtype=np.int32)
        np.cumsum(np.fromiter(map(len, values), dtype=np.int32, count=len(values)), out=ends[1:])  # type: ignore[arg-type]
        buffers = [None, pa.py_buffer(ends), pa.py_buffer(data)]
        return cls(pa.BinaryArray.from_buffers(pa.binary(), len(values), buffers))

    @classmethod
    def joined(cls, parts: Sequence[Octets]) -> Octets:
        """Those of all parts, in memory of their own."""
        return cls(pa.concat_arrays([part.array for part in parts]))

    def __len__(self) -> int:
        return len(self.array)

    def __getitem__(self, row: int) -> bytes | None:
        found: bytes | None = self.array[row].as_py()
        return found

    def __iter__(self) -> Iterator[bytes | None]:
        return iter(self.array.to_pylist())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Octets) and bool(self.array.equals(other.array))

    __hash__ = None  # type: ignore[assignment]  # as of any column

    def part(self, start: int, end: int) -> Octets:
        """Those from `start` to `end` (excluded)."""
        return Octets(self.array[start:end])

    def at(self, rows: Sequence[int]) -> Octets:
        """Those in these places."""
        return Octets(self.array.take(pa.array(rows, pa.int64())))

    def series(self) -> pl.Series:
        """As a column."""
        return pl.Series(pl.from_arrow(self.array))

    @property
    def nulls(self) -> int:
        """How many are null."""
        return int(self.array.null_count)

    @property
    def size(self) -> int:
        """Bytes of memory, of the ones that are here."""
        return int(self.data.nbytes) + SIZE_BYTES * len(self.array)

    @property
    def data(self) -> memoryview:
        """Their bytes, one's after the other's; nulls have none."""
        ends = self._ends
        data = self.array.buffers()[2]
        return memoryview(data)[int(ends[0]) : int(ends[-1])] if data is not None else memoryview(b"")

    @property
    def sizes(self) -> npt.NDArray[np.int64]:
        """Bytes of each, 0 of a null."""
        return np.diff(self._ends).astype(np.int64)

    @property
    def _ends(self) -> npt.NDArray[np.int32]:
        """Where the first begins, and where each ends."""
        buffer = self.array.buffers()[1]
        if buffer is None or not len(self.array):
            return np.zeros(1, dtype=np.int32)
        return np.frombuffer(buffer, dtype=np.int32)[self.array.offset : self.array.offset + len(self.array) + 1]
