"""Warehouse or broker away under load: the worker waits within its memory, and catches up in time."""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.dossiers import life_cycles
from tests.faults.group import Feed, Group, Worker, assert_exact, group, log_end, rows_written
from tests.faults.servers import own_broker, own_warehouse
from tests.faults.wire import Relay, relay
from tests.stream_worker import Bench, bench

MOST_BYTES = 500 * 1024 * 1024
"""Resident, of a worker: whatever waits on the topic."""

CATCH_UP = 2.0
"""Times the outage that catching up may take."""

BUSY_S = 10.0
"""More on a busy machine: of a short outage the pause between attempts alone is a good part."""

POLL_S = 0.1


def name() -> str:
    return f"o{uuid.uuid4().hex[:8]}"


@pytest.fixture
def table(kafka: str, warehouse: str, tmp_path: Path) -> Iterator[Bench]:
    with bench(kafka, warehouse, name(), tmp_path) as ready:
        yield ready


@pytest.fixture
def wire(warehouse: str) -> Iterator[Relay]:
    with relay(warehouse) as running:
        yield running


def watch_memory(worker: Worker, until: Callable[[], bool]) -> int:
    """The most that the worker has resident until then, bytes."""
    most = worker.resident_bytes
    while not until():
        most = max(most, worker.resident_bytes)
        time.sleep(POLL_S)
    return most


def passed(seconds: float) -> Callable[[], bool]:
    end = time.monotonic() + seconds
    return lambda: time.monotonic() > end


def seconds_to_catch_up(running: Group, feed: Feed, limit_s: float) -> float:
    """From now until the rows have come up, but for two seconds' worth, with a log that still grows."""
    began = time.monotonic()
    while rows_written(running.table) < feed.taken - 2 * int(feed.rate):
        assert time.monotonic() - began < limit_s, running.workers[-1].log()[-3000:]
        time.sleep(POLL_S)
    return time.monotonic() - began


def outage(
    running: Group, feed: Feed, worker: Worker, away_s: float, go: Callable[[], None], back: Callable[[], None]
) -> None:
    """The warehouse goes, stays away so long and comes back; prints what it cost."""
    running.wait_for_more(1_000)
    before = worker.resident_bytes
    go()
    written = rows_written(running.table)
    most = watch_memory(worker, passed(away_s))
    assert feed.running
    assert worker.process.poll() is None
    waiting = log_end(running.table) - max(written, 0)
    back()
    caught_up_s = seconds_to_catch_up(running, feed, CATCH_UP * away_s + BUSY_S)
    most = max(most, worker.resident_bytes)
    print(
        f"\naway {away_s:.0f} s, {waiting:,} records waiting, caught up in {caught_up_s:.1f} s; "
        f"resident {before >> 20} MB before, at most {most >> 20} MB"
    )
    assert worker.events("batch_waits")
    assert most < MOST_BYTES
    assert caught_up_s <= CATCH_UP * away_s + BUSY_S


def test_a_warehouse_that_is_away_for_some_seconds_is_waited_for_within_memory(table: Bench, wire: Relay) -> None:
    with group(table) as running:
        worker = running.start(wire.url)
        worker.wait_until_it_works()
        with Feed(table, life_cycles(12_000, seed=5), 1_500) as feed:
            outage(running, feed, worker, 3, wire.cut, wire.mend)
            assert_exact(running, feed.stop())
        worker.stop()


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_warehouse_that_is_away_for_two_minutes_is_waited_for_within_memory(kafka: str, tmp_path: Path) -> None:
    events = life_cycles(300_000, seed=120)
    with (
        own_warehouse(tmp_path / "warehouse") as (server, url),
        bench(kafka, url, name(), tmp_path) as table,
        group(table) as running,
    ):
        worker = running.start()
        worker.wait_until_it_works()
        with Feed(table, events, 4_000) as feed:
            outage(running, feed, worker, 120, server.kill, server.start)
            assert_exact(running, feed.stop(), 240)
        worker.stop()


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_warehouse_killed_again_and_again_while_it_writes_loses_and_doubles_nothing(
    kafka: str, tmp_path: Path
) -> None:
    chance = random.Random(61)
    with (
        own_warehouse(tmp_path / "warehouse") as (server, url),
        bench(kafka, url, name(), tmp_path) as table,
        group(table) as running,
        Feed(table, life_cycles(100_000, seed=61), 1_500) as feed,
    ):
        worker = running.start()
        for _ in range(12):
            running.wait_for_more(500, 120)
            time.sleep(chance.uniform(0.0, 0.5))
            server.kill()
            server.start()
        assert_exact(running, feed.stop(), 120)
        worker.stop()


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_broker_restarted_again_and_again_under_load_loses_and_doubles_nothing(
    warehouse: str, tmp_path: Path
) -> None:
    chance = random.Random(8)
    with (
        own_broker(tmp_path / "kafka") as (server, bootstrap),
        bench(bootstrap, warehouse, name(), tmp_path) as table,
        group(table) as running,
        Feed(table, life_cycles(100_000, seed=8), 1_500) as feed,
    ):
        worker = running.start()
        for turn in range(6):
            running.wait_for_more(1_000, 120)
            server.kill() if turn % 2 else server.stop()
            time.sleep(chance.uniform(0.0, 4.0))
            server.start()
        events = feed.stop()
        assert_exact(running, events, 180)
        assert worker.process.poll() is None
