"""What the registry counts, for Prometheus. Labels hold operations, never subjects."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

LATENCY_BUCKETS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5)

Counts = Callable[[], tuple[int, int, int]]


@dataclass(frozen=True, slots=True)
class RegistryMetrics:
    """The instruments of one registry."""

    registry: CollectorRegistry
    requests: Counter
    latency: Histogram

    def answered(self, operation: str, status: int, elapsed_s: float) -> None:
        """Count one answer."""
        self.requests.labels(operation, str(status)).inc()
        self.latency.labels(operation).observe(elapsed_s)

    def watch(self, counts: Counts) -> None:
        """Show what a store holds."""
        self.registry.register(_Held(counts))


class _Held(Collector):
    def __init__(self, counts: Counts) -> None:
        self._counts = counts

    def collect(self) -> Iterable[GaugeMetricFamily]:
        for name, text, value in zip(
            ("subjects", "versions", "schemas"),
            ("Subjects known, deleted ones included.", "Versions known, deleted ones included.", "Schemas by id."),
            self._counts(),
            strict=True,
        ):
            yield GaugeMetricFamily(f"ioc_registry_{name}", text, value)


def registry_metrics(registry: CollectorRegistry) -> RegistryMetrics:
    """Create the instruments in `registry`."""
    return RegistryMetrics(
        registry,
        Counter("ioc_registry_requests_total", "Requests answered.", ["operation", "status"], registry=registry),
        Histogram(
            "ioc_registry_request_duration_seconds",
            "Time from a request to its answer.",
            ["operation"],
            buckets=LATENCY_BUCKETS_S,
            registry=registry,
        ),
    )
