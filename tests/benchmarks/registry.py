"""Figures of the schema registry: a start over a large log, reads by id, registrations, refusals under load.

The registry is `ioc registry` with keys on, as in production; clients run in a process of their own, over raw
connections, and `per_core` divides by the processor time of the registry.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import httpx2
import psutil
from aiokafka import AIOKafkaProducer

from hub.clock import utc_now
from hub.registry.records import SchemaRecord, encode, literal_of
from hub.security.keys import KeyStore
from hub.topics import ensure_topics
from schemas.contract import load_contracts
from tests.conftest import ROOT, free_port

SUBJECTS, VERSIONS = 10_000, 10
READS = 120_000
REGISTRATIONS = 4_000
PARTS = 20
CLOCK_TICK_S = 0.01
"""Of the processor times that the system tells."""
CONNECTIONS = 16
REFUSALS = 40
INDEXED_WITHIN_S = 120.0


def schema(subject: int, version: int) -> str:
    """A record of 12 documented fields and more with each version: 1.4 kB on average."""
    fields = [
        {"name": f"field_{number}", "type": ["null", "string"], "default": None, "doc": f"Trường số {number} của mục"}
        for number in range(12 + version)
    ]
    told = {"type": "record", "name": f"Entity{subject}", "namespace": "vn.ioc.bench", "fields": fields}
    return json.dumps(told, ensure_ascii=False, separators=(",", ":"))


async def fill(bootstrap: str, subjects: int) -> int:
    """A log with `VERSIONS` versions of each subject; the bytes of its schemas."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", max_batch_size=1_000_000, linger_ms=20)
    await producer.start()
    size, sent = 0, []
    for number in range(subjects * VERSIONS):
        subject, version = number % subjects, number // subjects + 1
        text = schema(subject, version)
        size += len(text.encode())
        key, value = encode(SchemaRecord(name(subject), version, number + 1, literal_of(text), deleted=False))
        sent.append(await producer.send("_schemas", value, key.encode()))
        if len(sent) >= 5_000:
            await asyncio.gather(*sent)
            sent.clear()
    await asyncio.gather(*sent)
    await producer.stop()
    return size


def name(subject: int) -> str:
    return f"ioc.bench.entity-{subject}-value"


@contextlib.contextmanager
def running(bootstrap: str, state: Path) -> Iterator[tuple[str, psutil.Process, float]]:
    """`ioc registry`: its address, its process, and the seconds from its start until it was ready."""
    port = free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("IOC_")} | {
        "IOC_STATE_DIR": str(state),
        "IOC_REGISTRY__PORT": str(port),
        "IOC_KAFKA__BOOTSTRAP_SERVERS": bootstrap,
        "PYTHONPATH": str(ROOT),
        "MALLOC_ARENA_MAX": "2",
    }
    begun = time.monotonic()
    with (state / "registry.log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-m", "hub.cli", "registry"], env=environment, stderr=log)
    url = f"http://127.0.0.1:{port}"
    try:
        with httpx2.Client(timeout=5) as http:
            while True:
                with contextlib.suppress(httpx2.TransportError):
                    if http.get(f"{url}/readyz").status_code == 200:
                        break
                assert process.poll() is None, (state / "registry.log").read_text()[-2000:]
                assert time.monotonic() - begun < 120, "not ready"
                time.sleep(0.02)
        yield url, psutil.Process(process.pid), time.monotonic() - begun
    finally:
        process.terminate()
        process.wait(20)


def measure(bootstrap: str, folder: Path, scale: float) -> dict[str, Any]:
    """All figures."""
    ensure_topics(bootstrap, load_contracts().values(), 1, 1)
    subjects = max(50, round(SUBJECTS * scale))
    size = asyncio.run(fill(bootstrap, subjects))
    key = KeyStore(folder, utc_now).create("admin").text
    with running(bootstrap, folder) as (url, process, seconds):
        memory = process.memory_info().rss
        versions = subjects * VERSIONS
        figures = {
            "versions": versions,
            "schemas_mb": round(size / 1e6, 1),
            "start_s": round(seconds, 2),
            "start_cpu_s": round(_cpu_s(process), 2),
            "rss_mb": round(memory / 1e6),
        }
        _wait_until_idle(process)
        reads = [request("GET", f"/schemas/ids/{number}", key) for number in _ids(versions, round(READS * scale))]
        figures["get_by_id"] = _rated(url, process, reads)
        tag = httpx2.get(f"{url}/schemas/ids/1", auth=("bench", key)).headers["etag"]
        known = [request("GET", "/schemas/ids/1", key, headers=f"If-None-Match: {tag}\r\n")] * round(READS * scale / 4)
        figures["get_unchanged"] = _rated(url, process, known)
        writes = [registration(number % subjects, key) for number in range(round(REGISTRATIONS * scale))]
        figures["register"] = _rated(url, process, writes)
        figures["refused"] = asyncio.run(refusals(url, key, reads))
        figures["rss_after_mb"] = round(process.memory_info().rss / 1e6)
    return figures


