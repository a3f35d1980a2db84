"""Figures of the connectors: mapping, encoding, publishing, REST polling, pushes.

`python -m tests.benchmarks.connectors` prints one JSON object. Sources and senders run in processes of their own;
`per_core` divides by the CPU time of the process measured.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import psutil
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connectors.encode import Encoder
from connectors.ingest import WebhookIngest
from connectors.intake import IntakeFactory
from connectors.manifest import load_manifests
from connectors.mapping import compile_mapping
from connectors.packing import Packer
from connectors.pseudonym import Pseudonymiser
from connectors.publish import Publisher
from connectors.secrets import SecretResolver
from connectors.seeds import load_seeds
from connectors.signature import sign
from connectors.source import Surroundings
from connectors.worker import ConnectWorker
from hub.broker import Broker, wait_for_port
from hub.serving import Listener
from hub.serving import serve as hub_serve
from hub.topics import ensure_topics
from schemas.contract import load_contracts
from streams.garbage import collect_seldom
from tests import hotline
from tests.conftest import ROOT, free_port
from tests.deadline import eventually
from tests.portal_server import CLIENT_ID, CLIENT_SECRET, LOOPBACK, record

RECORDS = 200_000
PAGE = 5_000
KEY = "the secret of 1022"
CONTRACTS, MANIFESTS = load_contracts(), load_manifests()


class OneId:
    def register(self, subject: str, schema_text: str) -> int:
        return 7


def intakes() -> IntakeFactory:
    return IntakeFactory(CONTRACTS, OneId(), Pseudonymiser(b"k" * 32))


def dossiers(count: int) -> Iterator[dict[str, Any]]:
    """Revisions over nine months, each of its own second, unit, procedure and person."""
    dice = random.Random(1)
    for number in range(count):
        at = datetime(2022, 1, 3, 7, 30) + timedelta(days=number * 270 // count, seconds=dice.randrange(34_000))  # noqa: DTZ001
        filed = f"{at:%d/%m/%Y %H:%M:%S}"
        due = f"{at + timedelta(days=dice.randrange(1, 20)):%d/%m/%Y %H:%M:%S}"
        yield record(
            number,
            f"{at.isoformat()}+07:00",
            maHoSo=f"H53.{dice.randrange(30)}-{at:%y%m%d}-{number % 10_000:04d}",
            maTTHC=f"1.{dice.randrange(1500):06d}.000.00.00.H53",
            ngayNop=filed,
            ngayTiepNhan=filed,
            ngayHenTra=due,
            ngayKetThuc=due,
        )


def report(number: int) -> dict[str, Any]:
    """A backlog of the hotline: each case arrives and is taken up, one after the other, with its own person, place and
    minute."""
    case, step = divmod(number, 2)
    at = f"2022-01-05T{7 + case // 3600 % 12:02d}:{case // 60 % 60:02d}:{case % 60:02d}+07:00"
    return hotline.report(
        number,
        ma=f"PA-220105-{case:06d}",
        phien_ban=1 + step,
        trang_thai=("moi", "tiep_nhan")[step],
        cap_nhat_luc=at,
        nhan_luc=at,
        kenh=("app", "web", "zalo", "1022")[case % 4],
        linh_vuc=("Môi trường", "Giao thông", "Điện, nước", "An ninh trật tự")[case % 7 % 4],
        don_vi=f"H53.{case % 29 + 1:02d}",
        ma_xa=f"{25_459 + case % 94 * 3}",
        vi_do=round(11.2 + case % 499 / 1000, 3),
        kinh_do=round(106.0 + case % 503 / 1000, 3),
        nguoi_phan_anh={"ho_ten": "Trần Văn Sáu", "dien_thoai": f"09{case * 7919 % 100_000_000:08d}"},
    )


def rate(count: int, work: Callable[[], Any]) -> int:
    begun = time.process_time()
    work()
    return round(count / (time.process_time() - begun))


def pure() -> dict[str, Any]:
    """Mapping and encoding, with empty memories; a record at a time, and a field at a time in one step."""
    collect_seldom()
    raw = list(dossiers(RECORDS))
    mapper = compile_mapping(MANIFESTS["portal"], CONTRACTS["dossier"], Pseudonymiser(b"k" * 32))
    encoder = Encoder(CONTRACTS["dossier"], 7)
    rows: list[dict[str, Any]] = []

    def map_all() -> None:
        for start in range(0, RECORDS, 1000):
            rows.extend(mapper(raw[start : start + 1000], 1_700_000_000_000).rows)

    figures = {"map_per_core": rate(RECORDS, map_all), "encode_per_core": rate(RECORDS, lambda: encoder(rows))}
    pack = Packer(mapper, CONTRACTS["dossier"], 7)

    def pack_all() -> None:
        for start in range(0, RECORDS, 2000):
            pack(raw[start : start + 2000], 1_700_000_000_000)

    return figures | {"pack_per_core": rate(RECORDS, pack_all)}


async def publishing(bootstrap: str) -> dict[str, Any]:
    pairs = [(f"H53.14-220823-{number:06d}".encode(), bytes(250)) for number in range(RECORDS)]
    publisher = Publisher(bootstrap)
    await publisher.start()
    begun = time.perf_counter()
    for start in range(0, RECORDS, PAGE):
        await publisher.publish("ioc.administration.dossier", pairs[start : start + PAGE])
    seconds = time.perf_counter() - begun
    await publisher.stop()
    return {"publish_per_s": round(RECORDS / seconds)}


async def polling(bootstrap: str) -> dict[str, Any]:
    port = free_port()
    with process("portal", str(port), str(RECORDS), port=port):
        environ = {
            "IOC_PORTAL_URL": f"http://127.0.0.1:{port}",
            "IOC_SECRET_PORTAL_CLIENT_ID": CLIENT_ID,
            "IOC_SECRET_PORTAL_CLIENT_SECRET": CLIENT_SECRET,
        }
        seeds = {"portal": load_seeds()["portal"]}
        worker = ConnectWorker(
            bootstrap, seeds, intakes(), Surroundings(SecretResolver(environ), hosts=LOOPBACK), "bench"
        )
        begun, cpu = time.perf_counter(), time.process_time()
        await worker.start()
        await eventually(lambda: "portal" in worker.connectors)
        tally = worker.connectors["portal"].tally
        await eventually(lambda: tally.published >= RECORDS, within_s=120)
        seconds, cpu_s = time.perf_counter() - begun, time.process_time() - cpu
        await worker.stop()
    return {"poll_per_s": round(RECORDS / seconds), "poll_per_core": round(RECORDS / cpu_s)}


async def pushing(bootstrap: str, count: int, batch: int, senders: int) -> dict[str, Any]:
    """`count` requests of `batch` records by `senders` connections at once."""
    port = free_port()
    bodies = [
        b"\n".join(orjson.dumps(report(number * batch + item)) for item in range(batch)) for number in range(count)
    ]
    with process("ingest", str(port), bootstrap, port=port) as server:
        await asyncio.sleep(1.5)
        stamp = int(time.time()) + 60
        requests = [_http(body, stamp, f"nonce-{number:08d}") for number, body in enumerate(bodies)]
        before = server.cpu_times()
        begun = time.perf_counter()
        answered = await asyncio.gather(*(_send(port, requests[n::senders]) for n in range(senders)))
        seconds = time.perf_counter() - begun
        after = server.cpu_times()
    latencies = sorted(latency for some in answered for latency in some)
    cpu_s = after.user + after.system - before.user - before.system
    return {
        "per_s": round(count * batch / seconds),
        "per_core": round(count * batch / cpu_s),
        "p50_ms": round(latencies[len(latencies) // 2] * 1000, 1),
        "p99_ms": round(latencies[int(len(latencies) * 0.99)] * 1000, 1),
    }


def _lines(numbers: range) -> bytes:
    return b"\n".join(orjson.dumps(report(number)) for number in numbers)


def _http(body: bytes, stamp: int, nonce: str) -> bytes:
    head = (
        "POST /v1/ingest/feedback-1022 HTTP/1.1\r\nHost: x\r\n"
        f"X-IOC-Timestamp: {stamp}\r\nX-IOC-Nonce: {nonce}\r\n"
        f"X-IOC-Signature: {sign(KEY.encode(), stamp, nonce, body)}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def _send(port: int, requests: list[bytes]) -> list[float]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    latencies = []
    for request in requests:
        begun = time.perf_counter()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        if b" 202 " not in head[:20]:
            raise AssertionError(head)
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        await reader.readexactly(length)
        latencies.append(time.perf_counter() - begun)
    writer.close()
    return latencies


@contextlib.contextmanager
def process(*arguments: str, port: int) -> Iterator[psutil.Process]:
    """This file as a process that serves `port`."""
    started = subprocess.Popen([sys.executable, "-m", "tests.benchmarks.connectors", *arguments], cwd=ROOT)
    try:
        assert wait_for_port(port, 60)
        yield psutil.Process(started.pid)
    finally:
        started.terminate()
        started.wait(10)


def serve_portal(port: int, count: int) -> None:
    """Pages made beforehand, so that the source is not what is measured."""
    feed = list(dossiers(count))
    pages = {
        str(start): orjson.dumps(
            {"data": feed[start : start + PAGE], "next_page_token": str(start + PAGE) if start + PAGE < count else None}
        )
        for start in range(0, count, PAGE)
    }
    feed.clear()

    async def token(_: Request) -> Response:
        return Response(b'{"access_token":"t","token_type":"Bearer","expires_in":3600}')

    async def changes(request: Request) -> Response:
        return Response(pages[request.query_params.get("page_token", "0")])

    routes = [Route("/oauth2/token", token, methods=["POST"]), Route("/api/v1/ho-so/thay-doi", changes)]
    uvicorn.run(Starlette(routes=routes), port=port, log_level="error", access_log=False)


def serve_ingest(port: int, bootstrap: str) -> None:
    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        ingest = WebhookIngest(MANIFESTS.values(), intakes(), bootstrap, SecretResolver({"IOC_SECRET_1022_KEY": KEY}))
        app.router.routes.append(ingest.route)
        await ingest.start()
        yield
        await ingest.stop()

    hub_serve([Listener(Starlette(lifespan=lifespan), "127.0.0.1", port)])


async def pushes(bootstrap: str, repeats: int = 5) -> dict[str, Any]:
    """One by one and in batches of half and of two megabytes, interleaved; of each the repeat in the middle, and the
    rates of all."""
    ways = {"single_posts": (20_000, 1, 128), "ndjson_1000": (200, 1000, 4), "ndjson_4000": (50, 4000, 4)}
    runs: dict[str, list[dict[str, Any]]] = {way: [] for way in ways}
    for _ in range(repeats):
        for way, (count, batch, senders) in ways.items():
            runs[way].append(await pushing(bootstrap, count, batch, senders))
    figures = {}
    for way, found in runs.items():
        found.sort(key=lambda run: run["per_core"])
        figures[way] = {**found[len(found) // 2], "per_core_of_each": [run["per_core"] for run in found]}
    return figures


async def measure(bootstrap: str) -> dict[str, Any]:
    return {
        "pure": pure(),
        "kafka": await publishing(bootstrap),
        "rest": await polling(bootstrap),
        **await pushes(bootstrap),
    }


def main() -> None:
    """All figures as one JSON object, on a broker of its own."""
    with tempfile.TemporaryDirectory() as state:
        broker = Broker(ROOT / "deploy" / "kafka" / "libs", Path(state), free_port(), free_port(), heap_mb=512)
        broker.prepare()
        running = subprocess.Popen(broker.command(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            assert wait_for_port(broker.port, 60, running)
            bootstrap = f"127.0.0.1:{broker.port}"
            ensure_topics(bootstrap, CONTRACTS.values(), 12, 1)
            figures = asyncio.run(measure(bootstrap))
        finally:
            running.terminate()
            running.wait(20)
    sys.stdout.write(orjson.dumps(figures, option=orjson.OPT_INDENT_2).decode() + "\n")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["portal", port, count]:
            serve_portal(int(port), int(count))
        case ["ingest", port, bootstrap]:
            serve_ingest(int(port), bootstrap)
        case _:
            main()
