"""The quarantine, newest first, by cursor. Read from the warehouse, where one record is one entry."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from connectors.replay import REPLAYED
from hub.api.problems import Problem
from hub.api.resolution import resolved
from hub.kpi.query import Statement
from hub.kpi.reader import Reader

PAGE = 50
MAX_PAGE = 500

_COLUMNS = (
    "id, connector, stage, reason_code, reason, reason_en, topic, partition, offset, entity,"
    " toUnixTimestamp64Milli(at), payload"
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One refused record. `payload` is raw text with personal values masked, or base64. `resolved`: its entity has a
    newer state since; what never reached its topic cannot tell."""

    id: str
    connector: str
    stage: str
    reason_code: str
    reason_vi: str
    reason_en: str
    topic: str
    partition: int | None
    offset: int | None
    entity: str
    at: datetime
    payload: str
    resolved: bool = False

    def reason(self, language: str) -> str:
        return (self.reason_en if language == "en" else self.reason_vi) or self.reason_code


@dataclass(frozen=True, slots=True)
class Page:
    """`next` is the cursor of the page after, None on the last one."""

    entries: tuple[Entry, ...]
    next: str | None


def page(reader: Reader, limit: int = PAGE, cursor: str | None = None, connectors: Sequence[str] | None = None) -> Page:
    """At most `limit` entries after `cursor`; `connectors` None means all. WarehouseAwayError; blocks."""
    conditions, parameters = ["1"], {"limit": str(limit + 1)}
    if cursor is not None:
        at, entry_id = _opened(cursor)
        conditions.append("(at, id) < (fromUnixTimestamp64Milli({at:Int64}, 'UTC'), {id:String})")
        parameters |= {"at": str(at), "id": entry_id}
    if connectors is not None:
        if not connectors:
            return Page((), None)
        # A connector's id holds no comma; a name asked for that does matches nothing of its own.
        conditions.append("has(splitByChar(',', {connectors:String}), connector)")
        parameters["connectors"] = ",".join(connectors)
    sql = (
        f"SELECT {_COLUMNS} FROM quarantine FINAL WHERE {' AND '.join(conditions)}"
        " ORDER BY at DESC, id DESC LIMIT {limit:UInt32}"
    )
    entries = tuple(_entry(row) for row in reader.rows(Statement(sql, parameters)))
    shown = _marked(reader, entries[:limit])
    return Page(shown, _closed(shown[-1]) if len(entries) > limit else None)


def of_reason(reader: Reader, connector: str, reason_code: str | None, limit: int = 1_000) -> tuple[Entry, ...]:
    """A connector's entries that were not published again, the oldest first, with one reason or any.
    WarehouseAwayError; blocks."""
    sql = (
        f"SELECT {_COLUMNS} FROM quarantine FINAL WHERE connector = {{connector:String}} AND stage != '{REPLAYED}'"
        " AND ({code:String} = '' OR reason_code = {code:String}) ORDER BY at, id LIMIT {limit:UInt32}"
    )
    parameters = {"connector": connector, "code": reason_code or "", "limit": str(limit)}
    return tuple(_entry(row) for row in reader.rows(Statement(sql, parameters)))


def entry(reader: Reader, entry_id: str, connectors: Sequence[str] | None = None) -> Entry:
    """One entry; a not-found problem if there is none within `connectors`. WarehouseAwayError; blocks."""
    sql = f"SELECT {_COLUMNS} FROM quarantine FINAL WHERE id = {{id:String}} LIMIT 1"
    rows = reader.rows(Statement(sql, {"id": entry_id}))
    if not rows or (connectors is not None and rows[0][1] not in connectors):
        raise Problem("not-found")
    return _marked(reader, (_entry(rows[0]),))[0]


def _marked(reader: Reader, entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
    past = resolved(reader, entries)
    return tuple(
        replace(item, resolved=item.stage == REPLAYED or (item.entity, item.partition, item.offset) in past)
        for item in entries
    )


def entry_json(item: Entry, language: str) -> dict[str, Any]:
    return {
        "id": item.id,
        "connector": item.connector,
        "stage": item.stage,
        "reason_code": item.reason_code,
        "reason": item.reason(language),
        "topic": item.topic,
        "partition": item.partition,
        "offset": item.offset,
        "entity": item.entity,
        "at": item.at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "resolved": item.resolved,
        "payload": item.payload,
    }


def _entry(row: Sequence[Any]) -> Entry:
    entry_id, connector, stage, code, vi, en, topic, partition, offset, entity, millis, payload = row
    at = datetime.fromtimestamp(int(millis) / 1000, UTC)
    return Entry(entry_id, connector, stage, code, vi, en, topic, partition, offset, entity, at, payload)


def _closed(item: Entry) -> str:
    raw = json.dumps([round(item.at.timestamp() * 1000), item.id]).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _opened(cursor: str) -> tuple[int, str]:
    try:
        at, entry_id = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if not (isinstance(at, int) and isinstance(entry_id, str)):
            raise ValueError
    except (ValueError, TypeError, binascii.Error) as error:
        raise Problem("invalid-cursor") from error
    return at, entry_id