def _wait_until_idle(process: psutil.Process) -> None:
    """Until the registry has made all schemas findable by their form, which it does beside serving."""
    deadline = time.monotonic() + INDEXED_WITHIN_S
    while process.cpu_percent(0.5) > 10:
        assert time.monotonic() < deadline, f"the registry is not idle after {INDEXED_WITHIN_S} s"


def _ids(versions: int, count: int) -> Iterator[int]:
    dice = random.Random(1)
    return (dice.randrange(versions) + 1 for _ in range(count))


def request(method: str, path: str, key: str, body: bytes = b"", headers: str = "") -> bytes:
    """One HTTP/1.1 request as sent."""
    head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n{headers}"
    length = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n" if body else ""
    return f"{head}{length}\r\n".encode() + body


def registration(number: int, key: str) -> bytes:
    """The next version of a subject that has ten."""
    body = json.dumps({"schema": schema(number, VERSIONS + 1)}).encode()
    return request("POST", f"/subjects/{name(number)}/versions", key, body)


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _rated(url: str, process: psutil.Process, requests: Sequence[bytes]) -> dict[str, float]:
    """Median over the parts, and the best part: on a shared machine that is the one least disturbed."""
    size = len(requests) // PARTS
    rates: list[tuple[float, float]] = []
    delays: list[float] = []
    for first in range(0, size * PARTS, size):
        before, begun = _cpu_s(process), time.perf_counter()
        delays += asyncio.run(_all(url, requests[first : first + size]))
        rates.append((size / (time.perf_counter() - begun), size / max(_cpu_s(process) - before, CLOCK_TICK_S)))
    per_s, per_core = ([rate[place] for rate in rates] for place in (0, 1))
    return {
        "per_s": round(median(per_s)),
        "per_s_most": round(max(per_s)),
        "per_core": round(median(per_core)),
        "per_core_most": round(max(per_core)),
        "p50_ms": round(1000 * sorted(delays)[len(delays) // 2], 2),
        "p99_ms": round(1000 * sorted(delays)[len(delays) * 99 // 100], 2),
    }


async def _all(url: str, requests: Sequence[bytes]) -> list[float]:
    parts = await asyncio.gather(*(_sent(url, requests[first::CONNECTIONS]) for first in range(CONNECTIONS)))
    return [delay for part in parts for delay in part]


async def _sent(url: str, requests: Sequence[bytes], wanted: tuple[int, ...] = (200, 304)) -> list[float]:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
    delays = []
    for each in requests:
        begun = time.perf_counter()
        writer.write(each)
        head = await reader.readuntil(b"\r\n\r\n")
        delays.append(time.perf_counter() - begun)
        status = int(head[9:12])
        if status not in wanted:
            raise AssertionError(head)
        length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        if length:
            await reader.readexactly(int(length))
    writer.close()
    return delays


def too_large(key: str) -> bytes:
    """A schema of 10 MB."""
    return request("POST", "/subjects/large/versions", key, json.dumps({"schema": "x" * 10_000_000}).encode())


def too_deep(key: str) -> bytes:
    """A schema of 10,000 arrays in one another."""
    nested = '{"type":"array","items":' * 10_000 + '"int"' + "}" * 10_000
    return request("POST", "/subjects/deep/versions", key, json.dumps({"schema": nested}).encode())


def many_fields(kind: str, key: str) -> bytes:
    """A record of ten thousand fields of one type."""
    fields = [{"name": f"f{number}", "type": kind} for number in range(10_000)]
    body = {"schema": json.dumps({"type": "record", "name": "Wide", "fields": fields})}
    return request("POST", "/subjects/wide/versions", key, json.dumps(body).encode())


async def refusals(url: str, key: str, reads: Sequence[bytes]) -> dict[str, float]:
    """Milliseconds until each is refused, alone and while two connections read as fast as they can."""
    figures = {}
    await _sent(url, [many_fields("string", key)])
    clashing = sorted(await _sent(url, [many_fields("int", key)] * 5, (409,)))
    figures["10000_obstacles_listed_p50_ms"] = round(1000 * clashing[2], 1)
    for what, bad in (("10_mb", too_large(key)), ("10000_deep", too_deep(key))):
        alone = await _sent(url, [bad] * REFUSALS, (413, 422))
        load = [asyncio.create_task(_sent(url, reads[: len(reads) // 4])) for _ in range(2)]
        beside = await _sent(url, [bad] * REFUSALS, (413, 422))
        await asyncio.gather(*load)
        for how, delays in (("alone", alone), ("under_load", beside)):
            figures[f"{what}_{how}_p50_ms"] = round(1000 * sorted(delays)[REFUSALS // 2], 1)
            figures[f"{what}_{how}_max_ms"] = round(1000 * max(delays), 1)
    return figures
