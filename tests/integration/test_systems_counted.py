"""The province's simulated systems, read by their connectors into the core: every KPI is what the ledger says.

Those with a database are counted on a real server in `test_systems_on_postgres.py`; `ioc demo --once` says the same of
the whole stack, with Kafka in between.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.demo import stations
from deploy.demo.simulation import System
from deploy.demo.systems import SYSTEMS
from tests.core_in_process import InProcessWarehouse
from tests.counted import DATABASES, check_figures, read, stage_of, system_database


@pytest.fixture
def database() -> Iterator[InProcessWarehouse]:
    with system_database() as made:
        yield made


@pytest.mark.parametrize("system", [each for each in SYSTEMS if each not in DATABASES], ids=lambda system: system.id)
def test_every_kpi_of_a_system_is_what_its_ledger_says(
    system: System, tmp_path: Path, database: InProcessWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stations, "HALF_WRITTEN_S", 0.0)
    stage = stage_of(system, tmp_path)
    check_figures(system, stage, database, asyncio.run(read(system, stage)))
