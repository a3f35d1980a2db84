"""A stack whose portal and warehouse can be broken at will, watched by a real Prometheus and Alertmanager."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import orjson
import yaml
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hub.broker import wait_for_port
from streams.faultpoints import STANDS, VARIABLE
from tests.faults.wire import Relay
from tests.portal_server import CLIENT_ID, CLIENT_SECRET, record, serve
from tests.stack import ROOT, RunningStack, free_port, ioc, stack_environment

RULES = ROOT / "deploy" / "prometheus"
ROLES = ("MONITOR", "API", "CONNECT", "STREAM", "REGISTRY")
MANIFEST = ROOT / "connectors" / "departments" / "portal.yaml"


@dataclass
class Portal:
    """A source that has a new record at each question. `mode`: what is wrong with it."""

    mode: str = "well"
    number: int = 0
    token: str = "t0"
    fixed: datetime = field(default_factory=lambda: datetime.now(UTC) - timedelta(days=1))

    def turn(self, mode: str) -> None:
        self.mode = mode
        if mode == "refuses_login":
            self.token = f"t{self.number}"

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/oauth2/token", self._login, methods=["POST"]),
                Route("/api/v1/ho-so/thay-doi", self._changes),
            ]
        )

    async def _login(self, request: Request) -> Response:
        form = await request.form()
        if self.mode == "refuses_login" or form.get("client_id") != CLIENT_ID:
            return Response(b'{"error":"invalid_client"}', 401)
        return Response(orjson.dumps({"access_token": self.token, "token_type": "Bearer", "expires_in": 3600}))

    async def _changes(self, request: Request) -> Response:
        if self.mode == "refuses_login" or request.headers.get("authorization") != f"Bearer {self.token}":
            return Response(b"{}", 401)
        if self.mode == "answers_500":
            return Response(b"{}", 500)
        if self.mode == "times_out":
            await asyncio.sleep(120)
        body = {"data": self._rows(), "next_page_token": None}
        return Response(orjson.dumps(body), media_type="application/json")

    def _rows(self) -> list[dict[str, Any]]:
        if self.mode == "no_rows":
            return []
        if self.mode == "yesterday_again":  # the same ten, whatever it is asked for
            return [record(number, self.fixed.isoformat(), maSuKien=f"cu-{number}") for number in range(10)]
        return [self._record()]

    def _record(self) -> dict[str, Any]:
        self.number += 1
        now = datetime.now(UTC)
        at = {"hour_ahead": now + timedelta(hours=1), "day_behind": now - timedelta(days=1), "yesterday": self.fixed}
        made = record(self.number % 10_000, at.get(self.mode, now).isoformat(), maSuKien=f"sk-{self.number:08d}")
        made["phienBan"] = self.number
        if self.mode == "other_schema":
            made["trangThai"] = "đã xong"
        return made


@dataclass
class World:
    """The stack, its source, the way to its warehouse, and who watches."""

    stack: RunningStack
    portal: Portal
    relay: Relay
    prometheus: str
    alertmanager: str
    key: str
    stands: Path
    """While there is such a file, the stream worker lives and its batches do not go on."""

    def state(self, dataset: str = "portal") -> str:
        return str(self.why(dataset)["state"])

    def why(self, dataset: str = "portal") -> dict[str, Any]:
        """What is told of the data set, as `ioc why` has it."""
        url = f"{self.stack.api_url}/v1/health/datasets/{dataset}"
        answer = httpx2.get(url, headers={"Authorization": f"Bearer {self.key}"}, timeout=20)
        return dict(answer.raise_for_status().json()["items"][0])

    def scraped(self) -> dict[str, str]:
        """The health of each role's exposition, as Prometheus sees it, by job."""
        found = httpx2.get(f"{self.prometheus}/api/v1/targets", timeout=10).raise_for_status().json()
        return {one["labels"]["job"]: one["health"] for one in found["data"]["activeTargets"]}

    def alerts(self) -> dict[str, dict[str, Any]]:
        """What Alertmanager has that is not inhibited, by name, of the portal or of the platform."""
        found = httpx2.get(f"{self.alertmanager}/api/v2/alerts?inhibited=false", timeout=10).raise_for_status().json()
        mine = [one for one in found if one["labels"].get("dataset") in (None, "portal")]
        return {one["labels"]["alertname"]: one for one in mine if one["status"]["state"] == "active"}

    def signal(self, unit: str, number: signal.Signals) -> None:
        os.kill(self._units()[unit], number)

    def _units(self) -> dict[str, int]:
        done = ioc(self.stack.environment, "status", "-o", "json", check=False)
        return {unit["unit"]: unit["pid"] for unit in json.loads(done.stdout)["units"]}


