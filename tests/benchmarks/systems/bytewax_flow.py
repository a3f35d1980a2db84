"""Bytewax doing less: decode an event, count it by unit in a dict; one worker.

`python -m tests.benchmarks.systems.bytewax_flow dict BOOTSTRAP TOPIC COUNT SKIP STATE_DIR`, in the peers'
environment. Events are decoded in the batches that the source hands over, as its documentation advises for speed.
"""

from __future__ import annotations

import io
import os
import sys
from collections import Counter
from typing import Any

import bytewax.operators as op
import fastavro
from bytewax.connectors.kafka import KafkaSource
from bytewax.dataflow import Dataflow
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.testing import run_main
from confluent_kafka import OFFSET_BEGINNING

from tests.benchmarks.systems.meter import HEADER_BYTES, Meter, parsed_schema

BATCH = 10_000


class _NowherePartition(StatelessSinkPartition[Any]):
    def write_batch(self, items: list[Any]) -> None:
        pass


class Nowhere(DynamicSink[Any]):
    """A dataflow must end in a sink."""

    def build(self, step_id: str, worker_index: int, worker_count: int) -> _NowherePartition:
        return _NowherePartition()


def count_events(bootstrap: str, topic: str, count: int, skip: int) -> None:
    schema = parsed_schema()
    counts: Counter[str] = Counter()

    def finished() -> None:
        meter.report()
        # The flow would go on to the topic's end.
        os._exit(0)

    meter = Meter(count, skip, finished)

    def decode_and_count(messages: list[Any]) -> list[Any]:
        for message in messages:
            record: Any = fastavro.schemaless_reader(io.BytesIO(message.value[HEADER_BYTES:]), schema, None)
            counts[record["org_code"]] += 1
            meter.saw()
        return []

    flow = Dataflow("peer")
    source = KafkaSource([bootstrap], [topic], starting_offset=OFFSET_BEGINNING, batch_size=BATCH)
    events = op.input("in", flow, source)
    op.output("out", op.flat_map_batch("count", events, decode_and_count), Nowhere())
    run_main(flow)


if __name__ == "__main__":
    _, bootstrap, topic, count, skip, _ = sys.argv[1:]
    count_events(bootstrap, topic, int(count), int(skip))
