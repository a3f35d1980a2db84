"""Every source kind under kill -9: whatever was taken from the source is on Kafka, or is given again."""

from __future__ import annotations

import asyncio
import contextlib
import io
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fastavro
import orjson
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from hub.topics import ensure_topics
from schemas.wire import unframe
from tests.conformance import NOTE, World
from tests.conftest import ROOT
from tests.connector_process import POINTS
from tests.deadline import eventually
from tests.worlds import WORLDS

RECORDS = 45
QUICK = ("rest", "sql-postgresql")
"""One death each in every run of the tests; all deaths of all worlds in the long ones."""
UNREACHED = {"mqtt": {("stored", 1), ("stored", 3)}, "sql-sqlite": {("stored", 3)}}
"""Points that a world does not come to: a broker keeps the position itself, a snapshot's moves once for many pages."""


def every_death(name: str) -> list[tuple[str, int]]:
    deaths = [(point, times) for point in POINTS for times in (1, 3)]
    return [death for death in deaths if death not in UNREACHED.get(name, ())]


CASES = [
    pytest.param(
        name,
        [(POINTS[number % 3], 2)] if quick else every_death(name),
        marks=() if quick else pytest.mark.long,
        id=f"{name}-{'once' if quick else 'often'}",
    )
    for quick in (True, False)
    for number, name in enumerate(QUICK if quick else sorted(WORLDS))
]


@pytest.fixture
def topic(kafka: str) -> str:
    ensure_topics(kafka, [NOTE], 2, 1)
    return NOTE.topic


@pytest.mark.parametrize(("name", "deaths"), CASES)
async def test_no_record_is_lost_whenever_the_process_is_killed(
    name: str, deaths: list[tuple[str, int]], topic: str, kafka: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    with WORLDS[name](request, tmp_path) as world:
        manifest = _named(world)
        wanted: set[str] = set()
        start = await _ends(kafka, topic)
        for round_, (point, times) in enumerate(deaths):
            world.add(round_ * RECORDS, RECORDS)
            wanted |= world.ids(round_ * RECORDS, RECORDS)
            with _process(world, manifest, kafka, point, times) as process:
                await eventually(lambda process=process: process.poll() is not None, within_s=60)
                assert process.returncode == -signal.SIGKILL
        with _process(world, manifest, kafka, "never", 0) as process:
            async with _following(kafka, topic, start) as found:
                await eventually(lambda: wanted <= set(found), within_s=60)
            assert process.poll() is None
            process.terminate()
            await eventually(lambda: process.poll() is not None, within_s=5)


def _named(world: World) -> Path:
    """The manifest under an id of its own: positions are kept by id."""
    world.manifest()
    text = world.manifest_file.read_text()
    first, _, rest = text.partition("\n")
    # The directory of uploads has the connector's name. Nobody else may: what one has read, another would pass over.
    uploads = "{type: upload}" in rest
    name = first.removeprefix("id: ") if uploads else f"killed-{uuid.uuid4().hex[:8]}"
    world.manifest_file.write_text(f"id: {name}\n{rest}")
    return world.manifest_file


@contextlib.contextmanager
def _process(world: World, manifest: Path, bootstrap: str, point: str, times: int) -> Iterator[subprocess.Popen[bytes]]:
    options: dict[str, Any] = {
        "manifest": str(manifest),
        "bootstrap": bootstrap,
        "point": point,
        "times": times,
        "environ": world.environ,
        "folders": [str(folder) for folder in world.folders],
    }
    command = [sys.executable, "-m", "tests.connector_process", orjson.dumps(options).decode()]
    started = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        yield started
    finally:
        started.kill()
        started.wait(10)


async def _ends(bootstrap: str, topic: str) -> dict[TopicPartition, int]:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    await consumer.start()
    try:
        return dict(await consumer.end_offsets([TopicPartition(topic, number) for number in range(2)]))
    finally:
        await consumer.stop()


@contextlib.asynccontextmanager
async def _following(bootstrap: str, topic: str, start: dict[TopicPartition, int]) -> Any:
    """The event ids that arrive in the topic from `start` on, as they come."""
    parsed = fastavro.parse_schema(NOTE.schema)
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    await consumer.start()
    consumer.assign(list(start))
    for partition, offset in start.items():
        consumer.seek(partition, offset)
    found: list[str] = []

    async def follow() -> None:
        async for message in consumer:
            framed = unframe(message.value)
            assert framed is not None
            row: Any = fastavro.schemaless_reader(io.BytesIO(framed[1]), parsed, None)
            found.append(row["event_id"])

    task = asyncio.create_task(follow())
    try:
        yield found
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await consumer.stop()
