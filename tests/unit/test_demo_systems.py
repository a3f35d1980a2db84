"""The simulated systems of the province: each fits its manifest, and starts again where it ended."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import pytest

from connectors.manifest import load_manifests
from connectors.mapping import Mapper, compile_mapping
from connectors.pseudonym import Pseudonymiser
from connectors.secrets import references_in
from deploy.demo import culture, station_files
from deploy.demo.ledger import Origin
from deploy.demo.simulation import Site, System
from deploy.demo.systems import SYSTEMS
from deploy.demo.tales import plain
from deploy.demo.worktime import LOCAL, local_midnight
from schemas.contract import load_contracts
from streams.plan import load_plans

DEPARTMENTS = Path(__file__).parents[2] / "deploy" / "departments"
MANIFESTS = load_manifests(DEPARTMENTS)
CONTRACTS = load_contracts()
ORIGIN = Origin(2022, 0.05, local_midnight(date(2026, 3, 1)))
NOW_MS = ORIGIN.anchor * 1000
CONNECTORS = [(system, connector) for system in SYSTEMS for connector in system.connectors]

each_system = pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: system.id)
each_connector = pytest.mark.parametrize(
    ("system", "connector"), CONNECTORS, ids=[connector for _, connector in CONNECTORS]
)


def mapper(connector: str) -> Mapper:
    manifest = MANIFESTS[connector]
    return compile_mapping(manifest, CONTRACTS[manifest.entity], Pseudonymiser(b"k" * 32))


def test_every_system_has_a_name_of_its_own() -> None:
    assert len({system.id for system in SYSTEMS}) == len(SYSTEMS)
    assert len(dict.fromkeys(connector for _, connector in CONNECTORS)) == len(CONNECTORS)


@each_connector
def test_a_connector_is_declared_with_its_entity_and_an_english_name(system: System, connector: str) -> None:
    assert MANIFESTS[connector].entity == system.connectors[connector]
    assert MANIFESTS[connector].name.en


@each_system
def test_the_system_names_every_variable_that_its_manifests_ask_for(system: System, tmp_path: Path) -> None:
    ports = dict.fromkeys(("http", *system.ports), 1)
    given = set(system.environment(Site(tmp_path, system.id, ports, "http://hub")))
    for connector in system.connectors:
        text = (DEPARTMENTS / f"{connector}.yaml").read_text(encoding="utf-8")
        assert {name for kind, name in references_in(text) if kind == "env"} <= given


@each_connector
def test_good_records_are_mapped_and_bad_ones_refused(system: System, connector: str) -> None:
    sample = system.samples(ORIGIN).get(connector)
    if sample is None:
        pytest.skip("hands out files, not records")
    run = mapper(connector)
    good = run([dict(raw) for raw in sample.good], NOW_MS)
    assert [(refusal.error.field, refusal.error.reason.en) for refusal in good.refused] == []
    assert len(good.rows) == len(sample.good) > 0
    bad = run([dict(raw) for raw in sample.bad], NOW_MS)
    assert len(bad.refused) == len(sample.bad) >= 3
    assert bad.rows == []


@each_connector
def test_a_record_that_comes_again_with_another_revision_is_an_event_of_its_own(system: System, connector: str) -> None:
    """Else a correction would be refused: its event was there before, with another content."""
    sample = system.samples(ORIGIN).get(connector)
    if sample is None:
        pytest.skip("hands out files, not records")
    found: dict[str, tuple[str, int]] = {}
    for row in mapper(connector)([dict(raw) for raw in sample.good], NOW_MS).rows:
        place = (row["entity_key"], row["revision"])
        assert found.setdefault(row["event_id"], place) == place
    corrected = REVISED.get(connector)
    if corrected is not None:
        first, again = dict(sample.good[0]), dict(sample.good[0]) | {corrected: sample.good[0][corrected] + 1}
        rows = mapper(connector)([first, again], NOW_MS).rows
        assert rows[0]["entity_key"] == rows[1]["entity_key"] and rows[0]["event_id"] != rows[1]["event_id"]


REVISED = {"camera-heartbeats": "lan", "civil-servants": "_revision"}
"""Connectors whose event is named by the mapping, and the field that tells one report of a thing from the next."""


@each_system
def test_every_kpi_of_its_entities_is_counted_from_the_ledger(system: System, tmp_path: Path) -> None:
    """By no KPI that comes by itself, and by no other: what `ioc demo --once` compares is everything there is."""
    counted = set(system.expected(tmp_path, date(2022, 1, 1), date(2022, 9, 30)).kpis)
    plans = load_plans(CONTRACTS)
    entities = set(system.connectors.values())
    declared = {kpi.id for entity in entities for kpi in plans[entity].kpis if not _by_arrival(kpi.id)}
    assert counted == declared


def _by_arrival(kpi: str) -> bool:
    return kpi.endswith((".late_corrections", ".clock_skew"))


def test_no_file_of_a_stations_history_bears_a_stamp_of_the_time_that_is_live() -> None:
    """Two files of one name are one file: the second would never be read."""
    begun = plain(ORIGIN.anchor, station_files.STAMP)
    assert max(raw["sent"] for raw in station_files.write_history(ORIGIN)) < begun


@each_connector
def test_nothing_is_written_down_before_its_time(system: System, connector: str) -> None:
    """At midnight too, when the morning at which a day's report is usually written is yet to come."""
    sample = system.samples(ORIGIN).get(connector)
    if sample is None:
        pytest.skip("hands out files, not records")
    assert (
        max(row["event_time"] for row in mapper(connector)([dict(raw) for raw in sample.good], NOW_MS).rows) <= NOW_MS
    )


@pytest.mark.parametrize("hour", [0, 7, 8, 23])
def test_a_venues_report_is_written_when_it_is_handed_in_or_earlier(hour: int) -> None:
    now = ORIGIN.anchor + hour * 3600 + 300
    written = [
        datetime.strptime(row["ghi_luc"], "%d/%m/%Y %H:%M").replace(tzinfo=LOCAL).timestamp()
        for raw in [*culture.write_history(replace(ORIGIN, anchor=now)), culture.LiveReport(1, 1).play(0, now)]
        for row in raw["dong"]
    ]
    assert now - 86_400 < max(written) <= now
