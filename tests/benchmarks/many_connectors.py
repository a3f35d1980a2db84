"""One connect worker with hundreds of connectors: its idle cost, and how soon it follows; a real Kafka Connect beside.

`python -m tests.benchmarks.many_connectors BOOTSTRAP PORTAL_URL PREFIX PORT` is the worker that is measured.
"""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import psutil
from aiokafka import AIOKafkaConsumer

from connectors.audit_trail import AuditTrail
from connectors.clock import now_ms
from connectors.compacted import CompactedTopic
from connectors.configs import Configs, partition_key
from connectors.cursor import Positions
from connectors.registrar import Registrar
from connectors.worker import PLACE, Place
from hub.connect.app import build_app
from hub.connect.parts import Caller
from hub.serving import Listener, serve
from hub.topics import ensure_topics
from tests.conftest import ROOT, free_port
from tests.connect_place import make_place
from tests.connect_world import CONTRACTS, KEYS, intakes, manifest, without_login, worker_on
from tests.contract.kafka_connect_worker import kafka_connect, make_topic
from tests.portal_server import portal_server, record

CONNECTORS = 500
POLL_S = 60.0
"""How often each connector asks its source: twice in the shortest promise of the tree."""
IDLE_S = 30.0
REPEATS = 5
ADMIN = Caller("bench", may_approve=True)


def worker(bootstrap: str, portal_url: str, prefix: str, port: str) -> None:
    """The process that is measured."""
    place = Place(prefix, prefix, PLACE.session_s, PLACE.partitions)
    made = worker_on(bootstrap, portal_url, place, f"bench:{port}")
    serve([Listener(build_app(made, intakes(), KEYS.get, lambda: None), "127.0.0.1", int(port))])


async def declare(bootstrap: str, place: Place, count: int) -> None:
    topics = [CompactedTopic(bootstrap, place.configs, partition_key)]
    topics += [CompactedTopic(bootstrap, name) for name in (place.positions, place.audit)]
    configs = Configs()
    topics[0].on_change(lambda key, value: configs.apply(key, value) and None)
    registrar = Registrar(
        configs, topics[0], Positions(topics[1], "bench"), AuditTrail(topics[2]), now_ms, place.partitions
    )
    for topic in topics:
        await topic.start()
    for number in range(count):
        text = without_login(manifest(f"c{number}", poll_s=POLL_S))
        await registrar.apply(f"c{number}", text, "H53", ADMIN)
    for topic in topics:
        await topic.stop()


@contextlib.contextmanager
def running(bootstrap: str, portal_url: str, place: Place) -> Iterator[tuple[httpx2.Client, psutil.Process]]:
    port = free_port()
    command = [sys.executable, "-m", "tests.benchmarks.many_connectors", bootstrap, portal_url, place.prefix, str(port)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    headers = {"Authorization": "Bearer key-of-admin"}
    try:
        with httpx2.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=60) as client:
            yield client, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(30)


def until(holds: Callable[[], bool], within_s: float = 300) -> float:
    """Seconds until it holds."""
    begun = time.perf_counter()
    while not holds():
        assert time.perf_counter() - begun < within_s
        time.sleep(0.01)
    return time.perf_counter() - begun


def all_read(client: httpx2.Client) -> bool:
    with contextlib.suppress(httpx2.TransportError):
        answer = client.get("/connectors?expand=status")
        if answer.status_code == 200:
            told = answer.json().values()
            return len(told) >= CONNECTORS and all(item["status"]["ioc"].get("last_poll_ok") for item in told)
    time.sleep(1)
    return False


def idle(process: psutil.Process) -> dict[str, float]:
    before = process.cpu_times()
    time.sleep(IDLE_S)
    after = process.cpu_times()
    spent = after.user + after.system - before.user - before.system
    return {
        "idle_cpu_percent": round(100 * spent / IDLE_S, 1),
        "rss_mib": round(process.memory_info().rss / 2**20, 1),
    }


