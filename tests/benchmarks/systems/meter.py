"""What every programme of a comparison tells: how long it took from one event to another. Standard library only."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

SCHEMA = Path(__file__).parent.parent / "case.avsc"
HEADER_BYTES = 5
"""Magic byte and schema id in front of the Avro datum."""


class Meter:
    """Counts events; `finished()` is called once, when `count` of them have been seen."""

    def __init__(self, count: int, skip: int, finished: Callable[[], None] = lambda: None) -> None:
        """The first `skip` events are left out of the time: start, first fetch, compiling."""
        self.count, self.skip = count, skip
        self.seen = 0
        self._finished = finished
        self._from: tuple[float, float, int] | None = None
        self.seconds = self.cpu_seconds = 0.0
        self.events = 0

    def saw(self, events: int = 1) -> None:
        """So many more events have been dealt with."""
        before, self.seen = self.seen, self.seen + events
        if self._from is None and self.seen >= self.skip:
            self._from = (time.monotonic(), time.process_time(), self.seen)
        if before < self.count <= self.seen and self._from is not None:
            self.seconds = time.monotonic() - self._from[0]
            self.cpu_seconds = time.process_time() - self._from[1]
            self.events = self.seen - self._from[2]
            self._finished()

    def report(self) -> None:
        """Print the one line the runner reads."""
        told = {"events": self.events, "seconds": self.seconds, "cpu_seconds": self.cpu_seconds}
        print(json.dumps(told), flush=True)


def parsed_schema() -> Any:
    """The writer's schema for fastavro, which both environments have."""
    import fastavro

    return fastavro.parse_schema(json.loads(SCHEMA.read_text(encoding="utf-8")))
