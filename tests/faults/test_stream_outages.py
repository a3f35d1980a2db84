"""Warehouse or broker away under load: the worker waits within its memory, and catches up in time."""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.dossiers import life_cycles
from tests.faults.group import Feed, Group, Worker, assert_exact, group, rows_written
from tests.faults.servers import own_broker, own_warehouse
from tests.faults.wire import Relay, relay
from tests.stream_worker import Bench, bench

MOST_BYTES = 500_000_000
"""Resident, of a worker: whatever waits on the topic."""

CATCH_UP = 2.0
"""Times the outage that catching up may take."""

BUSY_S = 30.0
"""More, in a suite that other work may run beside: of a short outage the pause between attempts alone is a good part.
The long outage has to do without."""

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


def caught_up(running: Group, feed: Feed, limit_s: float) -> Callable[[], bool]:
    """Whether the rows have come up, but for two seconds' worth, with a log that still grows."""
    late = passed(limit_s)

    def holds() -> bool:
        assert not late(), running.workers[-1].log()[-3000:]
        return rows_written(running.table) >= feed.taken - 2 * int(feed.rate)

    return holds


@dataclass(frozen=True, slots=True)
class Outage:
    """`go` and `back` take the warehouse away and bring it back. `grace_s`: more that catching up may take."""

    away_s: float
    go: Callable[[], None]
    back: Callable[[], None]
    grace_s: float = 0.0


def suffer(outage: Outage, running: Group, feed: Feed, worker: Worker) -> int:
    """The warehouse goes, stays away and comes back; the worker's most resident bytes. Prints what it cost."""
    running.wait_for_more(1_000)
    before = worker.resident_bytes
    outage.go()
    most = watch_memory(worker, passed(outage.away_s))
    assert feed.running
    assert worker.process.poll() is None, worker.log()[-3000:]
    assert worker.events("batch_waits")
    sent = feed.taken
    outage.back()
    began = time.monotonic()
    waiting = sent - rows_written(running.table)
    limit_s = CATCH_UP * outage.away_s + outage.grace_s
    most = max(most, watch_memory(worker, caught_up(running, feed, limit_s)))
    print(
        f"\naway {outage.away_s:.0f} s, {waiting:,} records waiting, caught up in {time.monotonic() - began:.1f} s; "
        f"resident {before >> 20} MB before, at most {most >> 20} MB"
    )
    return most


@pytest.mark.long
def test_a_warehouse_that_is_away_for_some_seconds_is_waited_for_within_memory(table: Bench, wire: Relay) -> None:
    with group(table) as running:
        worker = running.start(wire.url)
        worker.wait_until_it_works()
        with Feed(table, life_cycles(12_000, seed=5), 1_500) as feed:
            most = suffer(Outage(3, wire.cut, wire.mend, BUSY_S), running, feed, worker)
            assert_exact(running, feed.stop())
        worker.stop()
    assert most < MOST_BYTES


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
            most = suffer(Outage(120, server.kill, server.start), running, feed, worker)
            assert_exact(running, feed.stop(), 240)
        worker.stop()
    assert most < MOST_BYTES


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
