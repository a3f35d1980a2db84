"""What a department is shown of its own data: control totals, last records, refusals by reason. Blocks."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from connectors.replay import REPLAYED
from hub.api.connector_board import ConnectorRow
from hub.kpi.feed import Feed
from hub.kpi.query import Statement
from hub.kpi.reader import Reader
from hub.kpi.service import KpiService

RECENT = 10
RECENT_DAYS = 35
"""Older records are not looked for: the table is ordered by entity, and a scan grows with the days."""
_ENTITY = re.compile(r"[a-z][a-z0-9_]*").fullmatch


@dataclass(frozen=True, slots=True)
class Total:
    """One connector's count at three places. `written`: primary rows of its source system in the warehouse;
    `missing`: published and not there, None while it is not known."""

    connector: str
    received: int | None
    quarantined: int | None
    published: int | None
    written: int | None
    missing: int | None


@dataclass(frozen=True, slots=True)
class Recent:
    """A change as the warehouse has it; no field of the record but its key."""

    entity: str
    source_system: str
    key: str
    org: str
    kind: str
    event_time: datetime
    ingest_time: datetime


@dataclass(frozen=True, slots=True)
class Refused:
    """Refused records of one connector with one reason; `newest` is the latest of them."""

    connector: str
    reason_code: str
    reason_vi: str
    reason_en: str
    count: int
    newest: datetime

    def reason(self, language: str) -> str:
        return (self.reason_en if language == "en" else self.reason_vi) or self.reason_code


def totals(service: KpiService, rows: Sequence[ConnectorRow]) -> list[Total]:
    """A count for each connector. WarehouseAwayError."""
    ledger = {(item.entity, item.source_system): item.records for item in service.written()}
    found = []
    for row in rows:
        written = ledger.get((row.feed.entity, row.feed.source_system), 0)
        missing = None if row.published is None else max(0, row.published - written)
        quarantined = row.quarantined
        found.append(Total(row.feed.connector, row.received, quarantined, row.published, written, missing))
    return found


def recent(reader: Reader, feeds: Sequence[Feed], org: str | None) -> list[Recent]:
    """The last changes of the feeds, the newest first; with `org` only records of that unit and below."""
    systems = {(feed.entity, feed.source_system) for feed in feeds if _ENTITY(feed.entity)}
    entities = _with_tables(reader, {entity for entity, _ in systems})
    found: list[Recent] = []
    for entity in entities:
        names = ",".join(sorted(system for each, system in systems if each == entity))
        sql = (
            f"SELECT source_system, entity_key, org_code, kind, toUnixTimestamp64Milli(event_time),"
            f" toUnixTimestamp64Milli(ingest_time) FROM {entity}_changes"
            f" WHERE kafka_time > now() - INTERVAL {RECENT_DAYS} DAY AND sign >= 0 AND kind != 'quarantined'"
            " AND has(splitByChar(',', {systems:String}), source_system)"
            " AND ({org:String} = '' OR org_code = {org:String} OR startsWith(org_code, concat({org:String}, '.')))"
            f" ORDER BY kafka_time DESC LIMIT {RECENT}"
        )
        rows = reader.rows(Statement(sql, {"systems": names, "org": org or ""}))
        found += [
            Recent(entity, str(system), str(key), str(unit), str(kind), _time(event), _time(ingest))
            for system, key, unit, kind, event, ingest in rows
        ]
    return sorted(found, key=lambda item: item.ingest_time, reverse=True)[:RECENT]


def refusals(reader: Reader, feeds: Sequence[Feed]) -> list[Refused]:
    """Open refusals by connector and reason, the most first. WarehouseAwayError."""
    if not feeds:
        return []
    sql = (
        "SELECT connector, reason_code, any(reason), any(reason_en), count(), toUnixTimestamp64Milli(max(at))"
        f" FROM quarantine FINAL WHERE stage != '{REPLAYED}'"
        " AND has(splitByChar(',', {connectors:String}), connector)"
        " GROUP BY connector, reason_code ORDER BY count() DESC, connector, reason_code LIMIT 100"
    )
    rows = reader.rows(Statement(sql, {"connectors": ",".join(feed.connector for feed in feeds)}))
    return [
        Refused(str(name), str(code), str(vi), str(en), int(count), _time(newest))
        for name, code, vi, en, count, newest in rows
    ]


def _with_tables(reader: Reader, entities: set[str]) -> list[str]:
    names = ", ".join(f"'{entity}_changes'" for entity in sorted(entities))
    if not names:
        return []
    sql = f"SELECT name FROM system.tables WHERE database = currentDatabase() AND name IN ({names}) ORDER BY name"
    return [str(row[0]).removesuffix("_changes") for row in reader.rows(Statement(sql, {}))]


def _time(millis: int) -> datetime:
    return datetime.fromtimestamp(int(millis) / 1000, UTC)
