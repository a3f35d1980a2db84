"""Several connect workers share the connectors: one that dies or freezes loses them, and nothing else is lost."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen
from typing import Any

import fastavro
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from connectors.audit_trail import AuditTrail
from connectors.clock import now_ms
from connectors.compacted import CompactedTopic
from connectors.configs import Configs, partition_key
from connectors.cursor import Positions
from connectors.registrar import Registrar
from connectors.status import ConnectorStatus
from connectors.worker import Place
from hub.connect.parts import Caller
from hub.topics import ensure_topics
from schemas.wire import unframe
from tests.connect_place import make_place
from tests.connect_process import start
from tests.connect_world import CONTRACTS, manifest, without_login
from tests.portal_server import Portal, portal_server, record

CONNECTORS = 10
SESSION_S = 3.0
MOVED_WITHIN_S = SESSION_S + 3.0
ADMIN = Caller("test", may_approve=True)
TOPIC = CONTRACTS["dossier"].topic


@dataclass
class Group:
    """Workers as processes, and a view of the topics beside them."""

    bootstrap: str
    place: Place
    portal: Portal
    folder: Path
    configs: CompactedTopic
    statuses: CompactedTopic
    registrar: Registrar
    processes: dict[str, Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str) -> None:
        self.processes[name] = start(self.bootstrap, self.portal.url, self.place, name, self.folder / f"{name}.log")

    def status(self, connector: str) -> ConnectorStatus | None:
        value = self.statuses.get(connector)
        return None if value is None else ConnectorStatus.from_json(value)

    def held_by(self, name: str, since_ms: int = 0) -> set[str]:
        """The connectors that run on a worker and have read their source to the end since a time."""
        found = set()
        for number in range(CONNECTORS):
            status = self.status(f"c{number}")
            if status is not None and status.worker == name and (status.last_poll_ok or 0) > since_ms:
                found.add(f"c{number}")
        return found

    async def until(self, holds: Callable[[], bool], within_s: float, what: str) -> float:
        begun = time.monotonic()
        while not holds():
            told = {name: sorted(self.held_by(name)) for name in self.processes}
            assert time.monotonic() - begun < within_s, f"not within {within_s} s: {what}; {told}"
            await asyncio.sleep(0.05)
        return time.monotonic() - begun

    async def all_read_by(self, name: str) -> None:
        """Until a worker has read every source to its present end."""
        at_ms = now_ms()
        await self.until(lambda: len(self.held_by(name, at_ms)) == CONNECTORS, 20, f"{name} has read all")


@contextlib.asynccontextmanager
async def group_of(kafka: str, folder: Path, portal: Portal) -> AsyncIterator[Group]:
    ensure_topics(kafka, CONTRACTS.values(), 12, 1)
    place = await asyncio.to_thread(make_place, kafka, SESSION_S)
    topics = [CompactedTopic(kafka, place.configs, partition_key)]
    topics += [CompactedTopic(kafka, name) for name in (place.positions, place.statuses, place.audit)]
    configs = Configs()
    topics[0].on_change(lambda key, value: configs.apply(key, value) and None)
    positions = Positions(topics[1], "test")
    registrar = Registrar(configs, topics[0], positions, AuditTrail(topics[3]), now_ms, place.partitions)
    for topic in topics:
        await topic.start()
    group = Group(kafka, place, portal, folder, topics[0], topics[2], registrar)
    try:
        for number in range(CONNECTORS):
            text = manifest(f"c{number}", system=f"s{number}")
            await registrar.apply(f"c{number}", without_login(text), "H53", ADMIN)
        yield group
    finally:
        for process in group.processes.values():
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait(20)
        for topic in topics:
            await topic.stop()


async def written(kafka: str) -> Counter[tuple[str, str]]:
    """How often each (source system, event) of these connectors stands in the topic."""
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, enable_auto_commit=False)
    await consumer.start()
    parsed = fastavro.parse_schema(CONTRACTS["dossier"].schema)
    found: Counter[tuple[str, str]] = Counter()
    try:
        partitions = [TopicPartition(TOPIC, number) for number in range(12)]
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        ends: dict[TopicPartition, int] = await consumer.end_offsets(partitions)
        while any([await consumer.position(part) < end for part, end in ends.items()]):
            for messages in (await consumer.getmany(timeout_ms=500)).values():
                for message in messages:
                    framed = unframe(message.value)
                    if framed is None:
                        continue
                    row: Any = fastavro.schemaless_reader(io.BytesIO(framed[1]), parsed, None)
                    found[row["source_system"], row["event_id"]] += 1
    finally:
        await consumer.stop()
    return found


@pytest.fixture
def portal() -> Any:
    with portal_server([record(number) for number in range(100)]) as running:
        running.open = True
        yield running


async def two_workers(group: Group) -> None:
    """Both hold some, together all."""
    group.start("a")
    await group.until(lambda: len(group.held_by("a")) == CONNECTORS, 40, "the first worker runs all")
    group.start("b")
    await group.until(
        lambda: bool(group.held_by("b")) and len(group.held_by("a") | group.held_by("b")) == CONNECTORS,
        40,
        "both share them",
    )


async def test_a_killed_workers_connectors_move_within_the_session_and_three_seconds(
    kafka: str, tmp_path: Path, portal: Portal
) -> None:
    async with group_of(kafka, tmp_path, portal) as group:
        await two_workers(group)
        orphans = group.held_by("a")
        assert orphans
        killed_ms = now_ms()
        group.processes["a"].kill()
        portal.feed += [record(number, "2022-08-23T08:16:00+07:00") for number in range(100, 130)]
        took_s = await group.until(
            lambda: orphans <= group.held_by("b", killed_ms), MOVED_WITHIN_S, "the other worker reads them"
        )
        print(f"moved within {took_s:.1f} s, session {SESSION_S:g} s")
        await group.all_read_by("b")
    counts = await written(kafka)
    expected = {(f"s{c}", f"sk-{number:06d}") for c in range(CONNECTORS) for number in range(130)}
    assert expected <= set(counts)


async def test_a_frozen_worker_publishes_nothing_when_it_wakes_after_its_connectors_moved(
    kafka: str, tmp_path: Path, portal: Portal
) -> None:
    async with group_of(kafka, tmp_path, portal) as group:
        await two_workers(group)
        orphans = group.held_by("a")
        frozen_ms = now_ms()
        os.kill(group.processes["a"].pid, signal.SIGSTOP)
        await group.until(lambda: orphans <= group.held_by("b", frozen_ms), MOVED_WITHIN_S, "the other reads them")
        portal.feed += [record(number, "2022-08-23T08:17:00+07:00") for number in range(200, 230)]
        await group.all_read_by("b")
        # A later one carries the positions past them: only a worker with an old position would publish them again.
        portal.feed += [record(299, "2022-08-23T08:30:00+07:00")]
        await group.all_read_by("b")
        os.kill(group.processes["a"].pid, signal.SIGCONT)
        await group.until(
            lambda: bool(group.held_by("a", now_ms() - 2000)), 30, "the one that woke is given connectors again"
        )
    counts = await written(kafka)
    new = {(f"s{c}", f"sk-{number:06d}") for c in range(CONNECTORS) for number in range(200, 230)}
    assert {key: counts[key] for key in new if counts[key] != 1} == {}
