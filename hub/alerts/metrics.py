"""What the alert engine says of itself to Prometheus: few labels, no names of people, no text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import get_args

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from hub.alerts.alert import STATES
from hub.alerts.engine import AlertEngine
from hub.alerts.rule import Severity
from hub.alerts.sending import OUTCOMES


class AlertCollector(Collector):
    """Alerts that are not closed, those that opened since the start, and deliveries by channel."""

    def __init__(self, engine: AlertEngine) -> None:
        self._engine = engine

    def collect(self) -> Iterable[Metric]:
        alerts = GaugeMetricFamily(
            "ioc_alerts", "Alerts whose condition holds, by what became of them.", labels=["severity", "state"]
        )
        live = [(one.severity, one.state) for one in self._engine.book.live() if one.ended is None]
        opened = CounterMetricFamily("ioc_alerts_opened", "Alerts that opened.", labels=["severity"])
        for severity in get_args(Severity):
            for state in STATES:
                alerts.add_metric([severity, state], float(live.count((severity, state))))
            opened.add_metric([severity], float(self._engine.opened.get(severity, 0)))
        yield from (alerts, opened)
        told = CounterMetricFamily("ioc_alert_deliveries", "Deliveries that were tried.", labels=["channel", "result"])
        for channel in self._engine.rules.channels:
            for outcome in OUTCOMES[1:]:
                told.add_metric([channel, outcome], float(self._engine.notifier.counts.get((channel, outcome), 0)))
        yield told
        if self._engine.evaluated_at is not None:
            at = GaugeMetricFamily("ioc_alerts_last_evaluation_timestamp_seconds", "When rules were last judged.")
            at.add_metric([], self._engine.evaluated_at.timestamp())
            yield at
