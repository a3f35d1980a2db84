"""Losses on record: records that a topic's retention took before they were in the warehouse. Blocking calls.

The table `losses` has a row for each loss; what is on record is not counted again. People see it by `ioc lag`.
"""

from __future__ import annotations

import io

import pyarrow as pa

from streams.intent import NOTHING, Loss, Written
from streams.warehouse.client import Warehouse

LOSSES_TABLE = (
    "CREATE TABLE IF NOT EXISTS losses (topic LowCardinality(String), topic_id LowCardinality(String), "
    "partition Int32, first Int64, last Int64, records Int64, found_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')) "
    # A loss that is found again after it has grown replaces its shorter row.
    "ENGINE = ReplacingMergeTree(last) ORDER BY (topic, topic_id, partition, first) "
    "SETTINGS non_replicated_deduplication_window = 10000"
)

MARKS_TABLE = (
    "CREATE TABLE IF NOT EXISTS written_marks (topic LowCardinality(String), topic_id LowCardinality(String), "
    "partition Int32, first Int64, last Int64) "
    "ENGINE = ReplacingMergeTree(last) ORDER BY (topic, topic_id, partition) "
    "SETTINGS non_replicated_deduplication_window = 10000"
)
"""How far a topic is written whose rows do not carry its offsets: the quarantine."""

LIVES_TABLE = (
    "CREATE TABLE IF NOT EXISTS topic_lives (entity LowCardinality(String), topic_id String, partitions UInt32, "
    "life UInt32, begun_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')) "
    "ENGINE = ReplacingMergeTree ORDER BY (entity, topic_id, partitions, life)"
)
"""Which life a topic is in: `streams.lives`."""

TOPIC_TABLES = (LOSSES_TABLE, MARKS_TABLE, LIVES_TABLE)
"""What the warehouse keeps about topics themselves."""


def lost_records(warehouse: Warehouse) -> dict[tuple[str, int], int]:
    """Records lost for good, by topic and partition. Blocks."""
    rows = warehouse.rows("SELECT topic, partition, sum(records) FROM losses FINAL GROUP BY topic, partition")
    return {(str(topic), int(partition)): int(count) for topic, partition, count in rows}


class LossBook:
    """Losses of one topic."""

    def __init__(self, warehouse: Warehouse, topic: str) -> None:
        self._warehouse = warehouse
        self._topic = topic

    def record(self, topic_id: str, partition: int, loss: Loss) -> None:
        """Put a loss on record. Idempotent."""
        row = {"topic": self._topic, "topic_id": topic_id, "partition": partition, "first": loss.first}
        table = pa.Table.from_pylist(
            [{**row, "last": loss.last, "records": loss.count}],
            schema=pa.schema([*_FIELDS, ("records", pa.int64())]),
        )
        token = f"loss:{topic_id}:{partition}:{loss.first}-{loss.last}"
        self._warehouse.insert("losses", table.column_names, _stream(table), token)

    def following(self, topic_id: str, partition: int, first: int, last: int) -> Written:
        """The batch `first`–`last` (−1: none) and the losses on record that follow it without a gap."""
        end = last
        rows = self._warehouse.rows(
            "SELECT first, max(last) FROM losses WHERE topic = {topic:String} AND topic_id = {topic_id:String} "
            "AND partition = {partition:Int32} GROUP BY first ORDER BY first",
            {"topic": self._topic, "topic_id": topic_id, "partition": partition},
        )
        for lost_first, lost_last in rows:
            if lost_first <= end + 1:
                end = max(end, int(lost_last))
        return Written(first, last, end if end > last else -1)


class MarkBook:
    """How far one topic is written, for a table whose rows do not carry the topic's offsets.

    A mark is put after its rows, so it may be one batch behind them: what follows it is written again, by ids.
    """

    def __init__(self, warehouse: Warehouse, topic: str, table: str) -> None:
        self._warehouse = warehouse
        self._topic = topic
        self._table = table

    def put(self, topic_id: str, partition: int, first: int, last: int) -> None:
        """Mark a batch as written. Idempotent."""
        row = {"topic": self._topic, "topic_id": topic_id, "partition": partition, "first": first, "last": last}
        table = pa.Table.from_pylist([row], schema=pa.schema(_FIELDS))
        self._warehouse.insert(
            "written_marks", table.column_names, _stream(table), f"mark:{topic_id}:{partition}:{first}-{last}"
        )

    def last(self, topic_id: str, partition: int) -> Written | None:
        """The newest mark; `NOTHING` if the table is empty; None if it was filled before there were marks."""
        rows = self._warehouse.rows(
            "SELECT argMax(first, written_marks.last), max(written_marks.last), count() FROM written_marks "
            "WHERE topic = {topic:String} AND topic_id = {topic_id:String} AND partition = {partition:Int32}",
            {"topic": self._topic, "topic_id": topic_id, "partition": partition},
        )
        first, last, found = rows[0]
        if found:
            return Written(int(first), int(last))
        anything = self._warehouse.rows(
            f"SELECT (SELECT count() FROM (SELECT 1 FROM {self._table} LIMIT 1)), "
            "(SELECT count() FROM written_marks WHERE topic = {topic:String})",
            {"topic": self._topic},
        )[0]
        # Marks of another topic id: the topic was recreated, and this one has nothing yet.
        return None if anything[0] and not anything[1] else NOTHING


_FIELDS = [
    ("topic", pa.string()),
    ("topic_id", pa.string()),
    ("partition", pa.int32()),
    ("first", pa.int64()),
    ("last", pa.int64()),
]


def _stream(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()
