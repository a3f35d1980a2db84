"""One trace from a pushed batch to the warehouse, over a real Kafka, as an OTLP/HTTP receiver sees it."""

from __future__ import annotations

import signal
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from connectors.grouping import GroupedPublisher
from connectors.intake import Prepared
from connectors.publish import Publisher
from schemas import tracing
from tests.dossiers import life_cycles
from tests.stream_worker import bench, value_of


class Receiver:
    """The spans that were taken, by name."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        self.url = ""

    def named(self, name: str) -> list[Any]:
        return [one for one in self.spans if one.name == name]


@contextmanager
def otlp() -> Iterator[Receiver]:
    found = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                import gzip

                body = gzip.decompress(body)
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                for scope in resource.scope_spans:
                    found.spans += scope.spans
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Tests print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    found.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()


async def test_a_batch_is_one_trace_from_the_connector_to_the_warehouse(
    kafka: str, warehouse: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = life_cycles(50, seed=3)
    messages = [(event["entity_key"].encode(), value_of(event)) for event in events]
    with otlp() as there, bench(kafka, warehouse, f"t{uuid.uuid4().hex[:8]}", tmp_path, partitions=1) as table:
        monkeypatch.setenv("IOC_TRACES__ENDPOINT", there.url)
        tracing.configure(there.url, "connect")
        publisher = Publisher(kafka)
        grouped = GroupedPublisher(publisher)
        worker = table.start()
        try:
            await publisher.start()
            grouped.start()
            with tracing.span("connector.batch", connector="portal", records=len(events)):
                await grouped.publish(Prepared(table.contract.topic, messages, [], None))
            table.wait(lambda: table.primary_rows() == len(events))
        finally:
            await grouped.stop()
            await publisher.stop()
            tracing.configure(None, "connect")
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(60) == 0
        table.wait(lambda: bool(there.named("warehouse.insert")) and bool(there.named("connector.batch")))
    (begun,) = there.named("connector.batch")
    (sent,) = there.named("connector.publish")
    assert sent.parent_span_id == begun.span_id
    # The worker also has the quarantine, where other tests' records have traces of their own.
    batches = [one for one in there.named("stream.batch") if one.parent_span_id == sent.span_id]
    within = {one.span_id for one in batches}
    inserts = [one for one in there.named("warehouse.insert") if one.parent_span_id in within]
    assert batches and inserts
    assert {one.trace_id for one in [begun, sent, *batches, *inserts]} == {begun.trace_id}
    told = {one.key: one.value for one in batches[0].attributes}
    assert told["ioc.batch"].string_value.endswith(f":0:0-{len(events) - 1}") or len(batches) > 1
    assert sum({one.key: one.value for one in batch.attributes}["ioc.records"].int_value for batch in batches) == len(
        events
    )
