"""Killed at every fault point, under load: nothing is lost, nothing counted twice, whatever dies when.

After the kills a worker finishes, and everything is held against the oracle: every offset's row, the rows that take
back, rollups, current states, ledger and quarantine.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

import pytest

from streams.faultpoints import POINTS
from tests.books_of_core import assert_right
from tests.kills import (
    Load,
    PrivateWarehouse,
    kill_warehouse,
    kill_worker,
    lasting_worker,
    load,
    private_warehouse,
    put_down,
    start_worker,
    warehouse_kills,
    worker_kills,
)
from tests.stream_worker import Bench, bench

SEED = 20_260_924


async def books_are_right(going: Load) -> None:
    """Let a worker finish, and compare."""
    worker = start_worker(going.table)
    try:
        outcome = await asyncio.to_thread(assert_right, going.table, 240.0)
        assert len(outcome.kinds) == going.sent
        assert {"applied", "superseded", "repeat", "quarantined"} <= set(outcome.kinds.values())
        changes = going.table.contract.changes_table
        joint = going.table.warehouse.rows(f"SELECT uniqExact(joint) FROM {changes} WHERE joint != ''")[0][0]
        assert joint, "small batches of several partitions go together"
        print(f"{len(outcome.kinds)} records, {len(outcome.states)} states, {len(outcome.reasons)} bad: books right")
        print(f"{joint} blocks of several partitions")
    finally:
        put_down(worker)


@contextlib.contextmanager
def table(kafka: str, url: str, state: Path) -> Iterator[Bench]:
    name = f"k{uuid.uuid4().hex[:8]}"
    (state / name).mkdir()
    with bench(kafka, url, name, state / name) as ready:
        yield ready


async def workers_killed(kafka: str, url: str, state: Path, faults: Sequence[str], seed: int) -> list[str]:
    """A topic whose workers die at these points in turn, and its books."""
    with table(kafka, url, state) as ready:
        async with load(ready, random.Random(seed)) as going:
            for fault in faults:
                await kill_worker(going, fault)
            print(f"{len(faults)} workers killed, {going.sent} records sent")
            await books_are_right(going)
    return list(faults)


async def warehouses_killed(kafka: str, state: Path, faults: Sequence[str], seed: int) -> list[str]:
    """A topic whose warehouse dies at these points in turn while one worker lives on, and its books."""
    with private_warehouse(state / f"warehouse-{seed}") as owned, table(kafka, owned.url, state) as ready:
        async with load(ready, random.Random(seed)) as going:
            with lasting_worker(ready):
                for fault in faults:
                    await kill_warehouse(going, owned, fault)
                await asyncio.to_thread(owned.start)
            print(f"{len(faults)} warehouses killed, {going.sent} records sent")
            await books_are_right(going)
            assert_nothing_left_over(owned)
    return list(faults)


def assert_nothing_left_over(owned: PrivateWarehouse) -> None:
    """Bodies that a killed warehouse had received are gone."""
    left = [path for path in owned.spool.iterdir() if path.suffix == ".body"]
    assert left == []


def points(faults: Sequence[str]) -> Counter[str]:
    return Counter(fault.partition(":")[0] for fault in faults)


@pytest.mark.timeout(600)
async def test_killed_once_at_every_fault_point_the_core_loses_and_doubles_nothing(
    kafka: str, warehouse: str, tmp_path: Path
) -> None:
    dice = random.Random(SEED)
    parts = worker_kills(dice)
    half = len(parts) // 2
    done = await asyncio.gather(
        workers_killed(kafka, warehouse, tmp_path, list(chain(*parts[:half])), SEED),
        workers_killed(kafka, warehouse, tmp_path, list(chain(*parts[half:])), SEED + 1),
        warehouses_killed(kafka, tmp_path, warehouse_kills(dice, 2), SEED + 2),
    )
    kills = points(list(chain(*done)))
    assert set(kills) == set(POINTS)
    assert kills.total() == 20


LANES, HANDS, WAREHOUSE_ROUNDS = 3, 4, 15


@pytest.mark.long
@pytest.mark.timeout(3600)
async def test_two_hundred_kills_over_all_fault_points_lose_and_double_nothing(
    kafka: str, warehouse: str, tmp_path: Path
) -> None:
    async def lane(number: int) -> list[str]:
        dice = random.Random(SEED + number)
        done: list[str] = []
        for hand in range(HANDS):
            faults = list(chain(*worker_kills(dice)))
            done += await workers_killed(kafka, warehouse, tmp_path, faults, SEED + 100 * number + hand)
        return done

    async def warehouse_lane() -> list[str]:
        dice = random.Random(SEED)
        done: list[str] = []
        for turn in range(3):
            faults = warehouse_kills(dice, WAREHOUSE_ROUNDS // 3)
            done += await warehouses_killed(kafka, tmp_path, faults, SEED + 1000 + turn)
        return done

    done = await asyncio.gather(*(lane(number) for number in range(LANES)), warehouse_lane())
    kills = points(list(chain(*done)))
    assert set(kills) == set(POINTS)
    assert min(kills.values()) >= 12
    assert kills.total() >= 200
