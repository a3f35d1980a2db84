"""`ioc topics grow`: publishers stop, everything is processed, partitions are added, publishers go on."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from connectors.clock import now_ms
from connectors.compacted import CompactedTopic
from connectors.holds import Hold, Holds, TopicHeldError, hold_key
from connectors.partition import partition_of
from connectors.publish import Publisher
from connectors.status import STATUS_TOPIC
from hub.topic_growth import Grown, GrowthRefusedError, grow, surroundings
from hub.topics import ensure_topics, partition_count
from schemas.contract import load_contracts
from streams.warehouse.schema import fence_table
from tests.core_figures import measured
from tests.dossiers import dossier, figures, life_cycles
from tests.stream_worker import ROOT, Bench, bench, value_of
from tests.topic_tools import add_partitions, sent

HELD_MOST_S = 20


@pytest.fixture
def table(kafka: str, warehouse: str, tmp_path: Path) -> Iterator[Bench]:
    ensure_topics(kafka, [], 1, 1)
    with bench(kafka, warehouse, f"g{uuid.uuid4().hex[:8]}", tmp_path, partitions=2) as ready:
        yield ready


@contextlib.asynccontextmanager
async def publisher(table: Bench) -> AsyncIterator[tuple[Publisher, CompactedTopic]]:
    """One that heeds holds, as the connectors' do."""
    statuses = CompactedTopic(table.bootstrap, STATUS_TOPIC)
    ready = Publisher(table.bootstrap, holds=Holds(statuses, now_ms))
    await statuses.start()
    await ready.start()
    try:
        yield ready, statuses
    finally:
        await ready.stop()
        await statuses.stop()


async def grown(table: Bench, statuses: CompactedTopic, partitions: int, within_s: float = 60) -> Grown:
    around = surroundings(table.bootstrap, table.name, statuses, table.warehouse, table.contract, lambda text: None)
    return await grow(around, table.contract.topic, partitions, within_s)


async def test_partitions_are_added_under_load_with_every_entity_in_order(table: Bench) -> None:
    events = life_cycles(1_200, seed=31)
    topic, worker = table.contract.topic, table.start()
    held = 0

    async def publish(ready: Publisher) -> None:
        nonlocal held
        for start in range(0, len(events), 50):
            part = [(e["entity_key"].encode(), value_of(e)) for e in events[start : start + 50]]
            while True:
                try:
                    await ready.publish(topic, part)
                    break
                except TopicHeldError as error:
                    assert error.retry_after_s > 0
                    held += 1
                    await asyncio.sleep(0.05)

    try:
        async with publisher(table) as (ready, statuses):
            publishing = asyncio.create_task(publish(ready))
            # Three is no multiple of two: entities move between the old partitions too.
            done = await grown(table, statuses, 3)
            assert done == Grown(3, reassigned=True, in_order=True)
            await publishing
        assert held > 0
        await asyncio.to_thread(table.wait, lambda: table.primary_rows() == len(events))
        await asyncio.to_thread(table.wait, lambda: measured(table) == figures(events), 15)
        records = sent(table)
        moved = [r for r in records if r.key is not None and r.partition != partition_of(r.key, 2)]
        assert all(r.key is not None and r.partition == partition_of(r.key, 3) for r in moved)
        assert moved
        lives = table.warehouse.rows(f"SELECT DISTINCT life FROM {table.name}_changes ORDER BY life")
        assert [life for (life,) in lives] == [0, 1]
    finally:
        worker.send_signal(signal.SIGTERM)
        worker.wait(20)


@pytest.mark.long
async def test_what_cannot_be_drained_stays_as_it_is_and_publishers_go_on(table: Bench) -> None:
    async with publisher(table) as (ready, statuses):
        event = dossier(1, 1)
        await ready.publish(table.contract.topic, [(event["entity_key"].encode(), value_of(event))])
        with pytest.raises(GrowthRefusedError, match="1 "):
            await grown(table, statuses, 4, within_s=1)
        await ready.publish(table.contract.topic, [(event["entity_key"].encode(), value_of(event))])
    assert partition_count(table.bootstrap, table.contract.topic) == 2