def until(holds: Callable[[], bool], within_s: float) -> float:
    """Seconds until it holds; AssertionError after `within_s`."""
    begun = time.monotonic()
    while time.monotonic() - begun < within_s:
        with contextlib.suppress(httpx2.HTTPError):
            if holds():
                return time.monotonic() - begun
        time.sleep(0.5)
    raise AssertionError(f"did not come true within {within_s} s")


@contextlib.contextmanager
def health_world(folder: Path, warehouse: str) -> Iterator[World]:
    """Everything, healthy. `warehouse`: address of one with credentials, which the stack reaches by the relay."""
    portal, relay = Portal(), Relay(warehouse)
    with serve(portal.app()) as url, contextlib.ExitStack() as ends:
        ends.callback(relay.close)
        environment = stack_environment(folder / "state") | {
            "IOC_CLICKHOUSE__URL": relay.url,
            "IOC_CONNECTORS_DIR": str(_manifests(folder)),
            "IOC_PORTAL_URL": url,
            "IOC_CONNECT__ALLOWED_HOSTS": "127.0.0.1",
            "IOC_SECRET_PORTAL_CLIENT_ID": CLIENT_ID,
            "IOC_SECRET_PORTAL_CLIENT_SECRET": CLIENT_SECRET,
            "IOC_SECRET_1022_KEY": os.urandom(16).hex(),
            VARIABLE: f"{STANDS}:{folder}/stands",
        }
        ioc(environment, "up", "--wait", "--timeout", "150", timeout_s=200)
        ends.callback(lambda: ioc(environment, "down", check=False))
        stack = RunningStack(environment, folder / "state")
        alertmanager = ends.enter_context(_alertmanager(folder))
        prometheus = ends.enter_context(_prometheus(folder, environment, alertmanager, warehouse))
        world = World(stack, portal, relay, prometheus, alertmanager, stack.key(), folder / "stands")
        until(lambda: world.state() == "on_time", 60)
        yield world


def _manifests(folder: Path) -> Path:
    """The portal's manifest with a promise of seconds."""
    manifest = MANIFEST.read_text("utf-8").replace("{cadence_s: 300, error_s: 900}", "{cadence_s: 20, error_s: 30}")
    there = folder / "connectors"
    there.mkdir()
    (there / "portal.yaml").write_text(manifest, encoding="utf-8")
    return there


@contextlib.contextmanager
def _prometheus(folder: Path, environment: dict[str, str], alertmanager: str, warehouse: str) -> Iterator[str]:
    """Prometheus with the rules as they are; it scrapes every role each second, the warehouse not by the relay."""
    config = yaml.safe_load((RULES / "prometheus.yml").read_text("utf-8"))
    config["global"] |= {"scrape_interval": "1s", "evaluation_interval": "1s"}
    for name in ("recording", "alerts"):
        rules = yaml.safe_load((RULES / f"{name}.yml").read_text("utf-8"))
        for group in rules["groups"]:
            group["interval"] = "1s"
        (folder / f"{name}.yml").write_text(yaml.safe_dump(rules, allow_unicode=True), encoding="utf-8")
    config["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"] = [alertmanager.removeprefix("http://")]
    addresses = {f"ioc-{role.lower()}": f"127.0.0.1:{environment[f'IOC_{role}__PORT']}" for role in ROLES}
    addresses["ioc-warehouse"] = f"127.0.0.1:{urlsplit(warehouse).port}"
    for job in config["scrape_configs"]:
        job["static_configs"][0]["targets"] = [addresses.pop(job["job_name"])]
    assert not addresses, "every role is scraped"
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
    port = free_port()
    arguments = [f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/tsdb"]
    with _process(folder, "prometheus", [*arguments, f"--web.listen-address=127.0.0.1:{port}"], port):
        yield f"http://127.0.0.1:{port}"


@contextlib.contextmanager
def _alertmanager(folder: Path) -> Iterator[str]:
    port = free_port()
    arguments = [
        f"--config.file={RULES}/alertmanager.yml",
        f"--storage.path={folder}/alertmanager",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]
    with _process(folder, "prometheus-alertmanager", arguments, port):
        yield f"http://127.0.0.1:{port}"


@contextlib.contextmanager
def _process(folder: Path, program: str, arguments: list[str], port: int) -> Iterator[None]:
    with (folder / f"{program}.log").open("wb") as log:
        process = subprocess.Popen([program, *arguments], stdout=log, stderr=subprocess.STDOUT)
    try:
        assert wait_for_port(port, 60, process), (folder / f"{program}.log").read_text()[-2000:]
        yield
    finally:
        process.terminate()
        process.wait(20)
