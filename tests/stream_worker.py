"""A stream worker over a private copy of a contract, so that tests share a broker and a warehouse."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import fastavro
import yaml
from aiokafka import AIOKafkaProducer
from kafka import KafkaAdminClient
from kafka.admin import NewTopic
from kafka.errors import TopicAlreadyExistsError

from connectors.publish import Publisher
from hub.stream_role import KafkaQuarantine
from schemas import tracing
from schemas.contract import Contract, load_contracts
from schemas.errors import UnknownSchemaError
from schemas.quarantine import TOPIC as QUARANTINE_TOPIC
from schemas.wire import frame
from streams.app import StreamSettings, StreamWorker
from streams.last_exit import end_process_after
from streams.plan import EntityPlan, plan_entity
from streams.schema_wait import LIMIT
from streams.topic_ids import topic_ids
from streams.warehouse.client import Warehouse
from streams.warehouse.schema import migrate

ROOT = Path(__file__).parent.parent
SESSION_TIMEOUT = timedelta(seconds=2)
"""Short, so that a killed worker's partitions come free soon."""

GROWTH_SETTLE = timedelta(seconds=1)
"""The tests' publishers are new ones each time, and know of added partitions at once."""


def private_contract(name: str) -> Contract:
    """The dossier's contract as another entity: topic `ioc.<name>.<name>`, tables `<name>_…`."""
    return replace(load_contracts()["dossier"], domain=name, entity=name)


def private_plan(contract: Contract) -> EntityPlan:
    raw = yaml.safe_load((ROOT / "streams" / "kpis" / "dossier.yaml").read_text(encoding="utf-8"))
    return plan_entity({**raw, "entity": contract.entity}, {contract.entity: contract}, "test")


def value_of(record: dict[str, Any]) -> bytes:
    """A record on the wire, by schema 1."""
    sink = io.BytesIO()
    fastavro.schemaless_writer(sink, _PARSED, record)
    return frame(1, sink.getvalue())


_PARSED = fastavro.parse_schema(json.loads(load_contracts()["dossier"].schema_text))


@dataclass(frozen=True, slots=True)
class Bench:
    """A topic and its tables, ready; `start` runs a worker process."""

    bootstrap: str
    url: str
    name: str
    state: Path
    warehouse: Warehouse
    contract: Contract

    def create_topic(self, partitions: int) -> None:
        admin = KafkaAdminClient(bootstrap_servers=self.bootstrap)
        for topic, count in ((self.contract.topic, partitions), (QUARANTINE_TOPIC, 1)):
            with contextlib.suppress(TopicAlreadyExistsError):
                admin.create_topics([NewTopic(topic, count, 1)])
        admin.close()

    async def produce(self, messages: Sequence[tuple[bytes, bytes | None]]) -> None:
        """Write in order; returns when the broker has all."""
        producer = AIOKafkaProducer(bootstrap_servers=self.bootstrap, acks="all", linger_ms=5)
        await producer.start()
        try:
            sent = [await producer.send(self.contract.topic, value=value, key=key) for key, value in messages]
            await asyncio.gather(*sent)
        finally:
            await producer.stop()

    def start(self, quarantine: str | None = None) -> subprocess.Popen[bytes]:
        """`quarantine`: where the worker's refused records go, if not to the same broker by the same way."""
        command = [
            sys.executable,
            "-m",
            "tests.stream_worker_process",
            self.bootstrap,
            self.url,
            self.name,
            str(self.state),
        ]
        command += [quarantine] if quarantine else []
        with (self.state / "worker.log").open("ab") as log:
            return subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)

    def log(self) -> str:
        return (self.state / "worker.log").read_text(encoding="utf-8")

    def primary_rows(self) -> int:
        rows = self.warehouse.rows(f"SELECT count() FROM {self.contract.changes_table} WHERE kind != 'retracted'")
        return int(rows[0][0])

    def wait(self, holds: Callable[[], bool], within_s: float = 150) -> None:
        deadline = time.monotonic() + within_s
        while not holds():
            assert time.monotonic() < deadline, f"not within {within_s} s\n{self.log()[-3000:]}"
            time.sleep(0.05)


@contextlib.contextmanager
def bench(bootstrap: str, url: str, name: str, state: Path, partitions: int = 4) -> Iterator[Bench]:
    """Topic and tables of a private contract called `name`."""
    contract = private_contract(name)
    warehouse = Warehouse(url)
    migrate(warehouse, {name: contract}, {name: private_plan(contract)}, "Asia/Ho_Chi_Minh")
    ready = Bench(bootstrap, url, name, state, warehouse, contract)
    ready.create_topic(partitions)
    try:
        yield ready
    finally:
        warehouse.close()


def _schema_text(schema_id: int) -> str:
    if schema_id != 1:
        raise UnknownSchemaError(str(schema_id))
    return load_contracts()["dossier"].schema_text


async def work(
    bootstrap: str,
    url: str,
    name: str,
    state: str,
    contract: Contract,
    schema_text: Callable[[int], str],
    schema_wait: timedelta = LIMIT,
    quarantine_bootstrap: str | None = None,
) -> None:
    """Run a worker of this contract until the process is asked to stop."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    quarantine = KafkaQuarantine(Publisher(quarantine_bootstrap or bootstrap, client_id="test-quarantine"))
    worker = StreamWorker(
        StreamSettings(
            bootstrap,
            Path(state) / "faust",
            group=name,
            session_timeout=SESSION_TIMEOUT,
            growth_settle=GROWTH_SETTLE,
            schema_wait=schema_wait,
        ),
        [contract],
        Warehouse(url),
        schema_text,
        quarantine,
        topic_ids(bootstrap),
    )
    end_process_after(worker.partitions.failed)
    try:
        await worker.run(stop)
    finally:
        await quarantine.stop()


def run_worker(bootstrap: str, url: str, name: str, state: str, quarantine_bootstrap: str | None = None) -> None:
    """Run one worker until the process is asked to stop."""
    tracing.configure(os.environ.get("IOC_TRACES__ENDPOINT"), "stream")
    asyncio.run(
        work(
            bootstrap, url, name, state, private_contract(name), _schema_text, quarantine_bootstrap=quarantine_bootstrap
        )
    )
