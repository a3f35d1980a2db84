"""What operators wait for, by HTTP, over 50M change rows and 5M current states of one entity (times the scale).

A tenth of the change rows are states that count, written through every view; the others are superseded ones, which
readers of the changes must pass and no view takes. KPI queries are asked one after the other with a period each that
was never asked before, so that no cache answers; the rate is that of forty questions over and over, by eight clients.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import psutil

from hub.broker import wait_for_port
from hub.entities.cursor import closed
from hub.entities.listing import Listing
from streams.warehouse.client import Warehouse
from streams.warehouse.schema import migrate
from tests.benchmarks import events, seeding
from tests.benchmarks.operators_server import KEY
from tests.benchmarks.rollups import settle
from tests.benchmarks.stand import TIMEZONE, Stand
from tests.stack import free_port

DAYS = 365
RATE_S = 8.0
CONNECTIONS = 8
QUESTIONS = 40
HEADERS = {"Authorization": f"Bearer {KEY}"}
WANTED = {
    "kpi_p50_ms": 10, "kpi_p99_ms": 40, "kpi_per_core_s": 300, "explain_p50_ms": 150, "records_p50_ms": 50,
    "entities_p50_ms": 50,
}  # fmt: skip


def seed(ready: Stand, current: int, changes: int) -> None:
    """States through every view, then superseded rows into the changes alone."""
    seeding.seed_changes(ready, 0, current, seeding.over_days(DAYS))
    name = ready.name
    for (view,) in ready.warehouse.rows(
        f"SELECT name FROM system.tables WHERE engine = 'MaterializedView' AND position(name, '{name}') > 0"
    ):
        ready.warehouse.command(f"DROP VIEW {view} SYNC")
    columns = [
        row[0] for row in ready.warehouse.rows(f"SELECT name FROM system.columns WHERE table = '{name}_changes'")
    ]
    listed = ", ".join(f"`{column}`" for column in columns)
    replaced = ", ".join(
        {"kind": "'superseded'", "sign": "0", "offset": "`offset` + 1000000000"}.get(column, f"`{column}`")
        for column in columns
    )
    done = current
    while done < changes:
        more = min(current, changes - done)
        ready.warehouse.command(
            f"INSERT INTO {name}_changes ({listed}) SELECT {replaced} FROM {name}_changes WHERE sign = 1 LIMIT {more}",
            seeding.SEED_SETTINGS,
        )
        done += more
    settle(ready)


@contextlib.contextmanager
def serving(url: str) -> Iterator[tuple[int, psutil.Process]]:
    """The API in a process of its own."""
    port = free_port()
    command = [sys.executable, "-m", "tests.benchmarks.operators_server", url, str(port)]
    process = subprocess.Popen(command, env={**os.environ, "PYTHONWARNINGS": "ignore"})
    try:
        assert wait_for_port(port, 120, process)
        yield port, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(30)


def get(connection: http.client.HTTPConnection, path: str) -> Any:
    connection.request("GET", path, headers=HEADERS)
    answer = connection.getresponse()
    body = answer.read()
    if answer.status != 200:
        raise AssertionError(f"{path}: {answer.status} {body[:300]!r}")
    return json.loads(body)


def timed(port: int, paths: list[str]) -> list[float]:
    """Milliseconds of each, sorted."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    taken = []
    for path in paths:
        began = time.perf_counter()
        get(connection, path)
        taken.append((time.perf_counter() - began) * 1000)
    connection.close()
    return sorted(taken)


def period(number: int) -> str:
    """A period of its own for each number."""
    start = date(2022, 1, 1) + timedelta(days=number % 200)
    return f"from={start}&to={start + timedelta(days=30 + number // 200)}"


def summary(name: str, taken: list[float]) -> dict[str, float]:
    return {
        f"{name}_p50_ms": round(statistics.median(taken), 1),
        f"{name}_p99_ms": round(taken[min(len(taken) - 1, round(len(taken) * 0.99))], 1),
    }


async def _rate(port: int) -> int:
    """Answers within `RATE_S`."""
    paths = [f"/v1/kpis/case.online_share?{period(number)}&by=org_code" for number in range(QUESTIONS)]
    ends, count = time.monotonic() + RATE_S, 0

    async def ask(first: int) -> None:
        nonlocal count
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        number = first
        while time.monotonic() < ends:
            number += 1
            path = paths[number % len(paths)]
            writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), head[:100]
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
            count += 1
        writer.close()

    await asyncio.gather(*(ask(place * 5) for place in range(CONNECTIONS)))
    return count


