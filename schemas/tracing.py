"""Traces of batches from connector to warehouse, as an option: the home module of OpenTelemetry.

Without an endpoint nothing of it is loaded, and a span costs a function call a batch. The W3C context travels in the
header `traceparent` of the first record of each Kafka record batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

HEADER = "traceparent"
SERVICE = "ioc"
SCOPE = "ioc.batches"
LONGEST_LINKS = 32
"""A stream batch may join more connector batches than it is worth to name."""


class TracesMissingError(Exception):
    """Traces are asked for and the extra `traces` is not installed."""

    def __init__(self) -> None:
        super().__init__(
            "traces.endpoint is set and OpenTelemetry is not installed: pip install 'ioc-integration-hub[traces]'"
        )


_provider: Any = None
_tracer: Any = None
_OFF: AbstractContextManager[None] = nullcontext()


def configure(endpoint: str | None, role: str) -> None:
    """Send spans of this process by OTLP/HTTP to `endpoint` (such as `http://127.0.0.1:4318`); None: trace nothing.

    Raises TracesMissingError. What has not been sent is sent when this is called again, or at the end of the process.
    """
    global _provider, _tracer
    before, _provider, _tracer = _provider, None, None
    if before is not None:
        before.shutdown()
    if endpoint is None:
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise TracesMissingError from error
    provider = TracerProvider(resource=Resource.create({"service.namespace": SERVICE, "service.name": f"ioc-{role}"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces")))
    _provider, _tracer = provider, provider.get_tracer(SCOPE)


def on() -> bool:
    return _tracer is not None


def span(
    name: str, parent: str | None = None, links: Sequence[str] = (), **attributes: str | int
) -> AbstractContextManager[None]:
    """A span around a block, below `parent` (a `traceparent`) or else the current span. Attributes: names, codes and
    counts, never a record's content; each gets the prefix `ioc.`."""
    return _OFF if _tracer is None else _span(name, parent, links, attributes)


@contextmanager
def _span(name: str, parent: str | None, links: Sequence[str], attributes: dict[str, str | int]) -> Iterator[None]:
    from opentelemetry import trace

    told = {f"ioc.{key}": value for key, value in attributes.items()}
    others = [trace.Link(trace.get_current_span(_read(link)).get_span_context()) for link in links[:LONGEST_LINKS]]
    context = _read(parent) if parent is not None else None
    with _tracer.start_as_current_span(
        name, context=context, links=others, attributes=told, record_exception=False, set_status_on_exception=False
    ) as current:
        try:
            yield
        except BaseException as error:
            # An exception's own words may hold a record.
            current.set_status(trace.StatusCode.ERROR, type(error).__name__)
            raise


def context() -> str | None:
    """The current span as a `traceparent`; None without one."""
    if _tracer is None:
        return None
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return carrier.get(HEADER)


def context_in(headers: Sequence[tuple[str, bytes]] | None) -> tuple[str, ...]:
    """The `traceparent` of a record's headers, as a tuple of none or one."""
    if not headers:
        return ()
    return tuple(value.decode("ascii", "replace") for name, value in headers if name == HEADER)[:1]


def _read(traceparent: str | None) -> Any:
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    return TraceContextTextMapPropagator().extract({HEADER: traceparent or ""})
