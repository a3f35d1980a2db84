"""The registry served as it is in the product, on real Kafka."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx2
import pytest
import uvicorn
from kafka import KafkaAdminClient

from hub.registry.access import NOBODY_OWNS, Ownership, PrincipalOf
from hub.registry.app import create_app
from hub.registry.log import KafkaLog
from hub.registry.owners import Owners
from hub.short_answers import protocol_with
from tests.conftest import free_port

SESSION_TIMEOUT_S = 6.0
"""A registry of a test that is not told goodbye keeps the next one waiting no longer."""


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextmanager
def serve_registry(
    bootstrap: str,
    topic: str,
    principal_of: PrincipalOf | None = None,
    *,
    before_ready: Callable[[str], None] | None = None,
    becomes_ready: bool = True,
    ownership: Ownership = NOBODY_OWNS,
    owners: Owners | None = None,
) -> Iterator[str]:
    """A registry on its own loop and port; its URL. `before_ready` is called when it answers but may not be ready."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    log = KafkaLog(bootstrap, topic, url, SESSION_TIMEOUT_S)
    app = create_app(log, principal_of, ownership=ownership, owners=owners)
    http = protocol_with(app.at_once)
    server = _Server(uvicorn.Config(app, host="127.0.0.1", port=port, http=http, log_config=None, access_log=False))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()))
    thread.start()
    try:
        if before_ready is not None:
            wait_ready(url, path="/livez")
            before_ready(url)
        if becomes_ready:
            wait_ready(url)
        yield url
    finally:
        server.should_exit = True
        thread.join(30)


def wait_ready(url: str, timeout_s: float = 30.0, path: str = "/readyz") -> None:
    deadline = time.monotonic() + timeout_s
    while True:
        with contextlib.suppress(httpx2.TransportError):
            if httpx2.get(f"{url}{path}").status_code == 200:
                return
        assert time.monotonic() < deadline, "the registry did not become ready"
        time.sleep(0.02)


def make_topic(bootstrap: str, name: str) -> str:
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    config = {"num_partitions": 1, "replication_factor": 1, "configs": {"cleanup.policy": "compact"}}
    admin.create_topics({name: config}, wait_for_metadata=True)
    admin.close()
    return name


@pytest.fixture
def schemas_topic(kafka: str) -> str:
    return make_topic(kafka, f"_schemas-{uuid.uuid4().hex}")


@pytest.fixture(scope="module")
def registry_url(kafka: str) -> Iterator[str]:
    """One registry for the tests of a module; they use subjects of their own."""
    with serve_registry(kafka, make_topic(kafka, f"_schemas-{uuid.uuid4().hex}")) as url:
        yield url


@pytest.fixture
def http(registry_url: str) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=registry_url, timeout=20) as client:
        yield client


@pytest.fixture
def subject() -> str:
    return f"s-{uuid.uuid4().hex[:12]}-value"
