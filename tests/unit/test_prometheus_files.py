"""What sites that run Prometheus and Grafana are given: rules that are tested, runbooks, dashboards of real metrics."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY, CollectorRegistry, Gauge, generate_latest
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families

import connectors.metrics  # noqa: F401 - the roles' instruments are what is looked for
import streams.metrics  # noqa: F401
from hub.alerts.metrics import AlertCollector
from hub.api.metrics import http_metrics
from hub.canary.canary import Canary
from hub.exposition import text_of
from hub.health.consumer import Shown, Status
from hub.health.group import PartitionHealth
from hub.health.lag import Behind
from hub.health.states import ABNORMAL, STATES
from hub.kafka_watch import LagCollector
from hub.monitor import judge_all
from hub.monitor_metrics import FreshnessCollector
from streams.ownership import Partitions
from tests.unit.many_datasets import NOW, Service

DEPLOY = Path(__file__).parents[2] / "deploy"
RULES = DEPLOY / "prometheus"
DASHBOARDS = sorted((DEPLOY / "grafana" / "dashboards").glob("*.json"))
ALERTS: list[dict[str, Any]] = yaml.safe_load((RULES / "alerts.yml").read_text("utf-8"))["groups"][0]["rules"]
RECORDED: list[dict[str, Any]] = [
    rule for group in yaml.safe_load((RULES / "recording.yml").read_text("utf-8"))["groups"] for rule in group["rules"]
]
MOST_VALUES = 100
"""Of a label that is not a data set or a connector: more series than that and the label is a wrong one."""


def monitor(datasets: int = 3) -> Any:
    """A monitor that has judged once."""
    return SimpleNamespace(last=judge_all(Service(datasets)), begun={"late": 1}, in_turn=True)


def watch() -> Any:
    one = PartitionHealth(Behind(4, 2.0), shown=Shown(Status.OK))
    return SimpleNamespace(health=lambda: {("t", 0): one}, members=lambda: 1, cause=lambda: None)


def monitor_registry(datasets: int = 3) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(LagCollector(watch(), "ioc-stream"))
    registry.register(FreshnessCollector(monitor(datasets), watch()))
    registry.register(Canary(SimpleNamespace(), 15.0, lambda: NOW, registry))  # type: ignore[arg-type]
    registry.register(AlertCollector(engine()))
    return registry


def engine() -> Any:
    """An alert engine that has one channel and judged once."""
    return SimpleNamespace(
        book=SimpleNamespace(live=lambda: ()),
        opened={},
        rules=SimpleNamespace(channels={"mail": None}),
        notifier=SimpleNamespace(counts={("mail", "sent"): 1}),
        evaluated_at=NOW,
    )


def families() -> Iterator[Metric]:
    """Every metric of every role."""
    http = http_metrics(CollectorRegistry(), "1")
    for registry in (REGISTRY, http.registry, monitor_registry()):
        yield from registry.collect()


SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}
NAMES = {f"{one.name}{suffix}" for one in families() for suffix in SUFFIXES.get(one.type, ("",))}
NAMES |= {rule["record"] for rule in RECORDED} | {"up"}


def asked(expression: str) -> set[str]:
    """The metrics that a query names."""
    bare = re.sub(r'"[^"]*"|\{[^}]*\}|\[[^]]*\]', "", expression)
    return set(re.findall(r"\b(ioc[_:][a-zA-Z0-9_:]+|up)\b", bare))


def promtool(*arguments: str, text: bytes | None = None) -> None:
    done = subprocess.run(
        ["promtool", *arguments], cwd=RULES, input=text, capture_output=True, check=False, timeout=280
    )
    assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()


needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="Debian package prometheus")


@needs_promtool
def test_rules_and_configurations_are_well_formed() -> None:
    promtool("check", "config", "prometheus.yml")
    done = subprocess.run(["amtool", "check-config", "alertmanager.yml"], cwd=RULES, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


@needs_promtool
def test_every_alert_fires_on_what_it_is_for_and_not_on_its_opposite() -> None:
    promtool("test", "rules", "alerts_test.yml", "slo_test.yml")
    files = [yaml.safe_load((RULES / name).read_text("utf-8")) for name in ("alerts_test.yml", "slo_test.yml")]
    cases = [case for tests in files for case in tests["tests"]]
    for alert in ALERTS:
        expected = [
            bool(check["exp_alerts"])
            for case in cases
            for check in case["alert_rule_test"]
            if check["alertname"] == alert["alert"]
        ]
        assert set(expected) == {True, False}, alert["alert"]


def test_every_alert_is_explained_and_every_runbook_is_of_an_alert() -> None:
    for alert in ALERTS:
        text = (DEPLOY / "runbooks" / f"{alert['alert']}.md").read_text("utf-8")
        assert text.startswith(f"# {alert['alert']}\n")
        assert all(part in text for part in ("**Nghĩa là gì.**", "**Làm gì.**", "**Tự tắt**")), alert["alert"]
        assert alert["labels"]["severity"] in ("page", "ticket")
        assert {"summary", "description", "runbook_url"} == set(alert["annotations"])
    pages = {path.stem for path in (DEPLOY / "runbooks").glob("*.md")}
    assert pages == {alert["alert"] for alert in ALERTS}


def test_every_abnormal_state_has_an_alert() -> None:
    expressions = " ".join(alert["expr"] for alert in ALERTS)
    assert {state for state in STATES if f'status="{state}"' in expressions} == ABNORMAL


@pytest.mark.parametrize("rule", [*ALERTS, *RECORDED], ids=lambda rule: rule.get("alert") or rule["record"])
def test_rules_ask_for_metrics_that_exist(rule: dict[str, Any]) -> None:
    assert asked(rule["expr"])
    assert asked(rule["expr"]) - NAMES == set()


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_dashboards_ask_for_metrics_that_exist(path: Path) -> None:
    dashboard = json.loads(path.read_text("utf-8"))
    assert (dashboard["uid"], dashboard["editable"]) == (path.stem, False)
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            assert asked(target["expr"]), panel["title"]
            assert asked(target["expr"]) - NAMES == set(), panel["title"]


def test_a_wrong_metric_name_would_be_found() -> None:
    assert asked('sum(rate(ioc_dataset_rows_loaded{a="ioc_x"}[5m]))') - NAMES == {"ioc_dataset_rows_loaded"}


PROMISED = """
collector_up consumer_lag consumer_lag_seconds consumer_lag_estimated consumer_status consumer_members
rebalances_total rebalance_duration_seconds_bucket connector_status connector_records_polled_total
connector_records_written_total connector_errors_total connector_retries_total connector_skipped_total
quarantine_records_total quarantine_write_failures_total connector_last_poll_success_timestamp_seconds
connector_last_error_timestamp_seconds source_lag_seconds dataset_last_event_timestamp_seconds
dataset_last_load_timestamp_seconds dataset_deadline_timestamp_seconds dataset_freshness_status
dataset_rows_loaded_total stage_latency_seconds_bucket probe_messages_produced_total probe_messages_received_total
probe_messages_lost_total probe_roundtrip_seconds_bucket sink_batches_total rollup_drift_rows
"""
"""What dashboards of sites are made of: these names stay."""


def test_every_metric_that_sites_build_on_is_there() -> None:
    assert {f"ioc_{name}" for name in PROMISED.split()} - NAMES == set()


async def test_rebalances_are_counted_and_timed_from_giving_back_to_being_given() -> None:
    def told(name: str) -> float:
        return REGISTRY.get_sample_value(name, {"group": "g-of-this-test"}) or 0.0

    partitions = Partitions(lambda tp, turn: None, lambda tp: None, "g-of-this-test")  # type: ignore[arg-type,return-value]
    partitions.assigned(set())
    partitions.revoked(set())
    await asyncio.sleep(0.02)
    partitions.assigned(set())
    assert told("ioc_rebalances_total") == told("ioc_rebalance_duration_seconds_count") == 2
    assert 0.02 <= told("ioc_rebalance_duration_seconds_sum") < 10


@needs_promtool
def test_the_exposition_of_every_role_passes_promtool() -> None:
    own = CollectorRegistry()
    for registry in (monitor_registry(), http_metrics(own, "1").registry):
        promtool("check", "metrics", text=generate_latest(registry))


@needs_promtool
def test_the_monitors_own_writer_says_what_the_librarys_says() -> None:
    registry = monitor_registry()
    Gauge("ioc_x", "Of a \\ and\nlines.", ["a"], registry=registry).labels('"\\\n').set(1.5)
    written = read(text_of(registry))
    # When a histogram was made is of no use to anybody.
    assert written == {key: value for key, value in read(generate_latest(registry)).items() if "_created" not in key[0]}
    promtool("check", "metrics", text=text_of(monitor_registry()))


def read(text: bytes) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def test_a_topic_shows_its_worst_partition() -> None:
    def one(status: Status) -> PartitionHealth:
        return PartitionHealth(Behind(4, 2.0), shown=Shown(status))

    seen: Any = SimpleNamespace(
        health=lambda: {("t", 0): one(Status.OK), ("t", 1): one(Status.STOP), ("t", 2): one(Status.IDLE)},
        members=lambda: 0,
        cause=lambda: None,
    )
    samples = [sample for family in LagCollector(seen, "g").collect() for sample in family.samples]
    shown = [s.labels["status"] for s in samples if s.name == "ioc_consumer_status" and s.value == 1]
    assert shown == ["stop"]


def test_labels_stay_few_and_hold_no_text_of_people() -> None:
    for family in monitor_registry(datasets=200).collect():
        values: dict[str, set[str]] = {}
        for sample in family.samples:
            for name, value in sample.labels.items():
                values.setdefault(name, set()).add(value)
        for name in set(values) - {"dataset", "department", "name", "department_name", "entity"}:
            assert len(values[name]) <= MOST_VALUES, (family.name, name)
        for sample in family.samples:
            assert sample.value == sample.value  # no NaN
            assert abs(sample.value) != float("inf")


def test_a_data_set_that_is_gone_has_no_series_any_more() -> None:
    one = monitor(3)
    collector = FreshnessCollector(one, watch())
    one.last = judge_all(Service(2))
    assert {s.labels["dataset"] for f in collector.collect() for s in f.samples if "dataset" in s.labels} == {
        "d0",
        "d1",
    }
