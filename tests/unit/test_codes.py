"""Code tables that people edit: what is wrong is said with its line, what changes is shown, nothing loses its zeros."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.code_files import code_file, misfits, read_code_file
from hub.config import Settings
from hub.declarations import load_declarations
from schemas.codes_diff import differences
from schemas.codes_table import CodeTable, as_csv, load_code_tables, read_table
from schemas.errors import ContractError
from tests.stack import ROOT

TABLES = load_code_tables()
HEAD = "code,name_vi,valid_from,valid_to\n"

BROKEN = [
    ("no-validity", "code,name_vi\nA,a\n", "thiếu cột 'valid_from'", "the column 'valid_from' is missing"),
    ("empty-file", "", "thiếu cột 'code'", "the column 'code' is missing"),
    ("cell-too-many", f"{HEAD}A,a,2022-01-01,,x\n", "dòng 2: 5 giá trị, 4 cột", "line 2: 5 values, 4 columns"),
    ("cell-missing", f"{HEAD}A,a\n", "dòng 2: 2 giá trị, 4 cột", "line 2: 2 values, 4 columns"),
    ("no-code", f"{HEAD},a,2022-01-01,\n", "dòng 2: mã để trống", "line 2: the code is empty"),
    ("vietnamese-day", f"{HEAD}A,a,01/07/2025,\n", "'01/07/2025' không phải ngày", "'01/07/2025' is no day"),
    ("day-that-is-none", f"{HEAD}A,a,2025-02-30,\n", "'2025-02-30' không phải ngày", "'2025-02-30' is no day"),
    ("no-first-day", f"{HEAD}A,a,,\n", "'' không phải ngày", "'' is no day"),
    ("ends-before", f"{HEAD}A,a,2025-07-01,2025-06-30\n", "hết hiệu lực 2025-06-30 trước", "it ends on 2025-06-30"),
    (
        "twice-on-a-day",
        f"{HEAD}A,a,2022-01-01,\nA,b,2025-07-01,\n",
        "dòng 2 và 3: mã 'A' có hiệu lực hai lần từ 2025-07-01",
        "lines 2 and 3: 'A' is in force twice from 2025-07-01 on",
    ),
]


@pytest.mark.parametrize(("text", "vi", "en"), [case[1:] for case in BROKEN], ids=[case[0] for case in BROKEN])
def test_a_broken_table_is_refused_with_its_line_in_both_languages(text: str, vi: str, en: str) -> None:
    with pytest.raises(ContractError) as caught:
        read_table("t", text, "t.csv")
    assert vi in caught.value.vi
    assert en in str(caught.value)
    assert caught.value.vi.startswith("t.csv") and str(caught.value).startswith("t.csv")


@pytest.mark.parametrize("name", sorted(TABLES))
@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_a_table_that_is_taken_out_and_brought_back_differs_in_nothing(name: str, form: str, tmp_path: Path) -> None:
    path = tmp_path / f"{name}.{form}"
    path.write_bytes(code_file(TABLES[name], form))
    assert read_code_file(path, name) == TABLES[name]


def test_a_rename_from_a_day_on_is_two_changes_and_keeps_the_old_name_before_it() -> None:
    old = TABLES["fonds"]
    text = as_csv(old).replace(
        "PLT-0012,Phông Sở Nội vụ,Home affairs,H53.12,150000,2021-01-01,\n",
        "PLT-0012,Phông Sở Nội vụ,Home affairs,H53.12,150000,2021-01-01,2025-02-28\n"
        "PLT-0012,Phông Sở Nội vụ (mới),Home affairs,H53.12,90000,2025-03-01,\n",
    )
    changes = differences(old, read_table("fonds", text, "fonds.csv"))
    assert [(each.kind, each.code, each.valid_from, each.column) for each in changes] == [
        ("changed", "PLT-0012", "2021-01-01", "valid_to"),
        ("added", "PLT-0012", "2025-03-01", ""),
    ]
    assert changes[0].text().en == "valid_to: “” → “2025-02-28”"
    assert "có hiệu lực từ 2025-03-01" in changes[1].text().vi


@given(st.sets(st.integers(0, 9)), st.sets(st.integers(0, 9)))
def test_differences_are_those_of_the_sets(before: set[int], after: set[int]) -> None:
    one, other = (
        CodeTable("t", ("code", "valid_from", "valid_to"), tuple((str(n), "2022-01-01", "") for n in sorted(each)))
        for each in (before, after)
    )
    found = {(each.kind, int(each.code)) for each in differences(one, other)}
    assert found == {("removed", n) for n in before - after} | {("added", n) for n in after - before}


def test_a_table_that_a_connector_or_a_kpi_could_not_go_on_with_is_named(tmp_path: Path) -> None:
    declared = load_declarations(Settings(state_dir=tmp_path, connectors_dir=ROOT / "deploy" / "departments"))
    without = read_table("quantity_unit", "code,name_vi,valid_from,valid_to\nkg,kg,2020-01-01,\n", "q.csv")
    (fault,) = {
        text.partition(",")[0] for text in misfits(without, declared.codes, declared) if "crop-lots.yaml" in text
    }
    assert fault == "crop-lots.yaml"
    kept = ("code", "name_vi", "valid_from", "valid_to")
    procedures = CodeTable("procedure", kept, (("1.000001", "x", "2021-01-01", ""),))
    assert "procedure: online" in misfits(procedures, declared.codes, declared)
    assert misfits(declared.codes["quantity_unit"], declared.codes, declared) == []
