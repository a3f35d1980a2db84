"""Quix Streams doing less: decode an event, count it in keyed state or by unit in a dict.

`python -m tests.benchmarks.systems.quix state|dict BOOTSTRAP TOPIC COUNT SKIP STATE_DIR`, in the peers' environment.
Keyed state is Quix's own: by the message's key, in RocksDB, without its changelog topic.
"""

from __future__ import annotations

import io
import sys
import time
from collections import Counter
from typing import Any

import fastavro
from quixstreams import Application, State
from quixstreams.models.serializers import BytesDeserializer

from tests.benchmarks.systems.meter import HEADER_BYTES, Meter, parsed_schema


def count_events(kind: str, bootstrap: str, topic: str, count: int, skip: int, state_dir: str) -> None:
    schema = parsed_schema()
    app = Application(
        broker_address=bootstrap,
        consumer_group=f"quix-{time.time_ns()}",
        auto_offset_reset="earliest",
        auto_create_topics=False,
        use_changelog_topics=False,
        state_dir=state_dir,
        loglevel="ERROR",
    )
    meter = Meter(count, skip, app.stop)
    counts: Counter[str] = Counter()

    def decoded(value: bytes) -> Any:
        return fastavro.schemaless_reader(io.BytesIO(value[HEADER_BYTES:]), schema, None)

    def count_in_dict(value: bytes) -> None:
        counts[decoded(value)["org_code"]] += 1
        meter.saw()

    def count_in_state(value: bytes, state: State) -> None:
        unit = decoded(value)["org_code"]
        state.set(unit, state.get(unit, 0) + 1)
        meter.saw()

    events = app.dataframe(
        app.topic(topic, value_deserializer=BytesDeserializer(), key_deserializer=BytesDeserializer())
    )
    if kind == "state":
        events.update(count_in_state, stateful=True)
    else:
        events.update(count_in_dict)
    app.run()
    meter.report()


if __name__ == "__main__":
    kind, bootstrap, topic, count, skip, state_dir = sys.argv[1:]
    count_events(kind, bootstrap, topic, int(count), int(skip), state_dir)
