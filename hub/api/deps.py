"""What the HTTP interface is given by the composition root."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from prometheus_client import CollectorRegistry
from starlette.routing import BaseRoute

from hub.alerts.desk import AlertDesk
from hub.api.access import Access
from hub.api.rates import REQUESTS_PER_S
from hub.catalogue.service import Catalogue
from hub.codes_desk import CodesDesk
from hub.connector_desk import Desk
from hub.incident_book import IncidentBook
from hub.kpi.reader import Reader
from hub.kpi.service import KpiService
from hub.monitor import Round
from hub.observation_book import ObservationBook
from hub.sql.desk import SqlDesk
from hub.sql.saved import SavedQueries
from hub.way import Way
from hub.web.places import TABLE, UnitSet, unit_sets
from hub.web.theme import Theme, load_themes
from schemas.codes_table import package_tables

Probe = Callable[[], Awaitable[str | None]]
"""Asks one thing the hub leans on; None if it is well, else the cause in a few words. Must be bounded in time."""


@dataclass(frozen=True, slots=True)
class ApiDeps:
    """`probes` by name feed `/readyz` (the warehouse is asked in any case); `extra_routes` are mounted first,
    so that a router of another package (webhook ingestion) keeps its own rules for bodies and access."""

    kpis: KpiService
    reader: Reader
    access: Access
    probes: Mapping[str, Probe] = field(default_factory=dict)
    extra_routes: Sequence[BaseRoute] = ()
    language: str = "vi"
    metrics: CollectorRegistry = field(default_factory=CollectorRegistry)
    secure_cookies: bool = False
    version: str = "0.1.0"
    catalogue: Catalogue | None = None
    codes: CodesDesk | None = None
    desk: Desk | None = None
    incidents: IncidentBook | None = None
    observed: ObservationBook | None = None
    way: Way | None = None
    themes: Mapping[str, Theme] = field(default_factory=load_themes)
    unit_sets: tuple[UnitSet, ...] = field(default_factory=lambda: unit_sets(package_tables().get(TABLE)))
    alerts: AlertDesk | None = None
    sql: SqlDesk | None = None
    saved: SavedQueries | None = None
    requests_per_s: float = REQUESTS_PER_S
    judged_kept: timedelta = timedelta(0)
    """How long a judgement of all data sets serves whoever asks."""
    judged: Callable[[], Round | None] = lambda: None
    """The last judgement of a monitor in this process."""
