"""A message of the quarantine topic: one refused record, the reason in two languages, where it stands. Pure.

Its home for those who write it (connectors, streams, replay) and for the stream, which puts it into the warehouse.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

TOPIC = "ioc.quarantine"

EARLIEST_MS = round(datetime(1900, 1, 1, tzinfo=UTC).timestamp() * 1000)
LATEST_MS = round(datetime(2299, 12, 31, tzinfo=UTC).timestamp() * 1000)
"""The range of ClickHouse's DateTime64."""


@dataclass(frozen=True, slots=True)
class QuarantineMessage:
    """`id`: the same however often the record is refused. `connector`: `stream` where the stream refused it. `at`: UTC
    epoch ms. `partition` and `offset`: None for what never reached a topic. `payload`: the record, personal values
    masked, or base64."""

    id: str
    connector: str
    stage: str
    reason_code: str
    reason: str
    reason_en: str
    topic: str
    partition: int | None
    offset: int | None
    entity: str
    at: int
    payload: str

    def to_json(self) -> bytes:
        return orjson.dumps(self)


FIELDS = tuple(field.name for field in dataclasses.fields(QuarantineMessage))
_OPTIONAL = {"partition": 2**31, "offset": 2**63}
"""Whole numbers below a bound, or nothing."""


def message_of(value: bytes | None) -> QuarantineMessage | None:
    """The message in a value of the topic, or None if it is not of this form; unknown keys are passed over.

    Whoever may write to the topic can write anything; nothing of it may stop a reader.
    """
    try:
        body = orjson.loads(value or b"")
    except orjson.JSONDecodeError:
        return None
    if not isinstance(body, dict):
        return None
    found: dict[str, Any] = {name: body.get(name) for name in FIELDS}
    return QuarantineMessage(**found) if all(_fits(name, each) for name, each in found.items()) else None


def _fits(name: str, value: object) -> bool:
    if name in _OPTIONAL:
        return value is None or (type(value) is int and 0 <= value < _OPTIONAL[name])
    if name == "at":
        return type(value) is int and EARLIEST_MS <= value <= LATEST_MS
    return isinstance(value, str)
