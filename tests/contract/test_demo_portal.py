"""The simulated portal as a process, over its public interface."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import httpx2
import pytest

from deploy.demo import emitted, oracle
from deploy.demo.ledger import PORTAL, read_live
from deploy.demo.portal import AWAY_AT, REVOKED_AT, TOO_MANY_AT
from tests.conftest import ROOT, free_port

CREDENTIALS = {"client_id": "ioc", "client_secret": "s3cret"}
ENVIRONMENT = {"IOC_SECRET_PORTAL_CLIENT_ID": "ioc", "IOC_SECRET_PORTAL_CLIENT_SECRET": "s3cret"}
FEED = "/api/v1/ho-so/thay-doi"
BEGINNING = "2022-01-01T00:00:00+07:00"
DEADLINE_S = 120


class Portal:
    """One run of the process."""

    def __init__(self, state: Path, *arguments: str) -> None:
        port = free_port()
        command = [sys.executable, "-m", "deploy.demo.portal", "--port", str(port), "--state", str(state)]
        command += ["--seed", "3", "--scale", "0.01", *arguments]
        self.process = subprocess.Popen(command, cwd=ROOT, env=os.environ | ENVIRONMENT, stdout=subprocess.DEVNULL)
        self.client = httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=60)
        self._await_health()

    def _await_health(self) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while True:
            try:
                self.client.get("/healthz").raise_for_status()
                return
            except httpx2.ConnectError:
                assert time.monotonic() < deadline and self.process.poll() is None, "the portal did not come up"
                time.sleep(0.05)

    def token(self) -> str:
        form = {"grant_type": "client_credentials", **CREDENTIALS}
        return str(self.client.post("/oauth2/token", data=form).raise_for_status().json()["access_token"])

    def page(self, token: str, **query: Any) -> httpx2.Response:
        return self.client.get(FEED, params=query, headers={"Authorization": f"Bearer {token}"})

    def read(self, since: str = BEGINNING, size: int = 1000) -> list[dict[str, Any]]:
        """The whole feed from a moment on (fault rate 0)."""
        token = self.token()
        body = self.page(token, updated_since=since, page_size=size).raise_for_status().json()
        records = body["data"]
        while body["next_page_token"]:
            following = body["next_page_token"]
            body = self.page(token, page_token=following, page_size=size).raise_for_status().json()
            records += body["data"]
        return list(records)

    def kill(self) -> None:
        self.client.close()
        self.process.kill()
        self.process.wait(DEADLINE_S)

    def stop(self) -> int:
        self.client.close()
        self.process.terminate()
        return self.process.wait(DEADLINE_S)


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    running = Portal(tmp_path_factory.mktemp("portal"), "--live-rate", "0", "--fault-rate", "0")
    yield running
    running.stop()


def test_only_a_client_with_its_secret_gets_a_token(portal: Portal) -> None:
    form = {"grant_type": "client_credentials", **CREDENTIALS, "client_secret": "wrong"}
    assert portal.client.post("/oauth2/token", data=form).status_code == 401
    assert portal.client.post("/oauth2/token", data=CREDENTIALS).status_code == 400
    basic = portal.client.post("/oauth2/token", data={"grant_type": "client_credentials"}, auth=("ioc", "s3cret"))
    assert basic.json()["token_type"] == "Bearer"
    assert basic.json()["expires_in"] > 0


def test_the_feed_is_closed_without_a_valid_token(portal: Portal) -> None:
    assert portal.client.get(FEED).status_code == 401
    assert portal.page("nonsense", updated_since=BEGINNING).status_code == 401


@pytest.mark.parametrize("size", [137, 10_000])
def test_pages_of_any_size_give_every_record_once_and_in_order(portal: Portal, size: int) -> None:
    records = portal.read(size=size)
    assert len({record["maSuKien"] for record in records}) == len(records)
    moments = [record["capNhatLuc"] for record in records]
    assert moments == sorted(moments)
    assert sum(record["maSuKien"].startswith("dvc-x") for record in records) == 5


def test_updated_since_is_inclusive(portal: Portal) -> None:
    records = portal.read()
    since = records[len(records) // 2]["capNhatLuc"]
    assert portal.read(since) == [record for record in records if record["capNhatLuc"] >= since]


@pytest.mark.parametrize(
    "query",
    [
        {"updated_since": BEGINNING, "page_size": 10_001},
        {"updated_since": BEGINNING, "page_size": 0},
        {"updated_since": "yesterday"},
        {"updated_since": "2022-01-01T00:00:00"},
        {},
        {"page_token": "not-a-token"},
    ],
)
def test_wrong_parameters_are_refused(portal: Portal, query: dict[str, Any]) -> None:
    assert portal.page(portal.token(), **query).status_code == 400


def test_the_feed_and_the_ledger_agree(portal: Portal, tmp_path: Path) -> None:
    running = Portal(tmp_path, "--live-rate", "200", "--fault-rate", "0")
    _await_live(tmp_path, 100)
    running.process.send_signal(signal.SIGUSR1)
    records = running.read()
    assert running.stop() == 0
    good = [record for record in records if not record["maSuKien"].startswith("dvc-x")]
    rows = emitted.dossier_frame(emitted.dossier_row(record) for record in good)
    assert rows.equals(emitted.dossiers(tmp_path))
    period = (date(2022, 1, 1), date(2022, 9, 30))
    assert oracle.dossier_kpis(rows, oracle.online_procedures(period[1]), *period).items() <= (
        oracle.kpis(tmp_path, *period).items()
    )


def test_a_killed_portal_goes_on_where_it_was(tmp_path: Path) -> None:
    first = Portal(tmp_path, "--live-rate", "500", "--fault-rate", "0")
    _await_live(tmp_path, 100)
    before = first.read()
    first.kill()
    emitted_so_far = len(list(read_live(tmp_path, PORTAL)))
    second = Portal(tmp_path, "--live-rate", "500", "--fault-rate", "0")
    _await_live(tmp_path, emitted_so_far + 100)
    after = second.read()
    second.stop()
    assert after[: len(before)] == before
    assert len({record["maSuKien"] for record in after}) == len(after)


def test_now_and_then_the_portal_is_busy_away_or_withdraws_its_tokens(tmp_path: Path) -> None:
    running = Portal(tmp_path, "--live-rate", "0", "--fault-rate", "0.000001")
    token = running.token()
    met = {}
    for number in range(1, REVOKED_AT + 1):
        response = running.page(token, updated_since=BEGINNING, page_size=1)
        if response.status_code != 200:
            met[number] = response.status_code
        if response.status_code == 429:
            assert response.headers["retry-after"] == "1"
    assert met == {TOO_MANY_AT: 429, AWAY_AT: 503, REVOKED_AT: 401}
    assert running.page(token, updated_since=BEGINNING).status_code == 401
    assert running.page(running.token(), updated_since=BEGINNING).status_code == 200
    running.stop()


def test_a_token_expires(tmp_path: Path) -> None:
    running = Portal(tmp_path, "--live-rate", "0", "--fault-rate", "0", "--token-ttl", "1")
    token = running.token()
    deadline = time.monotonic() + DEADLINE_S
    while running.page(token, updated_since=BEGINNING, page_size=1).status_code == 200:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert running.page(token, updated_since=BEGINNING, page_size=1).status_code == 401
    running.stop()


def test_without_the_clients_secret_it_does_not_start(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "deploy.demo.portal", "--port", str(free_port()), "--state", str(tmp_path)]
    environment = {name: value for name, value in os.environ.items() if name not in ENVIRONMENT}
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=DEADLINE_S)
    assert ended.returncode == 2
    assert "IOC_SECRET_PORTAL_CLIENT_ID" in ended.stderr


def _await_live(state: Path, count: int) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while len(list(read_live(state, PORTAL))) < count:
        assert time.monotonic() < deadline, "no live events"
        time.sleep(0.05)
