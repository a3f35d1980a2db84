"""The API over an engine inside the process, with keys in memory: for tests of the HTTP contract."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import httpx2

from hub.api.app import create_api
from hub.api.deps import ApiDeps
from hub.catalogue.registered import Versions
from hub.catalogue.service import Catalogue
from hub.config import Settings
from hub.declarations import Declarations, load_declarations
from hub.kpi.feed import Feed
from hub.kpi.names import dimension_names
from hub.kpi.reader import Reader
from hub.kpi.service import KpiService, Surroundings
from hub.security.access import Principal
from schemas.errors import RegistryUnavailableError
from streams.errors import WarehouseUnavailableError
from tests.unit.kpi_tables import InProcess, add_ledger, add_row, tables

KEYS = {
    "key-of-admin": Principal("admin"),
    "key-of-operator": Principal("operator"),
    "key-of-department": Principal("department", "H53.14", "d14"),
    "key-of-another": Principal("department", "H53.20", "d20"),
    "key-without-unit": Principal("department"),
    "key-of-a-service": Principal("service"),
    "key-of-nobody": Principal("a-role-of-tomorrow"),
}
LINK = "one-time-link"


@dataclass
class KeysInMemory:
    """Keys, one link and sessions, for one test."""

    links: set[str] = field(default_factory=lambda: {LINK})
    sessions: dict[str, Any] = field(default_factory=dict)

    def by_key(self, key: str) -> Any:
        return KEYS.get(key)

    def by_session(self, cookie: str) -> Any:
        return self.sessions.get(cookie)

    def redeem_link(self, token: str) -> str | None:
        if token not in self.links:
            return None
        self.links.discard(token)
        return self._open(KEYS["key-of-admin"])

    def open_session(self, key: str) -> str | None:
        return self._open(KEYS[key]) if key in KEYS else None

    def close_session(self, cookie: str) -> None:
        self.sessions.pop(cookie, None)

    def _open(self, principal: Any) -> str:
        cookie = f"session-{len(self.sessions)}"
        self.sessions[cookie] = principal
        return cookie


@dataclass
class RegistryInMemory:
    """Versions of subjects by hand; `away`: it does not answer."""

    schemas: dict[str, list[str]] = field(default_factory=dict)
    away: bool = False

    def versions(self, subject: str) -> list[int]:
        if self.away:
            raise RegistryUnavailableError("the schema registry does not answer")
        return list(range(1, len(self.schemas.get(subject, ())) + 1))

    def version(self, subject: str, number: int) -> tuple[int, str]:
        return 100 + number, self.schemas[subject][number - 1]


class ApiWorld:
    """`down` cuts the warehouse off; `now` and `statuses` are set by tests."""

    def __init__(self, queries: InProcess, plans: Any) -> None:
        self.queries, self.plans = queries, plans
        self.now = datetime(2026, 11, 20, 3, 0, 0, tzinfo=UTC)
        self.down = False
        self.statuses: dict[str, Any] = {}
        self.broker: str | None = None
        self.access = KeysInMemory()
        declared = declarations()
        contracts, codes = declared.contracts, declared.codes
        around = Surroundings(
            feeds=(
                Feed("feedback-1022", "webhook", "Sở TT&TT", "", "feedback", "1022", "H53.20"),
                Feed("portal", "rest", "VP UBND", "", "dossier", "portal", "H53.14", timedelta(minutes=5)),
            ),
            statuses=lambda: self.statuses,
            topic_records=lambda: {"feedback": 12},
            clock=lambda: self.now,
            timezone="Asia/Ho_Chi_Minh",
            one_server=True,
        )
        reader = Reader(self, lambda: self.now)
        columns = {name: table.columns for name, table in codes.items()}
        service = KpiService(reader, plans, columns, around, dimension_names(contracts, codes), timedelta(0))
        self.registered = RegistryInMemory()
        catalogue = Catalogue(
            declared, service, reader, Versions(self.registered, lambda: self.now), lambda: declared.manifests
        )
        probes = {"kafka": self._broker_cause}
        self.app = create_api(ApiDeps(service, reader, self.access, probes=probes, catalogue=catalogue))

    async def _broker_cause(self) -> str | None:
        return self.broker

    def rows(self, sql: str, parameters: Any = None, **settings: Any) -> Sequence[Sequence[Any]]:
        if self.down:
            raise WarehouseUnavailableError("the warehouse does not answer: connection refused")
        return self.queries.rows(sql, parameters)

    def add(self, table: str, day: str, **values: Any) -> None:
        add_row(self.queries.command, self.plans, table, day, **values)

    def ledger(self, entity: str, source: str, applied: int = 10) -> None:
        add_ledger(self.queries.command, entity, source, applied, "2026-11-20 02:59:59.500")

    def quarantine(self, number: int, connector: str = "portal") -> None:
        self.queries.command(
            f"INSERT INTO quarantine VALUES ('{connector}:{number:04d}', '{connector}', 'map', 'bad_date', 'Sai ngày',"
            f" 'Bad date', 't', NULL, NULL, 'dossier', '2026-11-20 01:00:{number % 60:02d}.000', '{{}}')"
        )

    @asynccontextmanager
    async def client(self, key: str | None = "key-of-admin", language: str = "vi") -> AsyncIterator[httpx2.AsyncClient]:
        """A client of the application; `key` None sends none."""
        headers = {"Accept-Language": language} | ({"Authorization": f"Bearer {key}"} if key else {})
        transport = httpx2.ASGITransport(app=self.app, raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url="http://hub", headers=headers) as client:
            yield client


@cache
def declarations() -> Declarations:
    """The packages' own, read once: nothing changes them."""
    return load_declarations(Settings())


@contextmanager
def api_world() -> Iterator[ApiWorld]:
    with tables() as (queries, plans):
        yield ApiWorld(queries, plans)