async def test_what_cannot_be_is_refused_before_anything_changes(table: Bench) -> None:
    async with publisher(table) as (_, statuses):
        for partitions in (1, 2):
            with pytest.raises(GrowthRefusedError, match="2"):
                await grown(table, statuses, partitions)
        elsewhere = dataclasses.replace(table, contract=dataclasses.replace(table.contract, entity="nothing"))
        with pytest.raises(GrowthRefusedError, match="nothing"):
            await grown(elsewhere, statuses, 4)
        assert statuses.get(hold_key(table.contract.topic)) is None


@pytest.mark.long
async def test_a_hold_of_one_who_died_ends_by_itself_and_growing_again_goes_on(table: Bench) -> None:
    topic = table.contract.topic
    async with publisher(table) as (ready, statuses):
        await statuses.put(hold_key(topic), Hold(topic, now_ms() + 1_000, "a process that died").to_json())
        event = dossier(1, 1)
        message = [(event["entity_key"].encode(), value_of(event))]
        with pytest.raises(TopicHeldError):
            await ready.publish(topic, message)
        async with asyncio.timeout(HELD_MOST_S):
            while True:
                with contextlib.suppress(TopicHeldError):
                    await ready.publish(topic, message)
                    break
                await asyncio.sleep(0.05)


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_partitions_that_shuffle_entities_wait_until_somebody_decides(table: Bench) -> None:
    """Another tool made three of two; all was processed, but the worker cannot know that."""
    first, later = life_cycles(200, seed=32), [dossier(number, 9, status=10) for number in range(200)]
    await table.produce([(e["entity_key"].encode(), value_of(e)) for e in first])
    worker = table.start()
    table.wait(lambda: table.primary_rows() == len(first))
    worker.send_signal(signal.SIGTERM)
    worker.wait(20)
    add_partitions(table, 3)
    await table.produce([(e["entity_key"].encode(), value_of(e)) for e in later])
    worker = table.start()
    try:
        await asyncio.to_thread(table.wait, lambda: "partitions_shuffled" in table.log())
        assert "--without-drain" in table.log()
        assert table.primary_rows() == len(first)
        async with publisher(table) as (_, statuses):
            around = surroundings(table.bootstrap, table.name, statuses, table.warehouse, table.contract, print)
            done = await grow(around, table.contract.topic, 3, 10, drain=False)
        assert done.in_order
        await asyncio.to_thread(table.wait, lambda: table.primary_rows() == len(first) + len(later))
        await asyncio.to_thread(table.wait, lambda: measured(table) == figures([*first, *later]), 15)
    finally:
        worker.kill()
        worker.wait()


def test_the_command_says_what_it_refuses(table: Bench) -> None:
    dossiers = load_contracts()["dossier"]
    ensure_topics(table.bootstrap, [dossiers], 12, 1)
    table.warehouse.command(fence_table(dossiers))
    environment = {
        **os.environ,
        "IOC_STATE_DIR": str(table.state),
        "IOC_KAFKA__BOOTSTRAP_SERVERS": table.bootstrap,
        "IOC_CLICKHOUSE__URL": table.url,
        "IOC_LANG": "en",
    }

    def ioc(*arguments: str) -> tuple[int, str]:
        command = [sys.executable, "-m", "hub.cli", "topics", "grow", *arguments]
        done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=120)
        return done.returncode, done.stderr

    code, told = ioc(dossiers.topic, "--partitions", "3")
    assert code == 1
    assert "12 partitions already" in told
    code, told = ioc("ioc.nothing.nobody", "--partitions", "3")
    assert code == 1
    assert dossiers.topic in told
    assert partition_count(table.bootstrap, dossiers.topic) == 12
