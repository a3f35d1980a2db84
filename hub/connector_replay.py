"""Publishing refused records again, by the approved mapping of today."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from connectors.clock import now_ms
from connectors.configs import Declared
from connectors.errors import ConnectorError, Text
from connectors.intake import IntakeFactory, Prepared
from connectors.manifest import Manifest
from connectors.publish import Message
from connectors.replay import REPLAYED, marked, sorted_out
from hub.api.quarantine import Entry

MOST = 1_000
"""Entries of one replay."""

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
    if declared.approved is None:
        raise NothingApprovedError(declared.id)
    manifest = read(declared.approved.manifest, f"{declared.id}.yaml")
    open_ones = [entry for entry in entries if entry.stage != REPLAYED][:MOST]
    found = sorted_out(manifest, ((entry.id, entry.payload) for entry in open_ones))
    intake = await intakes.open(manifest)
    messages: list[tuple[bytes, bytes]] = []
    marks: list[Message] = []
    for entry in open_ones:
        if entry.id in found.records:
            fits = intake([found.records[entry.id]], now_ms()).messages
            messages += fits
            marks += [Message(entry.id.encode(), marked(_body(entry), by))] if fits else []
            await asyncio.sleep(0)
    # First the records: an entry that says it was replayed must have been.
    await publish(Prepared(intake.topic, messages, [], None))
    await publish(Prepared(intake.topic, [], marks, None))
    return Replayed(len(marks), len(found.records) - len(marks), len(found.masked))


def _body(entry: Entry) -> dict[str, object]:
    return {
        "id": entry.id,
        "connector": entry.connector,
        "stage": entry.stage,
        "reason_code": entry.reason_code,
        "reason": entry.reason_vi,
        "reason_en": entry.reason_en,
        "topic": entry.topic,
        "partition": entry.partition,
        "offset": entry.offset,
        "entity": entry.entity,
        "at": round(entry.at.timestamp() * 1000),
        "payload": entry.payload,
    }
