"""The registry goes away under a running worker, dead or frozen: known schemas go on, others wait, and not for ever."""

from __future__ import annotations

import copy
import io
import itertools
import json
import math
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fastavro
import httpx2
import pytest
from aiokafka.partitioner import murmur2

from hub.config import RegistrySettings, Settings
from hub.group_lag import GroupLag
from hub.topics import ensure_topics
from hub.wiring import registry_client
from schemas.contract import load_contracts
from schemas.errors import RegistryUnavailableError
from schemas.quarantine import TOPIC as QUARANTINE_TOPIC
from schemas.registry_client import RegistryClient
from schemas.schema_texts import UNKNOWN_TTL_S
from schemas.wire import HEADER_BYTES, frame
from tests.contract.conftest import wait_ready
from tests.core_figures import assert_every_offset_once, kinds, measured
from tests.dossiers import dossier, figures
from tests.faults.servers import Server
from tests.stack import ROOT, free_port
from tests.stream_worker import Bench, bench, value_of

PARTITIONS = 4
ELECTED_S = 60.0
LONG_S, SHORT_S = 600.0, 3.0
"""How long a batch may wait for a schema: longer than the test, and shorter."""


@dataclass
class Scene:
    """A table, a registry of its own and ids of two versions of the contract. `numbers` are dossiers by partition."""

    table: Bench
    registry: Server
    settings: Settings
    ids: tuple[int, int]
    numbers: dict[int, Iterator[int]]

    def start(self, wait_s: float, fault: str | None = None) -> subprocess.Popen[bytes]:
        table = self.table
        key = (self.settings.state_dir / "secrets" / "service.key").read_text(encoding="utf-8").strip()
        command = [sys.executable, "-m", "tests.registry_worker", table.bootstrap, table.url, table.name]
        command += [str(table.state), self.settings.registry_url, key, str(wait_s)]
        environment = {**os.environ, **({"IOC_FAULT_POINT": fault} if fault else {})}
        with (table.state / "worker.log").open("ab") as log:
            return subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT, env=environment)

    def away(self, how: str) -> None:
        self.registry.kill() if how == "dead" else self.signal(signal.SIGSTOP)

    def back(self, how: str) -> None:
        self.registry.start() if how == "dead" else self.signal(signal.SIGCONT)

    def signal(self, number: signal.Signals) -> None:
        assert self.registry.process is not None
        self.registry.process.send_signal(number)

    def events(self, partition: int, count: int) -> list[dict[str, Any]]:
        """New dossiers whose key belongs to the partition."""
        return [dossier(next(self.numbers[partition]), 1, 9) for _ in range(count)]

    async def send(self, events: list[dict[str, Any]], version: int) -> None:
        messages: list[tuple[bytes, bytes | None]] = [
            (event["entity_key"].encode(), frame(self.ids[version], payload(event, version))) for event in events
        ]
        await self.table.produce(messages)

    def written(self, partition: int) -> int:
        query = f"SELECT count() FROM {self.table.name}_changes WHERE partition = {partition} AND kind != 'retracted'"
        return int(self.table.warehouse.rows(query)[0][0])

    def asked(self, status: int) -> float:
        """How often the registry answered a question for an id so."""
        wanted = f'ioc_registry_requests_total{{operation="schema",status="{status}"}} '
        lines = httpx2.get(f"{self.settings.registry_url}/metrics").text.splitlines()
        return sum(float(line.removeprefix(wanted)) for line in lines if line.startswith(wanted))

    def wait_for_quarantine(self) -> None:
        """The worker has read and confirmed all of the quarantine topic, which the tests of a broker share."""
        lag = GroupLag(self.table.bootstrap, self.table.name, [QUARANTINE_TOPIC])
        try:
            self.table.wait(lambda: all(one.committed == one.end for one in lag.read()))
        finally:
            lag.close()

    def quarantined(self) -> dict[str, int]:
        rows = self.table.warehouse.rows(
            f"SELECT reason_code, count() FROM quarantine FINAL WHERE topic = '{self.table.contract.topic}' GROUP BY 1"
        )
        return dict(rows)


def older() -> dict[str, Any]:
    """A version before the contract's: without its last optional field."""
    schema = copy.deepcopy(load_contracts()["dossier"].schema)
    schema["fields"] = [field for field in schema["fields"] if field["name"] != "applicant_phone"]
    return schema


OLDER = fastavro.parse_schema(older())


def payload(event: dict[str, Any], version: int) -> bytes:
    if version == 0:
        return value_of(event)[HEADER_BYTES:]
    sink = io.BytesIO()
    fastavro.schemaless_writer(sink, OLDER, event)
    return sink.getvalue()


def numbers_of(partition: int) -> Iterator[int]:
    for number in itertools.count():
        key = dossier(number, 1)["entity_key"].encode()
        if (murmur2(key) & 0x7FFFFFFF) % PARTITIONS == partition:
            yield number


def registered(client: RegistryClient, subject: str, schema_text: str) -> int:
    """The id. The registry of the test before was killed: until its session ends no other is elected to write."""
    deadline = time.monotonic() + ELECTED_S
    while True:
        try:
            return client.register(subject, schema_text)
        except RegistryUnavailableError:
            assert time.monotonic() < deadline, f"no registry was elected within {ELECTED_S:.0f} s"


