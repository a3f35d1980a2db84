"""A rebuild and the worker killed again and again while events flow: figures and states are exact afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import random
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.generations import BUILDING
from streams.warehouse.catalogue import Catalogue
from tests.integration.test_rebuild import command, currents_differ, differences, finish, flow
from tests.stream_worker import Bench, bench

ROUNDS = 12
SEED = 20


@pytest.fixture
def table(kafka: str, warehouse: str, tmp_path: Path) -> Iterator[Bench]:
    with bench(kafka, warehouse, f"k{uuid.uuid4().hex[:8]}", tmp_path) as ready:
        yield ready


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_kills_of_the_command_and_of_the_worker_in_any_step_leave_nothing_lost_or_double(table: Bench) -> None:
    dice = random.Random(SEED)
    worker = table.start()
    try:
        count = await flow(table, 1_500, SEED, 0.5)
        table.wait(lambda: table.primary_rows() == count)
        flowing = asyncio.create_task(flow(table, 6_000, SEED + 1, 40))
        for _ in range(ROUNDS):
            rebuild = command(table, "rebuild", 300)
            with contextlib.suppress(subprocess.TimeoutExpired):
                await asyncio.to_thread(rebuild.communicate, None, dice.uniform(1.0, 5.0))
            rebuild.kill()
            rebuild.communicate()
            if dice.random() < 0.5:
                worker.kill()
                worker.wait()
                worker = table.start()
        await asyncio.to_thread(finish, command(table, "rebuild", 300), 120)
        count += await flowing
        table.wait(lambda: table.primary_rows() == count)
        table.wait(lambda: not differences(table, {}) and not currents_differ(table), within_s=10)
        entries = [entry for entry in Catalogue(table.warehouse).entries() if entry.entity == table.name]
        assert len(entries) > 3 and not [entry for entry in entries if entry.state in BUILDING]
    finally:
        worker.kill()
        worker.wait()
