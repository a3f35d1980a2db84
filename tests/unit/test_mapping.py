"""Mapping of the portal's and 1022's records to their contracts."""

from __future__ import annotations

import io
from typing import Any

import fastavro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.encode import Encoder
from connectors.errors import ManifestError
from connectors.manifest import load_manifests
from connectors.mapping import Mapper, compile_mapping
from connectors.masking import masker
from connectors.pseudonym import Pseudonymiser
from connectors.quarantine import QuarantineWriter
from schemas.contract import load_contracts
from tests.portal_server import record

MANIFESTS = load_manifests()
CONTRACTS = load_contracts()
KEY = Pseudonymiser(b"k" * 32)
NOW_MS = 1_700_000_000_000


@pytest.fixture(scope="module")
def portal() -> Mapper:
    return compile_mapping(MANIFESTS["portal"], CONTRACTS["dossier"], KEY)


@pytest.fixture(scope="module")
def feedback() -> Mapper:
    return compile_mapping(MANIFESTS["feedback-1022"], CONTRACTS["feedback"], KEY)


def report(**changes: Any) -> dict[str, Any]:
    return {
        "id": "evt-1",
        "ma": "PA-220105-0007",
        "phien_ban": 2,
        "hanh_dong": "capnhat",
        "cap_nhat_luc": "2022-01-05T08:00:00+07:00",
        "kenh": "1022",
        "linh_vuc": "Môi trường",
        "muc_do": "khan",
        "trang_thai": "dang_xu_ly",
        "don_vi": "H53.20",
        "nhan_luc": "2022-01-05T07:59:59.5+07:00",
        "han_xu_ly": None,
        "xu_ly_luc": None,
        "gia_han": 0,
        "vi_do": 11.3,
        "kinh_do": 106,
        "danh_gia": None,
        "ma_xa": "25459",
        "noi_dung": "Nhà ông Sáu xả nước thải",
        "nguoi_phan_anh": {"ho_ten": "Trần Văn Sáu", "dien_thoai": "0912345678"},
    } | changes


def only(mapper: Mapper, raw: Any) -> dict[str, Any]:
    mapped = mapper([raw], NOW_MS)
    assert not mapped.refused, mapped.refused[0].error.reason
    return mapped.rows[0]


def refusal(mapper: Mapper, raw: Any) -> tuple[str, str]:
    mapped = mapper([raw], NOW_MS)
    assert not mapped.rows
    return mapped.refused[0].error.code, mapped.refused[0].error.path


def test_a_dossier_becomes_a_canonical_row_in_the_contracts_order(portal: Mapper) -> None:
    row = only(portal, record(1))
    assert list(row) == [field.name for field in CONTRACTS["dossier"].fields]
    assert row["event_time"] == 1661217300000
    assert row["filed_at"] == 1661217300000
    assert row["received_at"] == 1661217300000 + (44 * 60 + 90) * 1000
    assert row["procedure_code"] == "1.002835"
    assert (row["channel"], row["op"], row["ingest_time"]) == ("ONLINE", "UPSERT", NOW_MS)
    assert row["admin_codeset"] == "2022"
    assert row["returned_at"] is None


@pytest.mark.parametrize(
    ("raw", "national"),
    [
        ("1.002835.000.00.00.H53", "1.002835"),
        ("2.002622.H53", "2.002622"),
        ("1.002835", "1.002835"),
    ],
)
def test_local_and_national_procedure_codes_are_one(portal: Mapper, raw: str, national: str) -> None:
    assert only(portal, record(1, maTTHC=raw))["procedure_code"] == national


@pytest.mark.parametrize("code", ["H53.14-220823-0001", "000.14.22.H53-220823-0001", "H53-240229-12345"])
def test_both_forms_of_dossier_codes_are_accepted(portal: Mapper, code: str) -> None:
    assert only(portal, record(1, maHoSo=code))["entity_key"] == code


@pytest.mark.parametrize(
    ("moment", "codeset"),
    [("2025-06-30T23:59:59+07:00", "2022"), ("2025-07-01T00:00:00+07:00", "2025"), ("2025-06-30T17:00:00Z", "2025")],
)
def test_the_code_set_switches_at_local_midnight(portal: Mapper, moment: str, codeset: str) -> None:
    assert only(portal, record(1, moment))["admin_codeset"] == codeset