@pytest.fixture
def scene(kafka: str, warehouse: str, tmp_path: Path) -> Iterator[Scene]:
    port = free_port()
    settings = Settings(state_dir=tmp_path / "registry", registry=RegistrySettings(port=port))
    ensure_topics(kafka, [], 1, 1)
    environment = {
        "IOC_STATE_DIR": str(settings.state_dir),
        "IOC_REGISTRY__PORT": str(port),
        "IOC_KAFKA__BOOTSTRAP_SERVERS": kafka,
    }
    registry = Server([sys.executable, "-m", "hub.cli", "registry"], port, tmp_path / "registry.log", environment)
    with bench(kafka, warehouse, f"r{uuid.uuid4().hex[:8]}", tmp_path, PARTITIONS) as table:
        registry.start()
        wait_ready(settings.registry_url)
        try:
            with registry_client(settings) as client:
                new = registered(client, table.contract.subject, table.contract.schema_text)
                old = registered(client, f"{table.name}-older-value", json.dumps(older()))
            numbers = {number: numbers_of(number) for number in range(PARTITIONS)}
            yield Scene(table, registry, settings, (new, old), numbers)
        finally:
            assert registry.process is not None
            registry.process.kill()
            registry.process.wait()


@pytest.mark.parametrize("how", ["dead", pytest.param("frozen", marks=pytest.mark.long)])
async def test_known_schemas_go_on_and_a_batch_with_another_waits_until_the_registry_is_back(
    scene: Scene, how: str
) -> None:
    table = scene.table
    sent = [event for partition in range(PARTITIONS) for event in scene.events(partition, 20)]
    await scene.send(sent, 0)
    worker = scene.start(LONG_S)
    try:
        table.wait(lambda: table.primary_rows() == len(sent))
        scene.away(how)
        # As many as may be worked on at once: none of them keeps the fourth partition from its turn.
        waiting = [event for part in (0, 1, 2) for event in scene.events(part, 30)]
        await scene.send(waiting, 1)
        table.wait(lambda: table.log().count("schemas_awaited") == 3)
        behind, other = scene.events(0, 40), scene.events(3, 600)
        await scene.send(behind, 0)
        await scene.send(other, 0)
        table.wait(lambda: scene.written(3) == 20 + len(other))
        assert [scene.written(part) for part in (0, 1, 2)] == [20, 20, 20]
        assert scene.quarantined() == {}
        scene.back(how)
        everything = [*sent, *waiting, *behind, *other]
        table.wait(lambda: table.primary_rows() == len(everything))
        table.wait(lambda: measured(table) == figures(everything), 10)
        assert_every_offset_once(table, len(everything))
        assert scene.quarantined() == {}
        assert worker.poll() is None
    finally:
        worker.kill()
        worker.wait()


async def test_a_batch_that_has_waited_long_enough_goes_on_without_the_schema_and_stays_so_when_it_is_done_again(
    scene: Scene,
) -> None:
    table = scene.table
    good, unread = scene.events(0, 25), scene.events(0, 15)
    worker = scene.start(SHORT_S)
    try:
        scene.wait_for_quarantine()  # what other tests left there would be passages of the fault
    finally:
        worker.kill()
        worker.wait()
    await scene.send(good[:5], 0)  # whole before the worker starts: one block, and the fault's first passage
    worker = scene.start(SHORT_S, fault="before_insert:2")
    try:
        table.wait(lambda: table.primary_rows() == 5)
        scene.away("dead")
        await scene.send([*unread], 1)
        await scene.send(good[5:], 0)
        worker.wait(60)  # it dies with the decision on record and nothing written
        assert "schemas_given_up" in table.log()
        assert table.primary_rows() == 5
    finally:
        worker.kill()
        worker.wait()
    scene.back("dead")
    wait_ready(scene.settings.registry_url)
    worker = scene.start(LONG_S)
    try:
        count = len(good) + len(unread)
        table.wait(lambda: table.primary_rows() == count)
        table.wait(lambda: scene.quarantined() == {"schema_away": len(unread)})
        assert kinds(table) == {"applied": len(good), "quarantined": len(unread)}
        again = [{**event, "revision": 2, "event_id": f"{event['event_id']}-again"} for event in unread]
        await scene.send(again, 1)
        table.wait(lambda: measured(table) == figures([*good, *again]))
        assert_every_offset_once(table, count + len(again))
    finally:
        worker.kill()
        worker.wait()


async def test_ids_that_the_registry_does_not_know_are_quarantined_and_asked_for_once(scene: Scene) -> None:
    table = scene.table
    worker = scene.start(LONG_S)
    try:
        good = scene.events(0, 5)
        await scene.send(good, 0)
        table.wait(lambda: table.primary_rows() == 5)
        before, begun = scene.asked(404), time.monotonic()
        bad = [event for partition in range(PARTITIONS) for event in scene.events(partition, 250)]
        messages: list[tuple[bytes, bytes | None]] = [
            (event["entity_key"].encode(), frame(987_654 + place % 2, payload(event, 0)))
            for place, event in enumerate(bad)
        ]
        await table.produce(messages)
        table.wait(lambda: scene.quarantined() == {"unknown_schema": len(bad)})
        # Once each, and once more for each time that they are forgotten.
        times = 1 + math.ceil((time.monotonic() - begun) / UNKNOWN_TTL_S)
        assert 2 <= scene.asked(404) - before <= 2 * times
        assert measured(table)["states"] == 5
    finally:
        worker.kill()
        worker.wait()
