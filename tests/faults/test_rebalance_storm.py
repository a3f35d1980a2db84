"""Workers that come and go: what a hand-over costs, and a storm of them under load."""

from __future__ import annotations

import random
import re
import statistics
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.dossiers import life_cycles
from tests.faults.group import Feed, Group, Worker, assert_exact, group, rows_written
from tests.stream_worker import SESSION_TIMEOUT, Bench, bench

HAND_OVER_S = 2.0
"""More than the session time-out, from a kill until a peer has written a record of the dead worker's partition."""

BUSY = 3.0
"""Times as long, in a suite that other work may run beside; the figure itself is measured by `make bench`."""

PARTITIONS = 4

CHANGE_EVERY_S = 5.0
STORM_S = 180.0
UNDISTURBED_S = 30.0
KEPT = 0.5
"""Of the undisturbed throughput."""

LOAD = 4_000.0
"""Events/s, all the time; what a storm leaves undone shows as rows that are not written in time."""

_TOOK = re.compile(r"took_s=([\d.]+)")


@pytest.fixture
def table(kafka: str, warehouse: str, tmp_path: Path) -> Iterator[Bench]:
    with bench(kafka, warehouse, f"s{uuid.uuid4().hex[:8]}", tmp_path) as ready:
        yield ready


def taking_over_s(workers: list[Worker]) -> list[float]:
    """What the take-over of each partition took."""
    return [
        float(took) for worker in workers for took in _TOOK.findall("\n".join(worker.events("partition_taken_over")))
    ]


def written_by_partition(table: Bench) -> dict[int, int]:
    rows = table.warehouse.rows(
        f"SELECT partition, max(`offset`) FROM {table.contract.changes_table} GROUP BY partition"
    )
    return {int(partition): int(offset) for partition, offset in rows}


def all_move(running: Group, within_s: float) -> float:
    """Seconds until every partition has rows beyond those it has now."""
    began, before = time.monotonic(), written_by_partition(running.table)
    while any(written_by_partition(running.table).get(number, -1) <= last for number, last in before.items()):
        assert time.monotonic() - began < within_s, "\n".join(worker.log()[-2000:] for worker in running.workers)
        time.sleep(0.05)
    return time.monotonic() - began


@pytest.mark.long
def test_the_partitions_of_a_killed_worker_move_on_within_the_session_time_out_and_two_seconds(table: Bench) -> None:
    limit_s = SESSION_TIMEOUT.total_seconds() + HAND_OVER_S
    with group(table) as running, Feed(table, life_cycles(30_000, seed=3), 1_000) as feed:
        survivor, doomed = running.start(), running.start()
        survivor.wait_until_it_works()
        doomed.wait_until_it_works()
        all_move(running, 30)
        taken = len(survivor.events("partition_taken_over"))
        doomed.process.kill()
        began = time.monotonic()
        doomed.process.wait()
        # What the dead worker had sent may still arrive: the survivor must have taken over before anything counts.
        while len(survivor.events("partition_taken_over")) < taken + PARTITIONS:
            assert time.monotonic() - began < BUSY * limit_s, survivor.log()[-3000:]
            time.sleep(0.02)
        all_move(running, BUSY * limit_s)
        took_s = time.monotonic() - began
        steps = taking_over_s([survivor])[-PARTITIONS:]
        print(
            f"\nhanded over in {took_s:.2f} s, limit {limit_s:.1f} s on a machine of its own; "
            f"taking over took {steps} s"
        )
        assert took_s <= BUSY * limit_s
        assert_exact(running, feed.stop())


def throughput(running: Group, seconds: float) -> float:
    """Rows a second over so long."""
    began, before = time.monotonic(), rows_written(running.table)
    time.sleep(seconds)
    return (rows_written(running.table) - before) / (time.monotonic() - began)


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_a_storm_of_joins_and_leaves_loses_and_doubles_nothing_and_halves_the_throughput_at_most(
    table: Bench,
) -> None:
    chance = random.Random(5)
    with group(table) as running, Feed(table, life_cycles(360_000, seed=5), LOAD) as feed:
        steady = [running.start()]
        steady[0].wait_until_it_works()
        running.wait_for_more(10_000)
        undisturbed = [throughput(running, UNDISTURBED_S)]
        guests: list[Worker] = []
        began, before, changes = time.monotonic(), rows_written(table), 0
        while (passed := time.monotonic() - began) < STORM_S:
            if guests and (len(guests) == 3 or chance.random() < 0.5):
                guest = guests.pop(chance.randrange(len(guests)))
                # In turn an orderly end and a death.
                guest.process.kill() if changes % 2 else guest.process.terminate()
            else:
                guests.append(running.start())
            changes += 1
            time.sleep(max(0.0, changes * CHANGE_EVERY_S - passed))
        stormy = (rows_written(table) - before) / (time.monotonic() - began)
        for guest in guests:
            guest.process.kill()
        all_move(running, 60)
        undisturbed.append(throughput(running, UNDISTURBED_S))
        assert feed.running
        calm = statistics.mean(undisturbed)
        took = taking_over_s(running.workers)
        print(
            f"\n{changes} joins and leaves in {STORM_S:.0f} s: {stormy:,.0f} rows/s, undisturbed before and after "
            f"{undisturbed[0]:,.0f} and {undisturbed[1]:,.0f}: {stormy / calm:.0%}; take-overs {len(took)}, "
            f"median {statistics.median(took):.2f} s, longest {max(took):.2f} s"
        )
        events = feed.stop()
        assert_exact(running, events, 300)
        assert steady[0].process.poll() is None
        assert not steady[0].events("worker_fenced")
        assert stormy >= KEPT * calm