@pytest.mark.parametrize(
    ("changes", "code", "path"),
    [
        ({"maSuKien": None}, "missing", "maSuKien"),
        ({"maHoSo": ""}, "missing", "maHoSo"),
        ({"maHoSo": "H53.14-221341-0001"}, "bad_format", "maHoSo"),
        ({"maHoSo": "hồ sơ 1"}, "bad_format", "maHoSo"),
        ({"phienBan": "3"}, "wrong_type", "phienBan"),
        ({"phienBan": True}, "wrong_type", "phienBan"),
        ({"phienBan": 0}, "out_of_range", "phienBan"),
        ({"phienBan": 2**63}, "out_of_range", "phienBan"),
        ({"hanhDong": "huy"}, "unknown_code", "hanhDong"),
        ({"kenh": True}, "wrong_type", "kenh"),
        ({"kenh": 1.0}, "wrong_type", "kenh"),
        ({"kenh": 9}, "unknown_code", "kenh"),
        ({"kenh": [1]}, "wrong_type", "kenh"),
        ({"trangThai": 11}, "out_of_range", "trangThai"),
        ({"capNhatLuc": "hôm qua"}, "bad_time", "capNhatLuc"),
        ({"capNhatLuc": "1970-01-01T00:00:00Z"}, "out_of_range", "capNhatLuc"),
        ({"ngayNop": "31/02/2022 08:15:00"}, "bad_time", "ngayNop"),
        ({"ngayNop": "23/08/2022 24:00:00"}, "bad_time", "ngayNop"),
        ({"ngayNop": "23/08/2022 08:15:60"}, "bad_time", "ngayNop"),
        ({"ngayNop": "2022-08-23"}, "bad_time", "ngayNop"),
        ({"ngayNop": 1661217300}, "wrong_type", "ngayNop"),
        ({"lePhi": -1}, "out_of_range", "lePhi"),
        ({"thanhToanTrucTuyen": 1}, "wrong_type", "thanhToanTrucTuyen"),
        ({"maTTHC": "2835"}, "bad_format", "maTTHC"),
        ({"maDonVi": "14"}, "bad_format", "maDonVi"),
        ({"linhVuc": {}}, "wrong_type", "linhVuc"),
        ({"linhVuc": "x" * 2000}, "out_of_range", "linhVuc"),
        ({"nguoiNop": "Nguyễn Thị Bưởi"}, "wrong_type", "nguoiNop.cccd"),
        ({"nguoiNop": {"cccd": 72000000001}}, "wrong_type", "nguoiNop.cccd"),
    ],
)
def test_a_dossier_that_does_not_fit_is_refused_with_its_field(
    portal: Mapper, changes: dict[str, Any], code: str, path: str
) -> None:
    assert refusal(portal, record(1, **changes)) == (code, path)


@pytest.mark.parametrize("raw", [None, 5, "text", [], True])
def test_what_is_no_object_is_refused(portal: Mapper, raw: Any) -> None:
    assert refusal(portal, raw) == ("wrong_type", "")


def test_good_records_of_a_batch_go_on_in_order(portal: Mapper) -> None:
    mapped = portal([record(1), None, record(2), record(3, kenh=0)], NOW_MS)
    assert [row["event_id"] for row in mapped.rows] == ["sk-000001", "sk-000002"]
    assert len(mapped.refused) == 2


def test_a_missing_person_is_no_fault(portal: Mapper) -> None:
    assert only(portal, record(1, nguoiNop=None))["applicant"] is None


def test_a_report_of_1022_becomes_a_canonical_row(feedback: Mapper) -> None:
    row = only(feedback, report())
    assert (row["channel"], row["urgency"], row["status"]) == ("HOTLINE", "URGENT", "IN_PROGRESS")
    assert (row["lat"], row["lon"]) == (11.3, 106.0)
    assert row["received_at"] == row["event_time"] - 500
    assert "noi_dung" not in row


def test_extensions_default_to_none_asked(feedback: Mapper) -> None:
    assert only(feedback, report(gia_han=None))["extensions"] == 0


@pytest.mark.parametrize("changes", [{"kenh": 1022}, {"vi_do": 95}, {"vi_do": "11.3"}, {"ma": "PA-1"}])
def test_a_report_that_does_not_fit_is_refused(feedback: Mapper, changes: dict[str, Any]) -> None:
    assert not feedback([report(**changes)], NOW_MS).rows


def test_reasons_name_field_type_and_cure_and_no_value(portal: Mapper) -> None:
    mapped = portal([record(1, nguoiNop={"cccd": ["072199000111"]}), record(2, kenh="0987654321")], NOW_MS)
    for refused in mapped.refused:
        reason = refused.error.reason
        assert refused.error.path in reason.vi
        assert "Cách xử lý" in reason.vi
        assert "Cure" in reason.en
        assert "072199000111" not in reason.vi + reason.en
        assert "0987654321" not in reason.vi + reason.en


