"""Decoding alone, in memory: clean batches of one writer, of two writers, and with one bad record in a hundred."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from statistics import median
from typing import Any

from schemas.codec import Decoder
from schemas.wire import HEADER_BYTES, prefix
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
    return {"records_per_s": {name: _speed(batch, repeats) for name, batch in batches.items()}}


def _speed(batch: Batch, repeats: int) -> dict[str, int]:
    decoder = Decoder(events.contract(), lambda _: json.dumps(events.contract().schema))
    speeds = []
    for _ in range(repeats + 1):
        began = time.perf_counter()
        decoder.decode(*batch)
        speeds.append(len(batch[0]) / (time.perf_counter() - began))
    speeds = speeds[1:]  # the first one reads the schemas
    return {"median": round(median(speeds)), "least": round(min(speeds)), "most": round(max(speeds))}
