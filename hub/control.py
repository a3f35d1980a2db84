"""Control totals: what connectors published, what the topic holds, what the warehouse accounts for. Blocking calls.

Each day says of two comparisons what both sides are:

topic    records of the entity's topic by Kafka's offsets (a day begins at the first record stamped in it, UTC), as far
         as they are confirmed, against primary rows with these offsets: must be equal.
source   records that the entity's connectors had acknowledged by Kafka, by the day (UTC) of their ingest time, against
         primary rows by the same time. Connectors deliver at least once: what was sent again after a fault, or was
         acknowledged in the second before a crash, is a surplus in the warehouse and told as such. Too few is a loss.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from connectors.status import ConnectorStatus
from streams import audit_sql as sql
from streams.audit import Finding
from streams.audit_checks import EntityAudit
from streams.topic_log import KafkaTopicLog
from streams.warehouse.catalogue import text

REPORT_S = 2.5
"""Connectors report once a second; after so long all of what was read is in their reports."""


@dataclass(frozen=True, slots=True)
class Published:
    """What an entity's connectors published by day; complete for the days that are there."""

    by_day: Mapping[date, int]


def published(statuses: Iterable[ConnectorStatus]) -> Published:
    """Of the connectors of one entity: the days of which all of them count every record."""
    known = list(statuses)
    complete_after = date.min
    sums: dict[date, int] = {}
    for status in known:
        for day, count in status.published_by_day.items():
            sums[date.fromisoformat(day)] = sums.get(date.fromisoformat(day), 0) + count
        if status.published == sum(status.published_by_day.values()):
            continue
        since = status.counted_since
        if since is None:
            return Published({})
        complete_after = max(complete_after, datetime.fromtimestamp(since / 1000, UTC).date())
    return Published({day: count for day, count in sums.items() if day > complete_after})


def compare_source(
    entity: str, before: Published, written: Mapping[date, int], after: Published, waiting: int
) -> list[Finding]:
    """By day. `before` and `after`: as the connectors said before `written` was read and after, since they go on
    publishing; `waiting`: records in the topic that are not confirmed yet, of which a day may be short."""
    found = []
    for day, least in sorted(before.by_day.items()):
        there, most = written.get(day, 0), after.by_day.get(day, least)
        short, over = least - there, there - most
        code = "lost" if short > waiting else "waiting" if short > 0 else "surplus" if over > 0 else "equal"
        expected = least if short > 0 else most if over > 0 else there
        found.append(Finding(entity, "source", code, day.isoformat(), max(short, over, 0), expected, there))
    return found


def compare_topic(entity: str, records: Mapping[str, int], written: Mapping[str, int]) -> list[Finding]:
    """By day: records that the topic has and primary rows with their offsets."""
    return [
        Finding(
            entity,
            "topic",
            "equal" if count == written.get(day, 0) else "differs",
            day,
            abs(count - written.get(day, 0)),
            count,
            written.get(day, 0),
        )
        for day, count in records.items()
    ]


def topic_totals(audit: EntityAudit, log: KafkaTopicLog, days: Sequence[date]) -> list[Finding]:
    """Topic against warehouse for consecutive `days`, and for all before them."""
    cuts = audit.reader.cuts()
    names = [f"< {days[0]}", *(day.isoformat() for day in days)]
    begins = [log.first_since(_midnight_ms(day)) for day in days]
    ends = log.first_since(_midnight_ms(days[-1] + timedelta(days=1)))
    records = dict.fromkeys(names, 0)
    written = dict.fromkeys(names, 0)
    for partition, cut in cuts.items():
        edges = [log.start(partition), *(begin[partition] for begin in begins), ends[partition]]
        edges = [max(edges[0], min(edge, cut.offset)) for edge in edges]
        counted = _primary_rows(audit, cut, edges)
        for name, low, high in zip(names, edges, edges[1:], strict=False):
            records[name] += high - low - audit.gaps_within(partition, low, high)
            written[name] += counted.get(low, 0) if low < high else 0
    return compare_topic(audit.contract.entity, records, written)


def _primary_rows(audit: EntityAudit, cut: sql.Cut, edges: Sequence[int]) -> dict[int, int]:
    """Primary rows from each edge to the next, by the edge."""
    if edges[0] >= edges[-1]:
        return {}
    # By the topic's id: one that got more partitions is in a later life than its first records.
    where = f"partition = {cut.partition} AND topic_id = {text(cut.topic_id)}"
    steps = ", ".join(f"toInt64({edge})" for edge in sorted(set(edges)))
    rows = audit.reader.rows(
        f"SELECT roundDown(`offset`, [{steps}]) AS edge, sum({sql.PRIMARY_COUNT}) "
        f"FROM {audit.contract.changes_table} WHERE {where} AND `offset` >= {edges[0]} AND `offset` < {edges[-1]} "
        "GROUP BY edge"
    )
    return {int(edge): int(count) for edge, count in rows}


def written_by_ingest_day(audit: EntityAudit, first: date) -> dict[date, int]:
    """Primary rows by the day of their ingest time, or of their Kafka time where the record could not be read."""
    rows = audit.reader.rows(
        "SELECT if(kind = 'quarantined' AND ingest_time < '1971-01-01', toDate(kafka_time, 'UTC'), "
        f"toDate(ingest_time, 'UTC')) AS ingested, sum({sql.PRIMARY_COUNT}) FROM {audit.contract.changes_table} "
        f"WHERE kafka_time >= toDateTime64('{first} 00:00:00', 3, 'UTC') GROUP BY ingested"
    )
    return {day: int(count) for day, count in rows}


def source_totals(
    audit: EntityAudit, log: KafkaTopicLog, sent: Callable[[], Published], days: Sequence[date]
) -> list[Finding]:
    """Connectors against warehouse for `days`. `sent`: what the connectors say at the moment."""
    said = sent().by_day
    before = Published({day: count for day, count in said.items() if days[0] <= day <= days[-1]})
    if not before.by_day:
        return []
    ends = log.ends()
    written = written_by_ingest_day(audit, days[0] - timedelta(days=1))
    confirmed = log.committed()
    waiting = sum(max(0, end - confirmed.get(partition, 0)) for partition, end in ends.items())
    after = sent()
    if any(written.get(day, 0) > after.by_day.get(day, 0) for day in before.by_day):
        # What they published a moment ago they have not said yet.
        time.sleep(REPORT_S)
        after = sent()
    return compare_source(audit.contract.entity, before, written, after, waiting)


def _midnight_ms(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000)