def test_the_quarantine_keeps_a_record_masked_under_one_id() -> None:
    manifest = MANIFESTS["portal"]
    mapper = compile_mapping(manifest, CONTRACTS["dossier"], KEY)
    writer = QuarantineWriter(manifest, "ioc.administration.dossier")
    raw = record(1, kenh=7, ghiChu="gọi 0912345678", linhVuc="CCCD 072199000111")
    again = dict(reversed(raw.items()))
    first, second = (writer.messages(mapper([item], NOW_MS).refused, NOW_MS)[0] for item in (raw, again))
    assert first.key == second.key
    text = first.value.decode()
    for personal in ("Bưởi", "072000000001", "0900000001", "0912345678", "072199000111"):
        assert personal not in text
    assert "H53.14-220823-0001" in text
    headers = dict(first.headers)
    assert headers["__connect.errors.topic"] == b"ioc.administration.dossier"
    assert headers["__connect.errors.connector.name"] == b"portal"


def test_undeclared_fields_are_masked_whatever_their_shape() -> None:
    mask = masker(MANIFESTS["feedback-1022"])
    text = mask({"ma": "PA-1", "la": {"ten": "Trần Văn Sáu"}, "ds": ["Sáu"], "so": 5, "kenh": {"x": "Sáu"}})
    assert "Sáu" not in text
    assert '"ma":"PA-1"' in text


def test_rows_are_encoded_as_fastavro_would(portal: Mapper, feedback: Mapper) -> None:
    cases = ((portal, "dossier", [record(1), record(2, danhGia=5, lePhi=None)]), (feedback, "feedback", [report()]))
    for mapper, entity, raws in cases:
        contract = CONTRACTS[entity]
        parsed = fastavro.parse_schema(contract.schema)
        rows = mapper(raws, NOW_MS).rows
        for row, (key, value) in zip(rows, Encoder(contract, 258)(rows), strict=True):
            out = io.BytesIO()
            fastavro.schemaless_writer(out, parsed, row)
            assert value == b"\x00\x00\x00\x01\x02" + out.getvalue()
            assert key == row["entity_key"].encode()


@settings(max_examples=60, deadline=None)
@given(
    revision=st.integers(-(2**63), 2**63 - 1),
    fee=st.none() | st.integers(-(2**63), 2**63 - 1),
    field=st.text(min_size=1, max_size=2000),
    at=st.integers(-(2**60), 2**60),
)
def test_any_row_is_encoded_as_fastavro_would(revision: int, fee: int | None, field: str, at: int) -> None:
    contract = CONTRACTS["dossier"]
    mapper = compile_mapping(MANIFESTS["portal"], contract, KEY)
    row = only(mapper, record(1)) | {"revision": revision, "fee": fee, "field": field, "event_time": at}
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(contract.schema), row)
    assert Encoder(contract, 7)([row])[0][1][5:] == out.getvalue()


@settings(max_examples=200, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
        max_leaves=6,
    ),
    st.sampled_from(sorted(record(1))),
)
def test_no_value_however_strange_stops_the_flow(value: Any, name: str) -> None:
    mapper = compile_mapping(MANIFESTS["portal"], CONTRACTS["dossier"], KEY)
    mapped = mapper([record(1, **{name: value}), value], NOW_MS)
    assert len(mapped.rows) + len(mapped.refused) == 2


def test_personal_fields_of_the_contract_must_be_pseudonymised() -> None:
    manifest = MANIFESTS["portal"]
    rule = manifest.mapping["applicant"].model_copy(update={"pseudonym": None})
    open_manifest = _with(manifest, "applicant", rule)
    with pytest.raises(ManifestError, match="pseudonym"):
        compile_mapping(open_manifest, CONTRACTS["dossier"], KEY)


def test_personal_paths_of_the_source_must_be_pseudonymised() -> None:
    manifest = MANIFESTS["portal"]
    rule = manifest.mapping["field"].model_copy(update={"source": "nguoiNop.hoTen"})
    with pytest.raises(ManifestError, match="pseudonym"):
        compile_mapping(_with(manifest, "field", rule), CONTRACTS["dossier"], KEY)


def test_a_rule_for_an_unknown_field_names_the_nearest() -> None:
    manifest = MANIFESTS["portal"]
    rule = manifest.mapping["field"]
    with pytest.raises(ManifestError, match=r"mapping\.levle.*did you mean “level”"):
        compile_mapping(_with(manifest, "levle", rule), CONTRACTS["dossier"], KEY)


def _with(manifest: Any, name: str, rule: Any) -> Any:
    import dataclasses

    return dataclasses.replace(manifest, mapping={**manifest.mapping, name: rule})
