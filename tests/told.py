"""The KPIs' services over the real core and engine, in this process: feed dossiers, ask for figures and why."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from hub.entities.service import Entities
from hub.kpi.explain import Explainer
from hub.kpi.feed import Feed
from hub.kpi.inquiry import Inquirer
from hub.kpi.names import dimension_names
from hub.kpi.reader import Reader
from hub.kpi.service import KpiService, Surroundings
from hub.kpi.units import Units
from schemas.codes_table import package_tables
from schemas.contract import load_contracts
from streams.plan import load_plans
from streams.warehouse.schema import migrate
from tests.core_in_process import TIMEZONE, Core, InProcessWarehouse, _engine

_NUMBERS = itertools.count(1)
NOW = datetime(2022, 9, 20, 3, 0, tzinfo=UTC)


@dataclass
class Told:
    """Dossiers are fed through the core; services answer from its tables. `now` is the hub's clock."""

    core: Core
    service: KpiService
    inquirer: Inquirer
    explainer: Explainer
    entities: Entities
    clock: list[datetime] = field(default_factory=list)

    @property
    def now(self) -> datetime:
        return self.clock[0]

    def feed(self, events: Sequence[dict[str, Any]], at: datetime) -> None:
        """One batch that arrives at a moment."""
        self.core.feed(list(events), round(at.timestamp() * 1000))


@contextlib.contextmanager
def told() -> Iterator[Told]:
    """Empty tables of the dossier, with the tables of codes."""
    name = f"told{next(_NUMBERS)}"
    contracts, tables = load_contracts(), package_tables()
    plans = load_plans(contracts)
    in_use = {entity: contracts[entity] for entity in ("dossier", "feedback", "indicator_value")}
    _engine().command(f"CREATE DATABASE {name}")
    warehouse = InProcessWarehouse(name)
    kept = {entity: plans[entity] for entity in in_use}
    wanted = [tables[table] for table in ("procedure", "org", "admin_unit")]
    migrate(warehouse, in_use, kept, TIMEZONE, wanted)
    core = Core(contracts["dossier"], plans["dossier"], warehouse)
    clock = [NOW]
    around = Surroundings(
        feeds=(Feed("portal", "rest", "VP UBND", "", "dossier", "portal", "H53"),),
        statuses=dict,
        topic_records=dict,
        clock=lambda: clock[0],
        timezone=TIMEZONE,
        one_server=True,
    )
    columns = {table: tables[table].columns for table in tables}
    reader = Reader(warehouse, lambda: clock[0])
    service = KpiService(reader, kept, columns, around, dimension_names(in_use, tables), timedelta(0))
    inquirer = Inquirer(service, in_use, Units.of(tables), timedelta(0))
    try:
        yield Told(core, service, inquirer, Explainer(inquirer), Entities(service, in_use), clock)
    finally:
        core.close()
        _engine().command(f"DROP DATABASE {name}")
