"""The quarantine: messages about records that could not be used, and their way into the warehouse.

A refusal of the stream carries the id `topic:partition:offset`, so that a batch that is redone shows it once.
"""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

import pyarrow as pa
import structlog

from schemas.codec import BadRecord
from schemas.contract import Contract
from schemas.quarantine import FIELDS, TOPIC, QuarantineMessage, message_of
from schemas.without import NONE, Without
from streams import metrics
from streams.block import Bounds
from streams.intent import Loss, Written
from streams.losses import LossBook, MarkBook
from streams.warehouse.client import Warehouse

if TYPE_CHECKING:
    from streams.partition_seams import Block, Joining
    from streams.records import Records

log = structlog.get_logger()

MAX_PAYLOAD_BYTES = 8192
"""Of a record that could not be decoded, so much is kept to look at; the whole stays on its topic."""

_TYPES = {"partition": pa.int32(), "offset": pa.int64(), "at": pa.timestamp("ms", "UTC")}
_COLUMNS = pa.schema([(name, _TYPES.get(name, pa.string())) for name in FIELDS])


@dataclass(frozen=True, slots=True)
class Refusal:
    """One quarantine message: its id, JSON body and Kafka Connect's error headers."""

    id: str
    body: bytes
    headers: tuple[tuple[str, bytes], ...]


class Quarantine(Protocol):
    """Takes refusals; returns when all replicas have them. Raises rather than drops."""

    async def publish(self, refusals: Sequence[Refusal]) -> None: ...


def stream_refusals(bad: Sequence[BadRecord], records: Records, bounds: Bounds, contract: Contract) -> list[Refusal]:
    """The refusals of a batch's bad records: pure."""
    out: list[Refusal] = []
    for record in bad:
        offset = records.offsets[record.row]
        identity = f"{bounds.topic}:{bounds.partition}:{offset}"
        payload = base64.b64encode((records.values[record.row] or b"")[:MAX_PAYLOAD_BYTES]).decode()
        message = QuarantineMessage(
            id=identity,
            connector="stream",
            stage="decode",
            reason_code=record.code,
            reason=record.reason,
            reason_en=record.reason_en,
            topic=bounds.topic,
            partition=bounds.partition,
            offset=offset,
            entity=contract.entity,
            at=records.times[record.row],
            payload=payload,
        )
        headers = (
            ("__connect.errors.topic", bounds.topic.encode()),
            ("__connect.errors.partition", str(bounds.partition).encode()),
            ("__connect.errors.offset", str(offset).encode()),
            ("__connect.errors.connector.name", b"stream"),
            ("__connect.errors.stage", b"VALUE_CONVERTER"),
            ("__connect.errors.exception.message", record.reason_en.encode()),
        )
        out.append(Refusal(identity, message.to_json(), headers))
    return out


class _QuarantineBlock:
    def __init__(
        self, warehouse: Warehouse, rows: list[QuarantineMessage], token: str, mark: Callable[[], None]
    ) -> None:
        self._warehouse = warehouse
        self._rows = rows
        self._token = token
        self._mark = mark

    async def send(self) -> None:
        if self._rows:
            await self._send_rows()
        await asyncio.to_thread(self._mark)

    async def _send_rows(self) -> None:
        table = pa.Table.from_pylist([dataclasses.asdict(row) for row in self._rows], schema=_COLUMNS)
        stream = io.BytesIO()
        with pa.ipc.new_stream(stream, table.schema) as writer:
            writer.write_table(table)
        await asyncio.to_thread(self._warehouse.insert, "quarantine", _COLUMNS.names, stream.getvalue(), self._token)

    def done(self) -> None:
        for row in self._rows:
            metrics.QUARANTINE.labels(row.connector).inc()


class QuarantineSink:
    """A partition of the quarantine topic, into the table `quarantine`: one row an id, whatever is repeated."""

    def __init__(self, warehouse: Warehouse, partition: int) -> None:
        self._warehouse = warehouse
        self._partition = partition
        self._topic_id = ""
        self._losses = LossBook(warehouse, TOPIC)
        self._marks = MarkBook(warehouse, TOPIC, "quarantine")
        self.joining: Joining | None = None
        """Its blocks are told apart by marks of one partition."""

    async def open(self, topic_id: str) -> Written | None:
        self._topic_id = topic_id
        return await self.last_written(topic_id)

    async def last_written(self, topic_id: str, partition: int | None = None) -> Written | None:
        return await asyncio.to_thread(self._written, topic_id, self._partition if partition is None else partition)

    def _written(self, topic_id: str, partition: int) -> Written | None:
        last = self._marks.last(topic_id, partition)
        return last and self._losses.following(topic_id, partition, last.first, last.last)

    async def lost(self, loss: Loss) -> None:
        await asyncio.to_thread(self._losses.record, self._topic_id, self._partition, loss)

    async def prepare(self, records: Records, first: int, last: int, without: Without = NONE) -> Block:
        rows = [row for value in records.values if (row := message_of(value)) is not None]
        if len(rows) < len(records):
            log.warning("quarantine_message_unreadable", count=len(records) - len(rows), first=first, last=last)
        mark = partial(self._marks.put, self._topic_id, self._partition, first, last)
        return _QuarantineBlock(self._warehouse, rows, f"{self._topic_id}:{self._partition}:{first}-{last}", mark)

    async def prepare_redo(self, first: int, last: int) -> Block | None:
        return None

    async def prepare_again(
        self, records: Records, first: int, last: int, without: Without = NONE, kept: bool = False
    ) -> Block:
        return await self.prepare(records, first, last)
