"""Around the handling of a batch: its id on every log line, and its span below the connector's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from schemas import tracing
from streams.records import Records


@contextmanager
def around_batch(topic_id: str, partition: str, records: Records) -> Iterator[None]:
    """`partition`: `<topic>-<number>`. The id is the insert's token; of several connector batches the first is the
    parent and the others are linked."""
    batch = f"{topic_id}:{partition.rpartition('-')[2]}:{records.offsets[0]}-{records.offsets[-1]}"
    parent = records.traces[0] if records.traces else None
    span = tracing.span("stream.batch", parent, records.traces[1:], batch=batch, records=len(records))
    del records  # its holder lets it go before the batch is done
    with structlog.contextvars.bound_contextvars(batch=batch), span:
        yield
