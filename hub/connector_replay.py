"""Publishing refused records again, by the approved mapping of today: as they were, or as a person has mended one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from connectors.clock import now_ms
from connectors.configs import Declared
from connectors.errors import ConnectorError, Text
from connectors.intake import IntakeFactory, Prepared
from connectors.manifest import Manifest
from connectors.masking import MASK
from connectors.publish import Message
from connectors.replay import REPLAYED, fitting, marked, mended_fields, sorted_out
from hub.api.quarantine import Entry
from schemas.quarantine import QuarantineMessage, message_of

MOST = 1_000
"""Entries of one replay."""
REFUSED_BY_MAPPING = "map"
"""Stage of entries whose payload is the source's record."""

Publish = Callable[[Prepared], Awaitable[None]]
"""Returns when all replicas have all of it; PublishError otherwise."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """`published`: records that fit now; `refused`: still do not; `masked`: to be read from the source again."""

    published: int
    refused: int
    masked: int


class NothingApprovedError(ConnectorError):
    """There is no mapping that may run."""

    code = "nothing_approved"

    def __init__(self, connector: str) -> None:
        super().__init__(
            Text(f"Đầu nối {connector} chưa có phiên bản được duyệt", f"No version of {connector} is approved yet")
        )


class NotMendedError(ConnectorError):
    """What a person wrote in the place of a refused record cannot be published; nothing was."""

    code = "not_mended"


def approved_manifest(declared: Declared, read: Callable[[str, str], Manifest]) -> Manifest:
    """NothingApprovedError if there is none."""
    if declared.approved is None:
        raise NothingApprovedError(declared.id)
    return read(declared.approved.manifest, f"{declared.id}.yaml")


async def replay(
    declared: Declared,
    read: Callable[[str, str], Manifest],
    intakes: IntakeFactory,
    entries: Sequence[Entry],
    publish: Publish,
    by: str,
) -> Replayed:
    """Entries that fit the approved mapping are published and marked; the others stay as they are. At least once: an
    event keeps its id, so that what is published twice counts once. Raises a ConnectorError."""
    manifest = approved_manifest(declared, read)
    open_ones = {entry.id: entry for entry in entries if entry.stage != REPLAYED}
    chosen = dict(list(open_ones.items())[:MOST])
    found = sorted_out(manifest, ((entry.id, entry.payload) for entry in chosen.values()))
    intake = await intakes.open(manifest)
    at_ms = now_ms()
    ids, messages = await asyncio.to_thread(fitting, list(found.records.items()), lambda raw: intake(raw, at_ms))
    marks = [Message(identity.encode(), marked(_message(chosen[identity]), by)) for identity in ids]
    # First the records: an entry that says it was replayed must have been.
    await publish(Prepared(intake.topic, messages, [], None))
    await publish(Prepared(intake.topic, [], marks, None))
    return Replayed(len(marks), len(found.records) - len(marks), len(found.masked))


@dataclass(frozen=True, slots=True)
class Mended:
    """A refused record as a person has put it right: `fields` are the paths that differ; `prepared` is published, then
    `mark` takes the entry's place."""

    fields: tuple[str, ...]
    prepared: Prepared
    mark: Prepared


async def mend(manifest: Manifest, intakes: IntakeFactory, entry: Entry, text: str, by: str) -> Mended:
    """A record in the place of a refused one, mapped but not published. NotMendedError says what to put right."""
    if entry.stage != REFUSED_BY_MAPPING:
        raise NotMendedError(
            Text(
                "Bản ghi này đã phát lại, hoặc bị từ chối sau khi vào chủ đề; hãy sửa tại hệ thống nguồn",
                "This record was published again already, or refused behind its topic; mend it at its source",
            )
        )
    record = _record(text)
    if sorted_out(manifest, [(entry.id, text)]).masked:
        raise NotMendedError(
            Text(
                f"Còn giá trị bị che ({MASK}) ở trường ánh xạ cần đọc; hãy gõ lại giá trị thật",
                f"A field that the mapping reads is still masked ({MASK}); type the real value",
            )
        )
    prepared = (await intakes.open(manifest))([record], now_ms())
    if prepared.quarantined:
        told = message_of(prepared.quarantined[0].value)
        raise NotMendedError(Text(told.reason, told.reason_en) if told else Text("Chưa hợp lệ", "It does not fit yet"))
    fields = mended_fields(entry.payload, record)
    mark = Message(entry.id.encode(), marked(_message(entry), by, fields))
    return Mended(fields, prepared, Prepared(prepared.topic, [], [mark], None))


def _record(text: str) -> Any:
    try:
        record = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise NotMendedError(
            Text(
                f"Không đọc được JSON tại dòng {error.lineno}, cột {error.colno}",
                f"The JSON cannot be read at line {error.lineno}, column {error.colno}",
            )
        ) from None
    if not isinstance(record, dict):
        raise NotMendedError(Text("Cần một đối tượng JSON {…}", "One JSON object {…} is needed"))
    return record


def _message(entry: Entry) -> QuarantineMessage:
    return QuarantineMessage(
        id=entry.id,
        connector=entry.connector,
        stage=entry.stage,
        reason_code=entry.reason_code,
        reason=entry.reason_vi,
        reason_en=entry.reason_en,
        topic=entry.topic,
        partition=entry.partition,
        offset=entry.offset,
        entity=entry.entity,
        at=round(entry.at.timestamp() * 1000),
        payload=entry.payload,
    )
