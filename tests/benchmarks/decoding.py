"""Decoding alone, in memory: clean batches of one writer, of two writers, and with one bad record in a hundred.

Beside them the plainest reader of one writer's records that there is: it checks nothing and resolves nothing.
"""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Sequence
from functools import cache
from statistics import median
from typing import Any

import polars as pl

from schemas.codec import Decoder
from schemas.wire import HEADER_BYTES, prefix
from schemas.writer import varint
from tests.benchmarks import events

Batch = tuple[Sequence[bytes], Sequence[bytes]]


def measure(repeats: int, count: int) -> dict[str, Any]:
    """Records a second of one core: median and range over `repeats` batches of `count`."""
    keys, values = map(list, zip(*events.messages(range(count)), strict=True))
    other = [value if number % 2 else prefix(2) + value[HEADER_BYTES:] for number, value in enumerate(values)]
    bad = [value[:-3] if number % 100 == 0 else value for number, value in enumerate(values)]
    batches: dict[str, Batch] = {
        "one_writer": (keys, values),
        "two_writers": (keys, other),
        "bad_1_percent": (keys, bad),
    }
    readers: dict[str, Callable[[], object]] = {"plain": lambda: _plain(values)}
    for name, batch in batches.items():
        decoder = Decoder(events.contract(), lambda _: json.dumps(events.contract().schema))
        readers[name] = lambda decoder=decoder, batch=batch: decoder.decode(*batch)  # type: ignore[misc]
    return {"records_per_s": _speeds(readers, count, repeats)}


def _plain(values: Sequence[bytes]) -> pl.DataFrame:
    payload = b"".join([value[HEADER_BYTES:] for value in values])
    head = b"".join((_container(), varint(len(values)), varint(len(payload))))
    return pl.read_avro(io.BytesIO(b"".join((head, payload, _SYNC))))


_SYNC = b"ioc-bench-marker"


@cache
def _container() -> bytes:
    text = json.dumps(events.contract().schema).encode()
    metadata = (varint(1), varint(11), b"avro.schema", varint(len(text)), text, varint(0))
    return b"".join((b"Obj\x01", *metadata, _SYNC))


def _speeds(readers: dict[str, Callable[[], object]], count: int, repeats: int) -> dict[str, dict[str, int]]:
    """Interleaved, so that what the machine does meanwhile disturbs all alike."""
    speeds: dict[str, list[float]] = {name: [] for name in readers}
    for _ in range(repeats + 1):
        for name, read in readers.items():
            began = time.perf_counter()
            read()
            speeds[name].append(count / (time.perf_counter() - began))
    return {
        name: {"median": round(median(found[1:])), "least": round(min(found[1:])), "most": round(max(found[1:]))}
        for name, found in speeds.items()  # the first one reads the schemas
    }
