"""Codes are judged on the day of the record: a switch of the code set changes nothing of what was before."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.convert import dossier_code, procedure_code
from connectors.errors import MappingError
from connectors.mapping import Mapper, compile_mapping
from connectors.pseudonym import Pseudonymiser
from connectors.seeds import parse_manifest
from connectors.table import Table
from schemas.codes_table import load_code_tables
from schemas.contract import load_contracts
from tests.stack import ROOT

TABLES = load_code_tables()
SWITCH = date(2025, 7, 1)
ACCOUNTS = (ROOT / "deploy" / "departments" / "smart-accounts.yaml").read_text("utf-8")


@pytest.fixture(scope="module")
def mapper() -> Mapper:
    manifest = parse_manifest(ACCOUNTS, "smart-accounts.yaml")
    return compile_mapping(manifest, load_contracts()["account"], Pseudonymiser(b"k" * 32), TABLES)


def account(ward: str, at: str) -> dict[str, Any]:
    return {
        "ma_su_kien": f"e-{ward}-{at}",
        "ma_tai_khoan": "TNS-0000001",
        "phien_ban": 1,
        "hanh_dong": "capnhat",
        "cap_nhat_luc": at,
        "ma_xa": ward,
        "kenh": "app",
        "trang_thai": "hoat_dong",
        "dang_ky_luc": at,
        "xac_thuc_luc": None,
        "dong_luc": None,
    }


def wards(codeset: str) -> set[str]:
    table = TABLES["admin_unit"]
    code, kind, which = (table.columns.index(name) for name in ("code", "kind", "codeset"))
    return {row[code] for row in table.rows if row[kind] == "ward" and row[which] == codeset}


def test_trap_3_records_before_the_switch_of_the_code_set_keep_the_old_wards_and_later_ones_need_the_new(
    mapper: Mapper,
) -> None:
    old, new = sorted(wards("2022") - wards("2025"))[0], sorted(wards("2025") - wards("2022"))[0]
    both = sorted(wards("2022") & wards("2025"))[0]
    last, first = "2025-06-30T23:59:59+07:00", "2025-07-01T00:00:00+07:00"
    records = [account(ward, at) for ward in (old, new, both) for at in (last, first)]
    mapped = mapper(records, 0)
    assert [(row["admin_code"], row["admin_codeset"]) for row in mapped.rows] == [
        (old, "2022"),
        (new, "2025"),
        (both, "2022"),
        (both, "2025"),
    ]
    assert [refusal.error.code for refusal in mapped.refused] == ["unknown_code", "unknown_code"]


def test_trap_3_every_old_ward_has_one_successor_to_take_and_its_old_district_stays_known() -> None:
    table, units = TABLES["admin_unit_successor"], TABLES["admin_unit"]
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    main = [row["code"] for row in rows if row["main"] == "1"]
    assert sorted(main) == sorted(wards("2022"))
    assert {row["successor"] for row in rows} <= wards("2025")
    known = [dict(zip(units.columns, row, strict=True)) for row in units.rows]
    parents = {row["code"]: row["parent"] for row in known if row["codeset"] == "2022"}
    assert {row["code"]: row["district"] for row in rows} == {code: parents[code] for code in wards("2022")}


@given(st.sampled_from(sorted(wards("2022") | wards("2025"))), st.integers(-400, 400))
def test_trap_3_a_ward_is_taken_exactly_on_the_days_of_its_code_set(mapper: Mapper, ward: str, days: int) -> None:
    day = SWITCH + timedelta(days=days)
    in_force = wards("2025") if day >= SWITCH else wards("2022")
    records = [account(ward, f"{day}T12:00:00+07:00")]
    mapped = mapper(records, 0)
    assert bool(mapped.rows) == (ward in in_force)
    assert len(mapped.rows) + len(mapped.refused) == 1
    table = Table({key: [records[0][key]] for key in records[0]}, 1)
    assert mapper(table, 0).rows == mapped.rows


@pytest.mark.parametrize(
    ("code", "fits"),
    [
        ("H53.14-240823-0001", True),
        ("000.17.22.H53-210531-0001", True),
        ("H53.14-241323-0001", False),
        ("H53.14/240823/0001", False),
    ],
)
def test_trap_6_both_forms_of_a_dossier_code_are_taken_and_others_are_not(code: str, fits: bool) -> None:
    if fits:
        assert dossier_code(code) == code
        return
    with pytest.raises(MappingError):
        dossier_code(code)


@pytest.mark.parametrize("code", ["1.002835", "1.002835.H53", "1.002835.000.00.00.H53"])
def test_trap_6_local_and_national_procedure_codes_are_one_procedure(code: str) -> None:
    assert procedure_code(code) == "1.002835"
