"""The stream worker's own metrics, by the names of the integration-health catalogue."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

_BUCKETS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 15.0, 60.0)

SINK_BATCHES = Counter(
    "ioc_sink_batches",
    "Batches sent to the warehouse by topic and result: ok, dedup (written before, sent again), redo (announced, "
    "computed again), retry (an attempt that failed), fail (given up).",
    ["table", "result"],
)
SINK_PARTITIONS = Counter(
    "ioc_sink_partitions", "Partitions whose batches were in the blocks of result ok, by topic.", ["table"]
)
ROWS = Counter("ioc_stream_rows", "Rows written, by entity and kind.", ["entity", "kind"])
STAGE = Histogram("ioc_stage_latency_seconds", "Time of one stage of a batch.", ["stage"], buckets=_BUCKETS)
END_TO_END = STAGE.labels("kafka_to_warehouse")
LOST = Counter("ioc_stream_lost_records", "Records that retention took before they were processed.", ["topic"])
RECOVERIES = Counter("ioc_stream_recoveries", "Partitions taken over, by how (clean, redo, replay).", ["how"])
ASSIGNED = Gauge("ioc_stream_assigned_partitions", "Partitions this worker owns now.")
REBALANCES = Counter("ioc_rebalances", "Times the group gave this worker its partitions anew.", ["group"])
REBALANCE_SECONDS = Histogram(
    "ioc_rebalance_duration_seconds",
    "From giving the partitions back to being given partitions.",
    ["group"],
    buckets=(0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 60.0),
)
FENCED = Counter("ioc_stream_fenced", "Times this worker found itself put out with a batch in hand, and ended.")
OWNERSHIP_LOST = Counter("ioc_stream_ownership_lost", "Batches dropped because another worker owns the partition.")
SCHEMA_WAITS = Gauge("ioc_stream_schema_waits", "Partitions that wait for a schema, because the registry is away.")
SCHEMAS_GIVEN_UP = Counter(
    "ioc_stream_schemas_given_up", "Schemas that a batch did without: their records are in the quarantine."
)
# Not `ioc_quarantine_records`: that counts what connectors put into the topic, this what reached the table.
QUARANTINE = Counter("ioc_stream_quarantine_rows", "Refused records written to the warehouse.", ["connector"])
KNOWN_KEYS = Gauge("ioc_stream_known_keys", "Entities the worker knows to exist.", ["entity"])
LATE = Counter("ioc_stream_late", "Records that took back a counted state over 24 h after their event.", ["entity"])
SUPERSEDED = Counter("ioc_stream_superseded", "Records that arrived after a newer revision of theirs.", ["entity"])
SKEWED = Counter(
    "ioc_stream_clock_skew",
    "Records whose event time is more than 120 s ahead of Kafka's.",
    ["entity", "source_system"],
)
ROLLUP_BROKEN = Gauge("ioc_rollup_broken", "1 if the rollup's view threw and was dropped.", ["rollup"])
ROLLUP_DRIFT = Gauge(
    "ioc_rollup_drift_rows",
    "Rows of a rollup (or offsets, entities and counts of another table) that differ from the changes; must be 0.",
    ["rollup"],
)
AUDIT_SUCCESS = Gauge(
    "ioc_audit_last_success_timestamp_seconds", "When a whole audit of an entity last found all right.", ["entity"]
)
AUDIT_SECONDS = Counter("ioc_audit_seconds", "Time spent in the statements of the audit beside the flow.", ["entity"])
