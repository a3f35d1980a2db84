"""The connectors' metrics; prometheus_client's home module. Labels hold connector ids and stages, never content."""

from __future__ import annotations

import contextlib

from prometheus_client import Counter, Gauge

POLLED = Counter("ioc_connector_records_polled_total", "Records read from or pushed by the source.", ["connector"])
WRITTEN = Counter("ioc_connector_records_written_total", "Records acknowledged by Kafka.", ["connector"])
ERRORS = Counter("ioc_connector_errors_total", "Faults by stage (source, publish, schema).", ["connector", "stage"])
RETRIES = Counter("ioc_connector_retries_total", "Attempts repeated by stage.", ["connector", "stage"])
SKIPPED = Counter(
    "ioc_connector_skipped_total",
    "Records left out by stage: given before, and so known (source).",
    ["connector", "stage"],
)
QUARANTINED = Counter("ioc_quarantine_records_total", "Records put into the quarantine topic.", ["connector"])
QUARANTINE_FAILURES = Counter(
    "ioc_quarantine_write_failures_total", "Publications with quarantined records that failed.", ["connector"]
)
LAST_SUCCESS = Gauge(
    "ioc_connector_last_poll_success_timestamp_seconds", "Last complete read or accepted push.", ["connector"]
)
LAST_ERROR = Gauge("ioc_connector_last_error_timestamp_seconds", "Last fault.", ["connector"])
SOURCE_LAG = Gauge(
    "ioc_source_lag_seconds", "From the change at the source to its reading, newest record.", ["connector"]
)
STATUS = Gauge("ioc_connector_status", "1 for the connector's state.", ["connector", "status"])
INGEST_REQUESTS = Counter(
    "ioc_ingest_requests_total",
    "Pushed requests by outcome (accepted or the problem's type).",
    ["connector", "outcome"],
)


class Series:
    """One connector's value of a gauge: there from its first value until it ends. Setting it looks up nothing."""

    def __init__(self, gauge: Gauge, connector: str) -> None:
        self._gauge = gauge
        self._connector = connector
        self._child: Gauge | None = None

    def set(self, value: float) -> None:
        if self._child is None:
            self._child = self._gauge.labels(self._connector)
        self._child.set(value)

    def end(self) -> None:
        """Tell it no more. Idempotent."""
        self._child = None
        with contextlib.suppress(KeyError):
            self._gauge.remove(self._connector)
