"""Each connected system's page, made of its declarations: nothing that is declared is left out."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.manifest import load_manifests
from deploy.demo.systems import SYSTEMS as PROVINCE
from hub.catalogue.system_page import SystemPage, markdown, system_page
from schemas.contract import load_contracts
from streams.plan import load_plans

ROOT = Path(__file__).parents[2]
MANIFESTS = load_manifests(ROOT / "deploy" / "departments")
SYSTEMS = {"portal", "feedback-1022"} | {system.id for system in PROVINCE}
"""The fourteen systems of the province; some have two connectors."""
CONTRACTS = load_contracts()
PLANS = load_plans(CONTRACTS)


def made(connector: str, language: str) -> SystemPage:
    manifest = MANIFESTS[connector]
    return system_page(manifest, CONTRACTS[manifest.entity], PLANS.get(manifest.entity), language)


@pytest.mark.parametrize("language", ["vi", "en"])
@pytest.mark.parametrize("connector", sorted(MANIFESTS))
def test_a_page_tells_every_field_and_every_kpi_with_its_basis(connector: str, language: str) -> None:
    page = made(connector, language)
    manifest = MANIFESTS[connector]
    assert {row.name for row in (*page.fields, *page.envelope)} == set(manifest.mapping)
    plan = PLANS[manifest.entity]
    assert [kpi.id for kpi in page.kpis] == [kpi.id for kpi in plan.kpis]
    text = markdown(page)
    for kpi in page.kpis:
        assert kpi.explanation in text and kpi.basis in text
        assert all(part.sql in text for part in kpi.parts)
    assert all(line in text for line in page.lookups)
    assert manifest.owner.contact in text


def test_each_of_the_fourteen_systems_has_its_pages() -> None:
    assert len(SYSTEMS) == 14
    of_systems = {connector for system in PROVINCE for connector in system.connectors} | {"portal", "feedback-1022"}
    assert set(MANIFESTS) == of_systems
    for connector in MANIFESTS:
        page = made(connector, "vi")
        assert page.kpis and page.fields, connector
        assert all(kpi.basis for kpi in page.kpis), connector


def test_a_rule_without_a_law_is_called_an_assumption_and_one_with_a_law_names_it() -> None:
    kpis = {kpi.id: kpi for kpi in made("environment-stations", "en").kpis}
    assert "QCVN" in kpis["station_reading.exceedances"].basis
    assert not kpis["station_reading.exceedances"].is_assumption
    assert made("paperless-meetings", "vi").kpis[0].basis.startswith("không có văn bản")


def test_personal_fields_and_joined_tables_are_told_in_words() -> None:
    page = made("traffic-violations", "en")
    plate = next(row for row in page.fields if row.name == "plate")
    assert plate.personal and "pseudonym" in plate.rule and plate.origin == "bien_so"
    assert "in force on the day of thoi_diem" in page.lookups[0]
    status = next(row for row in page.fields if row.name == "verify_status")
    assert "loai_bo → REJECTED" in status.rule
