"""Processes for tests of the pages: `python hub_process.py warehouse|api PORT …`, and fixtures' way to run them.

The warehouse admits only the password made for this run, so a test can never write into another one.
"""

from __future__ import annotations

import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvicorn

from hub.security.gatekeeper import build_gatekeeper
from hub.security.keys import KeyStore
from hub.security.signin import SigninLinks

ROOT = Path(__file__).parents[2]
DEADLINE_S = 120.0


def utc_now() -> datetime:
    return datetime.now(UTC)


class Processes:
    """A warehouse and an API over it, each a process of its own on its own port."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.password = secrets.token_hex(16)
        self.warehouse_port, self.api_port = _free_ports(2)
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.state = directory / "state"
        self.state.mkdir()
        self.key = KeyStore(self.state, utc_now).create("admin").text
        self.link = SigninLinks(self.state, utc_now).create("operator")

    @property
    def warehouse_url(self) -> str:
        return f"http://test:{self.password}@127.0.0.1:{self.warehouse_port}"

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self.api_port}"

    def start_warehouse(self) -> None:
        data = self.directory / "warehouse"
        data.mkdir(exist_ok=True)
        self._start("warehouse", self.warehouse_port, str(data), self.password)

    def start_api(self) -> None:
        self._start("api", self.api_port, self.warehouse_url, str(self.state))

    def stop(self, name: str) -> None:
        process = self.running.pop(name)
        process.terminate()
        process.wait(20)

    def _start(self, name: str, port: int, *arguments: str) -> None:
        log = (self.directory / f"{name}.log").open("ab")
        command = [sys.executable, "-m", "tests.e2e.hub_process", name, str(port), *arguments]
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)
        log.close()
        self.running[name] = process
        deadline = time.monotonic() + DEADLINE_S
        while not _accepts(port):
            assert process.poll() is None, (self.directory / f"{name}.log").read_text()[-2000:]
            assert time.monotonic() < deadline, f"{name} does not listen"
            time.sleep(0.05)


@contextmanager
def processes(directory: Path) -> Iterator[Processes]:
    """Both running; ended with the block."""
    made = Processes(directory)
    try:
        made.start_warehouse()
        made.start_api()
        yield made
    finally:
        for name in list(made.running):
            made.stop(name)


def _free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _warehouse(data: str, password: str) -> Any:
    from streams.warehouse.server import Credential, create_app

    return create_app(Path(data), {"test": Credential(password, read_only=False)})


def _api(warehouse_url: str, state: str) -> Any:
    from datetime import timedelta

    from hub.api.app import create_api
    from hub.api.deps import ApiDeps
    from hub.catalogue.registered import Versions
    from hub.catalogue.service import Catalogue
    from hub.config import Settings
    from hub.declarations import load_declarations
    from hub.kpi.feed import Feed
    from hub.kpi.names import dimension_names
    from hub.kpi.reader import Reader
    from hub.kpi.service import KpiService, Surroundings
    from hub.sql.desk import SqlDesk
    from hub.sql.saved import SavedQueries
    from schemas.registry_client import RegistryClient
    from streams.warehouse.client import Warehouse
    from tests.unit.many_datasets import status

    declared = load_declarations(Settings())
    codes = declared.codes

    def statuses() -> dict[str, Any]:
        told = status(utc_now(), received=7, published=7, quarantined=1)
        return {"portal": told, "feedback-1022": told}

    names = {"vi": "Cổng dịch vụ công", "en": "Public-service portal"}
    feeds = (
        Feed("feedback-1022", "webhook", "Sở TT&TT", "", "feedback", "1022", "H53.20"),
        Feed("portal", "rest", "VP UBND", "", "dossier", "portal", "H53.01", timedelta(minutes=5), name=names),
    )
    reader = Reader(Warehouse(warehouse_url, 5), utc_now)
    around = Surroundings(feeds, statuses, dict, utc_now, "Asia/Ho_Chi_Minh", one_server=True)
    columns = {name: table.columns for name, table in codes.items()}
    service = KpiService(reader, declared.plans, columns, around, dimension_names(declared.contracts, codes))
    versions = Versions(RegistryClient("http://127.0.0.1:9"), utc_now)
    catalogue = Catalogue(declared, service, reader, versions, lambda: declared.manifests)
    asking, ending = Warehouse(warehouse_url, 35), Warehouse(warehouse_url, 20)
    desk = SqlDesk(asking, ending, declared.in_use, declared.plans, declared.codes.values(), service.served, utc_now)
    saved = SavedQueries(Path(state) / "queries.json", utc_now)
    access = build_gatekeeper(Path(state), utc_now)
    return create_api(
        ApiDeps(service, reader, access, catalogue=catalogue, sql=desk, saved=saved, alerts=_alerts(declared))
    )


def _alerts(declared: Any) -> Any:
    """A desk with one open alert."""
    import asyncio
    from datetime import timedelta

    from hub.alerts.alert import Alert
    from hub.alerts.book import AlertBook
    from hub.alerts.desk import AlertDesk
    from hub.alerts.rule_files import Against, load_alert_rules
    from tests.unit.alert_worlds import TopicInMemory

    kpis = {kpi.id: kpi for plan in declared.plans.values() for kpi in plan.kpis}
    made = AlertDesk(AlertBook(TopicInMemory()), load_alert_rules(Against(kpis, declared.calendars.calendars)), utc_now)
    name = {"vi": "Dữ liệu trễ hẹn", "en": "Data are late"}
    late = Alert(
        "a1", "health.late", "portal", name, "ticket", "VP UBND tỉnh", "dau.moi@ioc.example.vn", "H53.01",
        utc_now() - timedelta(hours=1), facts={"state": "late"}, dataset="portal",
    )  # fmt: skip
    asyncio.run(made.book.write([late]))
    return made


def main(role: str, port: str, *arguments: str) -> None:
    app = _warehouse(*arguments) if role == "warehouse" else _api(*arguments)
    uvicorn.run(app, host="127.0.0.1", port=int(port), log_level="warning", timeout_graceful_shutdown=1)


if __name__ == "__main__":
    main(*sys.argv[1:])
