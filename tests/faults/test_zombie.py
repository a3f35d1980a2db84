"""A worker that stands still while a peer takes over, and wakes with a batch in hand: nothing twice, and it ends."""

from __future__ import annotations

import os
import signal
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.dossiers import life_cycles
from tests.faults.group import Feed, Group, assert_exact, group
from tests.stream_worker import SESSION_TIMEOUT, Bench, bench

RATE = 2_000.0
"""Events/s: there is always a batch in hand."""

ENDS_WITHIN_S = 20.0
"""On a busy machine."""


@pytest.fixture
def table(kafka: str, warehouse: str, tmp_path: Path) -> Iterator[Bench]:
    with bench(kafka, warehouse, f"z{uuid.uuid4().hex[:8]}", tmp_path) as ready:
        yield ready


def sleep_while_a_peer_works(running: Group, feed: Feed, sleeps_s: float) -> None:
    """One worker sleeps so long – at least until its peer has done some work – and must end when it wakes."""
    zombie = running.start()
    running.wait_for_more(2_000)
    os.kill(zombie.process.pid, signal.SIGSTOP)
    asleep_since = time.monotonic()
    peer = running.start()
    try:
        # What the sleeper had sent may still arrive: only what comes after the take-over is the peer's work.
        peer.wait_until_it_works()
        running.wait_for_more(2_000)
        while time.monotonic() - asleep_since < sleeps_s:
            assert feed.running
            time.sleep(0.1)
    finally:
        os.kill(zombie.process.pid, signal.SIGCONT)
    assert zombie.process.wait(ENDS_WITHIN_S) not in (0, None), zombie.log()[-3000:]
    told = zombie.events("worker_fenced")
    assert len(told) == 1, zombie.log()[-3000:]
    assert "reason=" in told[0]
    assert running.table.contract.topic in told[0]
    # The supervisor's part: start it again. Taking partitions over in an orderly way ends nobody.
    again = running.start()
    again.wait_until_it_works()
    running.wait_for_more(1_000)
    assert (peer.process.poll(), again.process.poll()) == (None, None)
    assert not peer.events("worker_fenced")


@pytest.mark.long
def test_a_zombie_that_wakes_after_a_peer_took_over_doubles_nothing_and_ends(table: Bench) -> None:
    with group(table) as running, Feed(table, life_cycles(30_000, seed=7), RATE) as feed:
        sleep_while_a_peer_works(running, feed, SESSION_TIMEOUT.total_seconds() + 1)
        assert_exact(running, feed.stop())
        for worker in running.workers[1:]:
            worker.stop()


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_zombie_that_slept_for_ninety_seconds_doubles_nothing_and_ends(table: Bench) -> None:
    with group(table) as running, Feed(table, life_cycles(120_000, seed=90), RATE) as feed:
        sleep_while_a_peer_works(running, feed, 90)
        assert_exact(running, feed.stop())


@pytest.mark.long
@pytest.mark.timeout(900)
def test_workers_that_fall_asleep_in_turn_double_nothing(table: Bench) -> None:
    with group(table) as running, Feed(table, life_cycles(120_000, seed=12), RATE) as feed:
        for _ in range(6):
            sleep_while_a_peer_works(running, feed, SESSION_TIMEOUT.total_seconds() + 1)
            for worker in running.workers:
                if worker.process.poll() is None:
                    worker.stop()
        running.start()
        assert_exact(running, feed.stop())
