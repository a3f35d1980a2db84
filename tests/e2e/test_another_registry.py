"""The hub with a registry that is not its own: elsewhere, on another Kafka, by HTTPS and with a password."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from hub.topics import ensure_topics
from schemas.contract import load_contracts
from schemas.errors import RegistryError
from schemas.registry_client import RegistryAccess, RegistryClient
from tests.certificates import self_signed
from tests.conftest import ROOT, free_port, kafka_process
from tests.deadline import eventually
from tests.stack import ioc, start_stack


@dataclass(frozen=True)
class Elsewhere:
    """A registry as another team runs it."""

    url: str
    ca: Path
    password: str

    def access(self) -> RegistryAccess:
        return RegistryAccess(user="province-hub", password=self.password, ca=self.ca)


@contextlib.contextmanager
def registry_elsewhere(folder: Path) -> Iterator[Elsewhere]:
    (folder / "kafka").mkdir()
    certificate, key = self_signed(folder)
    with kafka_process(folder / "kafka") as bootstrap:
        ensure_topics(bootstrap, [], 1, 1)
        port = free_port()
        environment = {name: value for name, value in os.environ.items() if not name.startswith("IOC_")} | {
            "IOC_STATE_DIR": str(folder / "state"),
            "IOC_REGISTRY__PORT": str(port),
            "IOC_REGISTRY__TLS_CERTIFICATE": str(certificate),
            "IOC_REGISTRY__TLS_KEY": str(key),
            "IOC_KAFKA__BOOTSTRAP_SERVERS": bootstrap,
            "PYTHONPATH": str(ROOT),
        }
        password = ioc(environment, "key", "create", "--role", "service", "--quiet").stdout.strip()
        process = subprocess.Popen([sys.executable, "-m", "hub.cli", "registry"], env=environment)
        try:
            yield Elsewhere(f"https://127.0.0.1:{port}", certificate, password)
        finally:
            process.terminate()
            process.wait(20)


@pytest.mark.long
async def test_the_whole_hub_works_with_a_registry_elsewhere_by_its_url_and_credentials(tmp_path: Path) -> None:
    with registry_elsewhere(tmp_path) as registry:
        (tmp_path / "password").write_text(registry.password)
        settings = {
            "IOC_REGISTRY__URL": registry.url,
            "IOC_REGISTRY__USER": "province-hub",
            "IOC_REGISTRY__PASSWORD_FILE": str(tmp_path / "password"),
            "IOC_REGISTRY__CA": str(registry.ca),
        }
        with start_stack(tmp_path / "hub", 0.02, extra=settings) as stack:
            stack.wait_until_loaded()
            assert all(
                item["value"] is not None for item in stack.json("kpi", "ls") if item["id"] == "dossier.received"
            )
            with pytest.raises(httpx2.ConnectError):
                httpx2.get(f"http://127.0.0.1:{stack.environment['IOC_REGISTRY__PORT']}/subjects")
            with RegistryClient(registry.url, access=registry.access()) as client:
                used = {contract.subject for contract in load_contracts().values()} & set(client.subjects())
                assert {"ioc.administration.dossier-value", "ioc.administration.feedback-value"} & used
                assert len(used) >= 2
            shown = ioc(stack.environment, "config", "show", "--origin").stdout
            assert registry.password not in shown
            logs = "".join(path.read_text() for path in (stack.state / "logs").glob("*.log"))
            assert registry.password not in logs


@pytest.mark.long
async def test_https_is_refused_without_its_authority_and_plain_http_not_answered(tmp_path: Path) -> None:
    with registry_elsewhere(tmp_path) as registry:

        def serves() -> bool:
            with RegistryClient(registry.url, access=registry.access()) as client:
                try:
                    return client.subjects() == []
                except RegistryError:
                    return False

        await eventually(serves, within_s=60)
        stranger = RegistryClient(registry.url, access=RegistryAccess(registry.password))
        with stranger, pytest.raises(RegistryError, match="IOC_REGISTRY__CA"):
            stranger.subjects()
        with pytest.raises(httpx2.TransportError):
            httpx2.get(registry.url.replace("https", "http") + "/subjects")
