"""What the registry counts, for Prometheus. Labels hold operations, never subjects."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

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
    _counted: dict[tuple[str, int], tuple[Counter, Histogram]] = field(default_factory=dict)
    """The instruments by their labels: looking them up by labels costs more than counting."""

    def answered(self, operation: str, status: int, elapsed_s: float) -> None:
        """Count one answer."""
        counted = self._counted.get((operation, status))
        if counted is None:
            counted = self.requests.labels(operation, str(status)), self.latency.labels(operation)
            self._counted[operation, status] = counted
        counted[0].inc()
        counted[1].observe(elapsed_s)

    def watch(self, counts: Counts, epoch: Callable[[], int]) -> None:
        """Show what a store holds, and whether this instance writes."""
        self.registry.register(_Held(counts))
        self.registry.register(_Epoch(epoch))


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


class _Epoch(Collector):
    def __init__(self, epoch: Callable[[], int]) -> None:
        self._epoch = epoch

    def collect(self) -> Iterable[GaugeMetricFamily]:
        text = "Epoch this instance writes the log with; -1 while another one does."
        yield GaugeMetricFamily("ioc_registry_epoch", text, self._epoch())


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
