"""What monitors of lag are known to get wrong, each by its name.

Lag itself is in `test_lag.py`, the transactions of a real Kafka in `test_topics.py`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.health.commits import Commit
from hub.health.consumer import Status
from hub.health.group import ALLOWED, PartitionHealth, Place, Reading, fold
from hub.health.writing import SLOW_S, Totals, WriteReport, report, slow
from hub.kafka_watch import LagCollector, beyond
from hub.monitor_metrics import FreshnessCollector
from hub.topics import PartitionLag
from tests.benchmarks import detection, monitoring

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
PLACE = ("t", 0)


def exposed(health: dict[Place, PartitionHealth], members: int | None = 1) -> dict[str, list[float]]:
    """The samples by name, those that say 0 of a status left out."""
    seen: Any = SimpleNamespace(health=lambda: health, members=lambda: members, cause=lambda: None)
    found: dict[str, list[float]] = {}
    for family in LagCollector(seen, "g").collect():
        for sample in family.samples:
            name = f"{sample.name}:{sample.labels['status']}" if "status" in sample.labels else sample.name
            if "status" not in sample.labels or sample.value:
                found.setdefault(name, []).append(sample.value)
    return found


offsets = st.integers(0, 1_000_000)


@settings(max_examples=60)
@given(st.one_of(st.none(), offsets), offsets, offsets, st.one_of(st.none(), st.integers(-(10**6), 10**6)))
def test_whatever_kafka_says_no_lag_is_negative_absurd_or_no_number(
    committed: int | None, start: int, end: int, written_ago_s: int | None
) -> None:
    stamps = {} if written_ago_s is None else {PLACE: NOW - timedelta(seconds=written_ago_s)}
    told = exposed(fold({}, Reading([PartitionLag("t", 0, committed, start, end)], stamps, (), 1), ALLOWED, NOW))
    records, seconds = told.get("ioc_consumer_lag"), told.get("ioc_consumer_lag_seconds")
    assert (records is None) == (committed is None)
    if committed is not None:
        assert records == [max(0, end - max(committed, start))]
    assert seconds is None or 0 <= seconds[0] <= 10**6


def test_what_retention_took_is_no_lag_and_what_compaction_took_is_none_at_the_end() -> None:
    after_retention = PartitionLag("t", 0, 5, 100, 120)
    assert fold({}, Reading([after_retention], {}, (), 1), ALLOWED, NOW)[PLACE].behind.records == 20
    compacted = beyond([PartitionLag("t", 0, 117, 100, 120)], {PLACE: 120})
    assert fold({}, Reading(compacted, {}, (), 1), ALLOWED, NOW)[PLACE].behind.records == 0


def test_a_stopped_group_stays_visible_with_its_lag() -> None:
    told = exposed(fold({}, Reading([PartitionLag("t", 0, 5, 0, 9)], {}, [Commit("t", 0, 5, NOW)], 0), ALLOWED, NOW), 0)
    assert told["ioc_consumer_lag"] == [4]
    assert told["ioc_consumer_status:stop"] == [1]
    assert told["ioc_consumer_members"] == [0]


def test_series_of_a_topic_that_vanished_are_removed() -> None:
    both = [PartitionLag("t", 0, 5, 0, 9), PartitionLag("gone", 0, 1, 0, 9)]
    health = fold({}, Reading(both, {}, (), 1), ALLOWED, NOW)
    assert len(exposed(health)["ioc_consumer_lag"]) == 2
    health = fold(health, Reading(both[:1], {}, (), 1), ALLOWED, NOW + timedelta(seconds=1))
    assert exposed(health)["ioc_consumer_lag"] == [4]


def test_a_topic_made_anew_has_the_lag_of_the_new_one() -> None:
    health = fold({}, Reading([PartitionLag("t", 0, 90, 0, 100)], {}, (), 1), ALLOWED, NOW)
    health = fold(health, Reading([PartitionLag("t", 0, 90, 0, 3)], {}, (), 1), ALLOWED, NOW + timedelta(seconds=1))
    assert health[PLACE].behind.records == 0
    health = fold(health, Reading([PartitionLag("t", 0, 0, 0, 7)], {}, (), 1), ALLOWED, NOW + timedelta(seconds=2))
    assert health[PLACE].behind.records == 7


@pytest.mark.parametrize(
    ("offsets", "status"), [((70, 70, 70), Status.STALL), ((50, 60, 70), Status.OK)], ids=["stands", "moves"]
)
def test_a_monitor_started_under_load_is_right_at_its_first_scrape(offsets: tuple[int, ...], status: Status) -> None:
    commits = [Commit("t", 0, offset, NOW - timedelta(seconds=11 - 5 * n)) for n, offset in enumerate(offsets)]
    reading = Reading([PartitionLag("t", 0, 70, 0, 5_000)], {PLACE: NOW - timedelta(seconds=12)}, commits, 1)
    told = exposed(fold({}, reading, ALLOWED, NOW))
    assert told["ioc_consumer_lag"] == [4_930]
    assert told["ioc_consumer_lag_seconds"] == [12]
    assert told[f"ioc_consumer_status:{status.value}"] == [1]


def test_a_monitor_that_begins_does_not_take_a_worker_that_had_nothing_to_do_for_stalled() -> None:
    rested = [Commit("t", 0, 100, NOW - timedelta(seconds=after)) for after in (13, 8, 3)]
    came = {PLACE: NOW - timedelta(seconds=1)}
    begun = fold({}, Reading([PartitionLag("t", 0, 100, 0, 101)], came, rested, 1), ALLOWED, NOW)
    assert begun[PLACE].status is Status.OK, "the record came after the commits"
    waits = {PLACE: NOW - timedelta(seconds=14)}
    begun = fold({}, Reading([PartitionLag("t", 0, 100, 0, 101)], waits, rested, 1), ALLOWED, NOW)
    assert begun[PLACE].status is Status.STALL, "it waited at each of the commits"


def test_before_it_has_looked_a_monitor_says_nothing_rather_than_zero() -> None:
    blind: Any = SimpleNamespace(last=None, in_turn=False, begun={})
    away: Any = SimpleNamespace(cause=lambda: "not asked yet")
    samples = [sample for family in FreshnessCollector(blind, away).collect() for sample in family.samples]
    assert {sample.name for sample in samples} <= {"ioc_collector_up", "ioc_monitor_turn", "ioc_incidents_total"}
    assert {sample.value for sample in samples} == {0.0}
    assert exposed({}, None) == {}


def test_counters_that_begin_anew_tell_no_negative_and_no_absurd_rate() -> None:
    before, after = Totals(1_000, 50.0, 3), Totals(4, 0.2, 0)
    told = report("w", 1, before, after)
    assert (told.writes, told.seconds, told.failed) == (4, 0.2, 0)
    assert report("w", 1, after, Totals(6, 0.3, 1)).writes == 2


def test_a_worker_that_is_gone_does_not_make_the_warehouse_look_slow_for_ever() -> None:
    at = round(NOW.timestamp() * 1000)
    writing = WriteReport("w", at, 3, 3 * (SLOW_S + 1), 0)
    assert slow([writing], NOW + timedelta(seconds=29))
    assert not slow([writing], NOW + timedelta(seconds=31))
    assert slow([WriteReport("w", at, 0, 0.0, 2)], NOW), "it tries, and nothing is written"
    assert not slow([WriteReport("w", at, 0, 0.0, 0)], NOW), "it rests"


def test_blocks_of_a_first_load_take_long_without_a_slow_warehouse() -> None:
    at = round(NOW.timestamp() * 1000)
    before, after = Totals(10, 2.0, 0, rows=100), Totals(13, 2.0 + 3 * (SLOW_S + 6), 0, rows=20_100)
    loading = WriteReport.from_json(report("w", at, before, after).to_json())
    assert loading.rows == 20_000 and not slow([loading], NOW)
    assert slow([WriteReport("w", at, 6, 6 * 5.0, 0, rows=90)], NOW), "five seconds for a few rows"


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("fault", detection.FAULTS)
def test_each_fault_is_named_within_its_limit(fault: str, seed: int) -> None:
    assert detection.simulated(fault, seed) <= detection.FAULTS[fault][1]


@pytest.mark.long
def test_five_hundred_connectors_of_fourteen_partitions_fit_into_one_scrape() -> None:
    found = monitoring.measure(500, 3)
    assert found["partitions"] == 7_000
    assert found["scrape_cpu_ms"] <= 2_000
    assert found["scrape_peak_mib"] <= 200
