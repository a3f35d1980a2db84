"""A connect worker behind its HTTP interface, on the real Kafka, with keys in memory."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx2

from connectors.intake import IntakeFactory
from connectors.pseudonym import Pseudonymiser
from connectors.secrets import SecretResolver
from connectors.seeds import Seed, load_seeds
from connectors.source import Surroundings
from connectors.worker import ConnectWorker, Place
from hub.connect.app import ConnectApp, build_app
from hub.security.access import Principal
from schemas.contract import load_contracts
from tests.connect_place import SMALL_RESTS
from tests.portal_server import CLIENT_ID, CLIENT_SECRET, LOOPBACK, Portal, serve

KEYS = {
    "key-of-admin": Principal("admin", None, "a1"),
    "key-of-operator": Principal("operator", None, "o1"),
    "key-of-department": Principal("department", "H53.14", "d14"),
    "key-of-another": Principal("department", "H53.20", "d20"),
    "key-without-unit": Principal("department"),
    "key-of-a-service": Principal("service"),
    "key-of-nobody": Principal("a-role-of-tomorrow"),
}
CONTRACTS, SEEDS = load_contracts(), load_seeds()


class OneId:
    """A registry that knows one schema."""

    def register(self, subject: str, schema_text: str) -> int:
        return 7


def intakes() -> IntakeFactory:
    return IntakeFactory(CONTRACTS, OneId(), Pseudonymiser(b"k" * 32))


def manifest(name: str, org: str = "H53.14", poll_s: float = 0.2, system: str = "portal") -> str:
    """The portal's manifest under another name, owned by `org`."""
    text = SEEDS["portal"].text.replace("id: portal", f"id: {name}", 1).replace("org: H53\n", f"org: {org}\n", 1)
    text = text.replace("source_system: portal", f"source_system: {system}", 1)
    text = text.replace("{const: portal}", f"{{const: {system}}}", 1)
    return text.replace("poll_interval_s: 1", f"poll_interval_s: {poll_s:g}", 1)


def without_login(text: str) -> str:
    """The portal knows one token at a time; these workers read it without."""
    lines = text.splitlines()
    begin = next(number for number, line in enumerate(lines) if line.strip().startswith("auth:"))
    end = next(number for number in range(begin + 1, len(lines)) if not lines[number].startswith("    "))
    return "\n".join(lines[:begin] + lines[end:]) + "\n"


def worker_on(
    bootstrap: str,
    portal_url: str,
    place: Place,
    name: str = "test:1",
    seeds: Mapping[str, Seed] | None = None,
    silent_url: str = "",
) -> ConnectWorker:
    environ = {
        "IOC_PORTAL_URL": portal_url,
        "IOC_SILENT_URL": silent_url,
        "IOC_SECRET_PORTAL_CLIENT_ID": CLIENT_ID,
        "IOC_SECRET_PORTAL_CLIENT_SECRET": CLIENT_SECRET,
    }
    around = Surroundings(SecretResolver(environ), hosts=LOOPBACK)
    return ConnectWorker(bootstrap, seeds or {}, intakes(), around, name, place, SMALL_RESTS)


class Silent:
    """A system that takes connections and never answers."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def close(self) -> None:
        self._socket.close()


@dataclass
class ConnectWorld:
    """`url` is the interface's address."""

    url: str
    worker: ConnectWorker
    app: ConnectApp
    portal: Portal
    silent: Silent

    def client(self, key: str | None = "key-of-admin") -> httpx2.Client:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return httpx2.Client(base_url=self.url, headers=headers, timeout=20)

    def apply(self, name: str, key: str = "key-of-admin", **changes: Any) -> httpx2.Response:
        """Put a manifest."""
        with self.client(key) as client:
            return client.put(
                f"/connectors/{name}/manifest",
                content=manifest(name, **changes).encode(),
                headers={"Content-Type": "text/yaml"},
            )

    def status(self, name: str) -> Any:
        with self.client() as client:
            return client.get(f"/connectors/{name}/status").json()

    def until(self, name: str, state: str, within_s: float = 20) -> Any:
        """The status, once the task (or, without one, the connector) is in this state."""
        deadline = time.monotonic() + within_s
        while True:
            told = self.status(name)
            states = [task["state"] for task in told.get("tasks", [])] or [told.get("connector", {}).get("state")]
            settled = state != "STOPPED" or told["ioc"].get("reported_state") == "stopped"
            if states == [state] and settled:
                return told
            assert time.monotonic() < deadline, told
            time.sleep(0.02)


@contextlib.contextmanager
def connect_world(bootstrap: str, portal: Portal, place: Place) -> Iterator[ConnectWorld]:
    """A worker of its own thread and loop, ready."""
    silent = Silent()
    worker = worker_on(bootstrap, portal.url, place, silent_url=silent.url)
    app = build_app(worker, intakes(), KEYS.get, lambda: "cluster")
    with contextlib.closing(silent), serve(app) as url:
        deadline = time.monotonic() + 30
        while httpx2.get(f"{url}/readyz").status_code != 200:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield ConnectWorld(url, worker, app, portal, silent)
