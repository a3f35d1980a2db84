"""Rules of a mapping beyond a plain copy: expressions, code tables, text numbers, several time forms, drift."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.errors import ManifestError, MappingError, SourceRefusedError
from connectors.expression import CHUNK_RECORDS, ExpressionError, compile_expression
from connectors.manifest import load_manifest
from connectors.mapping import Mapper, compile_mapping
from connectors.masking import masker
from connectors.pseudonym import Pseudonymiser
from schemas.contract import load_contracts
from tests.portal_server import record

PORTAL = yaml.safe_load((Path(__file__).parents[2] / "connectors/departments/portal.yaml").read_text(encoding="utf-8"))
CONTRACTS = load_contracts()
KEY = Pseudonymiser(b"k" * 32)


def mapper(root: Path, rules: dict[str, Any], **head: Any) -> Mapper:
    tree = {**PORTAL, **head, "mapping": {**PORTAL["mapping"], **rules}}
    path = root / "mine.yaml"
    path.write_text(yaml.safe_dump(tree, allow_unicode=True), encoding="utf-8")
    return compile_mapping(load_manifest(path), CONTRACTS["dossier"], KEY)


def one(made: Mapper, **changes: Any) -> Any:
    """The row, or the reason why there is none."""
    mapped = made([record(1, **changes)], 0)
    return mapped.rows[0] if mapped.rows else (mapped.refused[0].error.code, mapped.refused[0].error.path)


def test_an_expression_makes_a_field(tmp_path: Path) -> None:
    made = mapper(
        tmp_path,
        {
            "fee": {"from": "lePhi", "expr": "int(double(replace(value, ',', '.')) * 1000.0)", "min": 0},
            "field": {"expr": "raw.linhVuc + ' / ' + part(raw.maDonVi, '.', 0)"},
        },
    )
    row = one(made, lePhi="1,5")
    assert (row["fee"], row["field"]) == (1500, "Đất đai / H53")
    assert one(made, lePhi="một") == ("expression", "lePhi")
    assert one(made, lePhi="-1,5") == ("out_of_range", "lePhi")
    assert one(made, maDonVi=None)[0] in {"expression", "missing", "wrong_type"}


def test_one_bad_record_of_a_batch_spoils_no_other(tmp_path: Path) -> None:
    made = mapper(tmp_path, {"fee": {"from": "lePhi", "expr": "int(value) * 2"}})
    records = [record(number, lePhi="x" if number % 7 == 3 else str(number)) for number in range(1, 3 * CHUNK_RECORDS)]
    mapped = made(records, 0)
    assert [row["fee"] for row in mapped.rows] == [2 * n for n in range(1, 3 * CHUNK_RECORDS) if n % 7 != 3]
    assert {refusal.error.code for refusal in mapped.refused} == {"expression"}


@settings(deadline=None, max_examples=50)
@given(st.lists(st.one_of(st.none(), st.integers(-99, 99), st.text(max_size=5)), max_size=90))
def test_an_expression_gives_the_same_for_a_record_alone_and_among_others(values: list[Any]) -> None:
    expression = compile_expression("value == null ? -1 : int(value) + 1", "a")
    together = expression([{"a": value} for value in values])
    alone = [expression([{"a": value}])[0] for value in values]
    assert [str(result) for result in together] == [str(result) for result in alone]


@pytest.mark.parametrize(
    ("source", "origin", "message"),
    [
        ("1 +", None, "is no CEL expression"),
        ("vlue + 1", "a", "variable “vlue” is no known variable; did you mean “value”"),
        ("value + 1", None, "needs the key from"),
        ("lowr(value)", "a", "function “lowr” is no known function; did you mean “lower”"),
        ("raw", None, "raw.fieldName"),
        ("raw['hoTen']", None, "raw.fieldName"),
        ("[1].map(x, x)", None, "may not use map"),
        ("raw.a.exists(x, true)", None, "may not use map"),
        ("'" + "a" * 600 + "'", None, "at most 500"),
    ],
)
def test_an_expression_that_cannot_be_used_says_why(source: str, origin: str | None, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_expression(source, origin)
    assert message in str(caught.value)


def test_words_within_texts_are_no_names() -> None:
    assert compile_expression("'value raw.map(' + raw.a", None)([{"a": "!"}]) == ["value raw.map(!"]


def test_a_function_may_not_make_a_text_without_end() -> None:
    source = "replace(" * 6 + "raw.a" + ", 'a', 'aaaaaaaaaa')" * 6
    (result,) = compile_expression(source, None)([{"a": "aaaa"}])
    assert isinstance(result, MappingError)


def test_an_expression_cannot_carry_a_personal_value_into_the_topic(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"“mapping\.field” is personal data \(nguoiNop\.hoTen\)"):
        mapper(tmp_path, {"field": {"expr": "raw.linhVuc + raw.nguoiNop.hoTen"}})
    with pytest.raises(ManifestError, match="is personal data"):
        mapper(tmp_path, {"field": {"expr": "raw.nguoiNop == null ? 'a' : 'b'"}})


def test_a_quarantined_record_shows_what_an_expression_reads_and_no_more(tmp_path: Path) -> None:
    mapper(tmp_path, {"field": {"expr": "raw.a + raw.b.c"}})
    shown = masker(load_manifest(tmp_path / "mine.yaml"))({"a": "x", "b": {"c": "y", "d": "z"}, "e": "w"})
    assert shown == '{"a":"x","b":{"c":"y","d":"•••"},"e":"•••"}'


@pytest.mark.parametrize(
    ("sign", "value", "expected"),
    [
        (".", "50.000", 50),
        (",", "1.234.567", 1234567),
        (",", "1234", 1234),
        (",", "12 500", 12500),
        (",", "1.5", ("bad_format", "lePhi")),
        (",", "1,5", ("bad_format", "lePhi")),
        (",", "1.2345", ("bad_format", "lePhi")),
        (",", 7, 7),
        (".", "50.000", 50),
        (".", "50.000", 50),
        (".", "50.5", ("bad_format", "lePhi")),
        (",", "-5", ("out_of_range", "lePhi")),
        (",", True, ("wrong_type", "lePhi")),
    ],
)
def test_text_numbers_are_read_by_their_decimal_sign(tmp_path: Path, sign: str, value: Any, expected: Any) -> None:
    found = one(mapper(tmp_path, {"fee": {"from": "lePhi", "decimal": sign, "min": 0}}), lePhi=value)
    assert (found["fee"] if isinstance(found, dict) else found) == expected


def test_the_first_time_form_that_fits_is_taken(tmp_path: Path) -> None:
    made = mapper(tmp_path, {"filed_at": {"from": "ngayNop", "time": ["%d/%m/%Y %H:%M:%S", "%d/%m/%Y", "iso"]}})
    times = [one(made, ngayNop=text)["filed_at"] for text in ("23/08/2022 00:00:00", "23/08/2022", "2022-08-22T17:00Z")]
    assert times[0] == times[1] == times[2]
    assert one(made, ngayNop="hôm qua") == ("bad_time", "ngayNop")


def test_a_code_table_of_the_hub_translates(tmp_path: Path) -> None:
    table = {"name": "dossier_status", "by": "name_vi", "give": "code"}
    made = mapper(tmp_path, {"status": {"from": "trangThai", "table": table}})
    assert one(made, trangThai="Đang xử lý")["status"] == 4
    assert one(made, trangThai="Chưa rõ") == ("unknown_code", "trangThai")


@pytest.mark.parametrize(
    ("rules", "path", "message"),
    [
        ({"status": {"from": "a", "table": {"name": "dosier_status"}}}, "table.name", "did you mean “dossier_status”"),
        ({"status": {"from": "a", "table": {"name": "dossier_status", "by": "nam_vi"}}}, "table.by", "“name_vi”"),
        (
            {"status": {"from": "a", "table": {"name": "dossier_status", "where": {"x": "1"}}}},
            "table.where.x",
            "no known column",
        ),
        ({"admin_code": {"from": "a", "table": {"name": "admin_unit", "by": "name_vi"}}}, "table", "add where"),
        ({"level": {"from": "a", "pattern": "x"}}, "pattern", "is for fields of type string"),
        ({"field": {"from": "a", "decimal": ","}}, "decimal", "is for fields of type int"),
        ({"filed_at": {"from": "a"}}, "", "is a time and needs the key time"),
        ({"fild": {"from": "a"}}, "", "no known field; did you mean “field”"),
        ({"channel": {"from": "a", "codes": {1: "COUNTR"}}}, "", "'COUNTR' is no enum"),
    ],
)
def test_a_rule_that_does_not_fit_the_contract_is_named(
    tmp_path: Path, rules: dict[str, Any], path: str, message: str
) -> None:
    with pytest.raises(ManifestError) as caught:
        mapper(tmp_path, rules)
    (field,) = rules
    assert message in str(caught.value)
    assert caught.value.path == f"mapping.{field}" + (f".{path}" if path else "")
    assert str(caught.value).startswith("mine.yaml, line ")


def test_all_rules_that_do_not_fit_are_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(ManifestError) as caught:
        mapper(tmp_path, {"fild": {"from": "a"}, "level": {"from": "a", "pattern": "x"}, "filed_at": {"from": "a"}})
    assert len(str(caught.value).splitlines()) == 3


def test_new_fields_are_left_aside_or_kept_out_as_the_policy_says(tmp_path: Path) -> None:
    assert one(mapper(tmp_path, {}), truongMoi=1)["fee"] == 50000
    assert one(mapper(tmp_path, {}, drift="discard_value"), truongMoi=1)["fee"] == 50000
    strict = mapper(tmp_path, {}, drift="discard_row")
    assert one(strict, truongMoi=1) == ("new_field", "")
    assert one(strict)["fee"] == 50000
    assert one(mapper(tmp_path, {}, drift="discard_row", ignore=["truongMoi"]), truongMoi=1)["fee"] == 50000
    with pytest.raises(SourceRefusedError, match="truongMoi"):
        mapper(tmp_path, {}, drift="freeze")([record(1), record(2, truongMoi=1)], 0)