def rate(port: int, server: psutil.Process) -> dict[str, float]:
    """Requests a second, and a second of the API's processor time."""
    before = sum(server.cpu_times()[:2])
    answered = asyncio.run(_rate(port))
    used = sum(server.cpu_times()[:2]) - before
    return {"kpi_per_s": round(answered / RATE_S), "kpi_per_core_s": round(answered / used)}


def depths(current: int) -> dict[str, list[str]]:
    """Addresses of pages of entities at the beginning, in the middle and near the end."""
    found = {}
    for name, unit in (("first", None), ("middle", 10), ("deep", 19)):
        listed = Listing(events.ENTITY)
        key = f"000.{unit:02d}.22.H53-220101-{current // 2:09d}" if unit is not None else None
        cursor = f"&cursor={closed(listed.mark, (key, key))}" if key else ""
        found[name] = [f"/v1/entities/{events.ENTITY}?limit=50{cursor}"] * 12
    return found


def export(port: int, processes: dict[str, psutil.Process], rows: int, current: int) -> dict[str, float]:
    """A CSV of about `rows` records: time, and how much the processes grew."""
    until = date(2022, 1, 1) + timedelta(days=max(1, round(DAYS * min(1.0, rows / current))))
    peak: dict[str, int] = {}
    stopping = threading.Event()

    def watch() -> None:
        while not stopping.is_set():
            for name, process in processes.items():
                peak[name] = max(peak.get(name, 0), process.memory_info().rss)
            stopping.wait(0.1)

    before = {name: process.memory_info().rss for name, process in processes.items()}
    watcher = threading.Thread(target=watch)
    watcher.start()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    began, lines = time.perf_counter(), -1
    early: dict[str, int] = {}
    try:
        connection.request("GET", f"/v1/entities/{events.ENTITY}.csv?where[received_at][lt]={until}", headers=HEADERS)
        answer = connection.getresponse()
        while chunk := answer.read(1 << 20):
            lines += chunk.count(b"\n")
            if not early and lines >= rows // 5:
                early = dict(peak)
    finally:
        stopping.set()
        watcher.join()
    taken = time.perf_counter() - began
    grown = {f"export_{name}_grew_mib": round((peak[name] - before[name]) / 2**20, 1) for name in processes}
    # Flat: what the first fifth took is enough for the rest.
    later = {f"export_{name}_later_mib": round((peak[name] - early.get(name, 0)) / 2**20, 1) for name in processes}
    return {"export_rows": lines, "export_s": round(taken, 1), "export_rows_s": round(lines / taken), **grown, **later}


def measure(url: str, warehouse_pid: int | None, current: int, changes: int, rows: int) -> dict[str, Any]:
    """The part `operators`."""
    contract = events.contract()
    warehouse = Warehouse(url, timeout_s=900)
    migrate(warehouse, {contract.entity: contract}, {contract.entity: events.plan(contract)}, TIMEZONE)
    ready = Stand("", url, contract.entity, Path(), warehouse, contract)
    began = time.monotonic()
    seed(ready, current, changes)
    figures: dict[str, Any] = {"current": current, "changes": changes, "seed_s": round(time.monotonic() - began, 1)}
    kpi: Callable[[int], str] = lambda number: f"/v1/kpis/case.online_share?{period(number)}&by=org_code"  # noqa: E731
    with serving(url) as (port, server):
        timed(port, [kpi(number) for number in range(20)])
        whole = [f"/v1/kpis/case.online_share?{period(1000 + number)}" for number in range(200)]
        figures |= summary("kpi", timed(port, whole))
        figures |= summary("kpi_by_unit", timed(port, [kpi(3000 + number) for number in range(200)]))
        figures |= rate(port, server)
        figures |= summary(
            "explain", timed(port, [f"/v1/kpis/case.on_time_share/explain?{period(number)}" for number in range(20)])
        )
        address = "/v1/kpis/case.on_time_share/records?role=numerator&limit=50&"
        pages = timed(port, [address + period(number) for number in range(20)])
        figures |= summary("records", pages)
        for name, paths in depths(current).items():
            figures |= summary(f"entities_{name}", timed(port, paths))
        processes = {"api": server} | ({"warehouse": psutil.Process(warehouse_pid)} if warehouse_pid else {})
        figures |= export(port, processes, rows, current)
    figures["missed"] = [
        name for name, limit in WANTED.items() if name in figures and _misses(name, figures[name], limit)
    ]
    return figures


def _misses(name: str, value: float, limit: float) -> bool:
    return value < limit if name.endswith("_s") else value > limit
