"""What the HTTP interface counts, for Prometheus. Labels hold route patterns, never addresses or texts."""

from __future__ import annotations

from dataclasses import dataclass

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, generate_latest

LATENCY_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


@dataclass(frozen=True, slots=True)
class HttpMetrics:
    """The instruments of one application, in its own registry."""

    registry: CollectorRegistry
    requests: Counter
    latency: Histogram
    problems: Counter
    streams: Gauge
    warehouse_up: Gauge


def http_metrics(registry: CollectorRegistry, version: str) -> HttpMetrics:
    """Create the instruments in `registry`."""
    Gauge("ioc_build_info", "The running version, value 1.", ["version"], registry=registry).labels(version).set(1)
    return HttpMetrics(
        registry=registry,
        requests=Counter(
            "ioc_http_requests_total", "Requests answered.", ["method", "route", "status"], registry=registry
        ),
        latency=Histogram(
            "ioc_http_request_duration_seconds",
            "Time from a request to the last byte of its answer; live streams are left out.",
            ["route"],
            buckets=LATENCY_BUCKETS_S,
            registry=registry,
        ),
        problems=Counter("ioc_http_problems_total", "Answers that were errors.", ["type"], registry=registry),
        streams=Gauge("ioc_live_streams", "Open live streams.", registry=registry),
        warehouse_up=Gauge("ioc_warehouse_up", "1 if the warehouse answered last.", registry=registry),
    )


def exposition(metrics: HttpMetrics) -> bytes:
    """The text for Prometheus: this application's and the process-wide instruments."""
    return generate_latest(metrics.registry) + generate_latest(REGISTRY)
