"""The quarantine: messages about records that could not be used, and their way into the warehouse.

A refusal of the stream carries the id `topic:partition:offset`, so that a batch that is redone shows it once.
"""

from __future__ import annotations

import asyncio
import base64
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import orjson
import pyarrow as pa
import structlog

from schemas.codec import BadRecord
from schemas.contract import Contract
from schemas.without import NONE, Without
from streams import metrics
from streams.block import Bounds
from streams.intent import Loss, Written
from streams.losses import LossBook, MarkBook
from streams.placement import EARLIEST, LATEST
from streams.warehouse.client import Warehouse

if TYPE_CHECKING:
    from streams.records import Records
    from streams.sink import Block

log = structlog.get_logger()

TOPIC = "ioc.quarantine"

MAX_PAYLOAD_BYTES = 8192
"""Of a record that could not be decoded, so much is kept to look at; the whole stays on its topic."""

_COLUMNS = pa.schema(
    [
        ("id", pa.string()),
        ("connector", pa.string()),
        ("stage", pa.string()),
        ("reason_code", pa.string()),
        ("reason", pa.string()),
        ("reason_en", pa.string()),
        ("topic", pa.string()),
        ("partition", pa.int32()),
        ("offset", pa.int64()),
        ("entity", pa.string()),
        ("at", pa.timestamp("ms", "UTC")),
        ("payload", pa.string()),
    ]
)


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
        body = {
            "id": identity,
            "connector": "stream",
            "stage": "decode",
            "reason_code": record.code,
            "reason": record.reason,
            "reason_en": record.reason_en,
            "topic": bounds.topic,
            "partition": bounds.partition,
            "offset": offset,
            "entity": contract.entity,
            "at": records.times[record.row],
            "payload": payload,
        }
        headers = (
            ("__connect.errors.topic", bounds.topic.encode()),
            ("__connect.errors.partition", str(bounds.partition).encode()),
            ("__connect.errors.offset", str(offset).encode()),
            ("__connect.errors.connector.name", b"stream"),
            ("__connect.errors.stage", b"VALUE_CONVERTER"),
            ("__connect.errors.exception.message", record.reason_en.encode()),
        )
        out.append(Refusal(identity, orjson.dumps(body), headers))
    return out


_OPTIONAL = {"partition": 2**31, "offset": 2**63}
"""Whole numbers below a bound, or nothing: a refusal of a connector has no place in a topic."""


def quarantine_row(value: bytes | None) -> dict[str, Any] | None:
    """One row of the table `quarantine`, or None if the message is not of this form: pure.

    Whoever may write to the topic can write anything; nothing of it may stop the worker.
    """
    try:
        body = orjson.loads(value or b"")
    except orjson.JSONDecodeError:
        return None
    if not isinstance(body, dict):
        return None
    row = {name: body.get(name) for name in _COLUMNS.names}
    return row if all(_fits(name, found) for name, found in row.items()) else None


def _fits(name: str, value: Any) -> bool:
    if name in _OPTIONAL:
        return value is None or (type(value) is int and 0 <= value < _OPTIONAL[name])
    if name == "at":
        return type(value) is int and EARLIEST.timestamp() * 1000 <= value <= LATEST.timestamp() * 1000
    return isinstance(value, str)


class _QuarantineBlock:
    def __init__(self, warehouse: Warehouse, rows: list[dict[str, Any]], token: str, mark: Callable[[], None]) -> None:
        self._warehouse = warehouse
        self._rows = rows
        self._token = token
        self._mark = mark

    async def send(self) -> None:
        if self._rows:
            await self._send_rows()
        await asyncio.to_thread(self._mark)

    async def _send_rows(self) -> None:
        table = pa.Table.from_pylist(self._rows, schema=_COLUMNS)
        stream = io.BytesIO()
        with pa.ipc.new_stream(stream, table.schema) as writer:
            writer.write_table(table)
        await asyncio.to_thread(self._warehouse.insert, "quarantine", _COLUMNS.names, stream.getvalue(), self._token)

    def done(self) -> None:
        for row in self._rows:
            metrics.QUARANTINE.labels(row["connector"]).inc()


class QuarantineSink:
    """A partition of the quarantine topic, into the table `quarantine`: one row an id, whatever is repeated."""

    def __init__(self, warehouse: Warehouse, partition: int) -> None:
        self._warehouse = warehouse
        self._partition = partition
        self._topic_id = ""
        self._losses = LossBook(warehouse, TOPIC)
        self._marks = MarkBook(warehouse, TOPIC, "quarantine")

    async def open(self, topic_id: str) -> Written | None:
        self._topic_id = topic_id
        return await self.last_written(topic_id)

    async def last_written(self, topic_id: str) -> Written | None:
        return await asyncio.to_thread(self._written, topic_id)

    def _written(self, topic_id: str) -> Written | None:
        last = self._marks.last(topic_id, self._partition)
        return last and self._losses.following(topic_id, self._partition, last.first, last.last)

    async def lost(self, loss: Loss) -> None:
        await asyncio.to_thread(self._losses.record, self._topic_id, self._partition, loss)

    async def prepare(self, records: Records, first: int, last: int, without: Without = NONE) -> Block:
        rows = [row for value in records.values if (row := quarantine_row(value)) is not None]
        if len(rows) < len(records):
            log.warning("quarantine_message_unreadable", count=len(records) - len(rows), first=first, last=last)
        mark = partial(self._marks.put, self._topic_id, self._partition, first, last)
        return _QuarantineBlock(self._warehouse, rows, f"{self._topic_id}:{self._partition}:{first}-{last}", mark)

    async def prepare_redo(self, first: int, last: int) -> Block | None:
        return None

    async def prepare_again(self, records: Records, first: int, last: int, without: Without = NONE) -> Block:
        return await self.prepare(records, first, last)
