"""The monitor's metrics, from its last round; a dataset that is gone has no series any more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from hub.exposition import Rows
from hub.health.states import ABNORMAL, STATES
from hub.kafka_watch import KafkaWatch
from hub.monitor import Judged, Monitor
from schemas.promise import Cadence, CutOff

OF_DATASET = ["department", "dataset"]


class FreshnessCollector(Collector):
    """Freshness of every dataset. `department` is the unit's code, `dataset` the connector's id; names are on
    `ioc_dataset_info` alone. What is not known has no sample; a monitor whose turn it is not tells nothing of them."""

    def __init__(self, monitor: Monitor, watch: KafkaWatch) -> None:
        self._monitor = monitor
        self._watch = watch

    def collect(self) -> Iterable[Metric]:
        last = self._monitor.last
        up = GaugeMetricFamily("ioc_collector_up", "0 if its last collection failed.", labels=["collector"])
        up.add_metric(["kafka"], 1.0 if self._watch.cause() is None else 0.0)
        up.add_metric(["datasets"], 0.0 if last is None else 1.0)
        up.add_metric(["warehouse"], 0.0 if last is None or not last.warehouse else 1.0)
        yield up
        turn = GaugeMetricFamily("ioc_monitor_turn", "1 if this monitor evaluates and tells, 0 if another one does.")
        turn.add_metric([], 1.0 if self._monitor.in_turn else 0.0)
        yield turn
        begun = CounterMetricFamily("ioc_incidents", "Incidents that began, by state.", labels=["status"])
        for state in sorted(ABNORMAL):
            begun.add_metric([state], float(self._monitor.begun.get(state, 0)))
        yield begun
        if last is not None and self._monitor.in_turn:
            judged_at = GaugeMetricFamily("ioc_monitor_last_judgement_timestamp_seconds", "When all were last judged.")
            judged_at.add_metric([], last.at.timestamp())
            yield judged_at
            yield from _states(last.judged)
            yield from _times(last.judged)
            yield from _declared(last.judged)


def _states(judged: Iterable[Judged]) -> Iterator[Metric]:
    states = Rows(
        "ioc_dataset_freshness_status", "1 for the dataset's state, 0 for every other.", [*OF_DATASET, "status"]
    )
    rows = Rows("ioc_dataset_rows_loaded", "Records applied in the warehouse.", OF_DATASET, "counter")
    for one in judged:
        labels = _labels(one)
        states.choose(labels, STATES, one.freshness.state)
        if one.written is not None:
            rows.add(labels, float(one.written.applied))
    yield from (states, rows)


def _times(judged: Iterable[Judged]) -> Iterator[Metric]:
    event = Rows("ioc_dataset_last_event_timestamp_seconds", "Time of the youngest event.", OF_DATASET)
    load = Rows("ioc_dataset_last_load_timestamp_seconds", "When the warehouse last got records.", OF_DATASET)
    due = Rows(
        "ioc_dataset_deadline_timestamp_seconds",
        "When the next data are due soon (warn) and late (error).",
        [*OF_DATASET, "level"],
    )
    for one in judged:
        labels = _labels(one)
        if one.freshness.last_event_time is not None:
            event.add(labels, one.freshness.last_event_time.timestamp())
        if one.written is not None and one.written.written_at is not None:
            load.add(labels, one.written.written_at.timestamp())
        if one.due is not None:
            due.add((*labels, "warn"), one.due.warn_at.timestamp())
            due.add((*labels, "error"), one.due.error_at.timestamp())
    yield from (event, load, due)


def _declared(judged: Iterable[Judged]) -> Iterator[Metric]:
    info = Rows(
        "ioc_dataset_info",
        "The dataset's entity, kind, promise and names, value 1.",
        [*OF_DATASET, "entity", "kind", "promise", "department_name", "name"],
    )
    objective = Rows("ioc_dataset_objective_ratio", "The share of time in which the promise is to be kept.", OF_DATASET)
    for one in judged:
        feed = one.feed
        name = (feed.name or {}).get("vi", feed.connector)
        info.add((*_labels(one), feed.entity, feed.kind, _form(one), feed.department, name), 1.0)
        objective.add(_labels(one), feed.objective / 100)
    yield from (info, objective)


def _form(one: Judged) -> str:
    form = one.feed.rule.form if one.feed.rule is not None else None
    if form is None or isinstance(form, Cadence):
        return "cadence"
    return "cut_off" if isinstance(form, CutOff) else "cron"


def _labels(one: Judged) -> tuple[str, str]:
    return one.feed.org or one.feed.department, one.feed.connector