class Watch:
    """The end of a topic, followed from now on in a loop of its own thread's making."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._consumer: AIOKafkaConsumer | None = None
        self._loop.run_until_complete(self._open(bootstrap, topic))

    async def _open(self, bootstrap: str, topic: str) -> None:
        self._consumer = AIOKafkaConsumer(
            topic, bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="latest",
            fetch_max_wait_ms=50,
        )  # fmt: skip
        await self._consumer.start()
        for partition in self._consumer.assignment():
            await self._consumer.position(partition)

    def first(self) -> None:
        """Wait for a record."""
        assert self._consumer is not None
        while not self._loop.run_until_complete(self._consumer.getmany(timeout_ms=5000)):
            pass

    def close(self) -> None:
        assert self._consumer is not None
        self._loop.run_until_complete(self._consumer.stop())
        self._loop.close()


def follow(client: httpx2.Client, name: str, act: str, state: str) -> float:
    """From the request until the status says it, seconds."""
    begun = time.perf_counter()
    client.put(f"/connectors/{name}/{act}").raise_for_status()

    def there() -> bool:
        told = client.get(f"/connectors/{name}/status").json()
        states = [task["state"] for task in told["tasks"]] or [told["connector"]["state"]]
        return states == [state]

    until(there, 30)
    return time.perf_counter() - begun


def followed(client: httpx2.Client, name: str) -> dict[str, float]:
    found: dict[str, list[float]] = {"pause_s": [], "resume_s": [], "stop_s": []}
    for _ in range(REPEATS):
        for act, state in (("pause", "PAUSED"), ("resume", "RUNNING"), ("stop", "STOPPED")):
            found[f"{act}_s"].append(follow(client, name, act, state))
        follow(client, name, "resume", "RUNNING")
    return {act: round(statistics.median(times), 3) for act, times in found.items()}


def first_record(client: httpx2.Client, bootstrap: str, topic: str, begin: Callable[[int], None]) -> float:
    """From the request that makes a connector to its first record in the topic, seconds, median."""
    times = []
    for number in range(REPEATS):
        watch = Watch(bootstrap, topic)
        begun = time.perf_counter()
        begin(number)
        watch.first()
        times.append(time.perf_counter() - begun)
        watch.close()
        client.delete(f"/connectors/new-{number}")
    return round(statistics.median(times), 3)


def ours(bootstrap: str) -> dict[str, Any]:
    ensure_topics(bootstrap, CONTRACTS.values(), 12, 1)
    place = make_place(bootstrap, PLACE.session_s, PLACE.partitions)
    asyncio.run(declare(bootstrap, place, CONNECTORS))
    with portal_server([record(number) for number in range(5)]) as portal:
        portal.open = True
        with running(bootstrap, portal.url, place) as (client, process):
            figures: dict[str, Any] = {"all_running_s": round(until(lambda: all_read(client)), 1)}
            figures |= idle(process)

            def begin(number: int) -> None:
                text = without_login(manifest(f"new-{number}"))
                client.put(
                    f"/connectors/new-{number}/manifest", content=text.encode(), headers={"Content-Type": "text/yaml"}
                ).raise_for_status()

            figures["apply_to_first_record_s"] = first_record(client, bootstrap, CONTRACTS["dossier"].topic, begin)
            return figures | followed(client, "c0")


def theirs(bootstrap: str, folder: Path) -> dict[str, Any]:
    source = folder / "lines.txt"
    source.write_text("one\ntwo\n", encoding="utf-8")
    config = {"connector.class": "FileStreamSource", "file": str(source), "topic": "lines", "tasks.max": "1"}
    make_topic(bootstrap, "lines")
    begun = time.perf_counter()
    with kafka_connect(bootstrap, folder, "bench") as url, httpx2.Client(base_url=url, timeout=30) as client:
        figures: dict[str, Any] = {"start_s": round(time.perf_counter() - begun, 1)}
        client.post("/connectors", json={"name": "first", "config": config}).raise_for_status()
        until(lambda: bool(client.get("/connectors/first/status").json().get("tasks")), 30)

        def begin(number: int) -> None:
            client.post("/connectors", json={"name": f"new-{number}", "config": config}).raise_for_status()

        figures["apply_to_first_record_s"] = first_record(client, bootstrap, "lines", begin)
        return figures | followed(client, "first")


def measure(bootstrap: str, folder: Path) -> dict[str, Any]:
    """Both, one after the other."""
    return {f"connectors_{CONNECTORS}": ours(bootstrap), "kafka_connect_4_1": theirs(bootstrap, folder)}


if __name__ == "__main__":
    worker(*sys.argv[1:])
