"""Personal data are found in the forms people write them in Vietnam, and codes are not taken for them."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.manifest import load_manifests
from connectors.personal_data import find_personal, untagged
from connectors.trial import UntaggedPersonalDataError, refuse_untagged

PERSONAL = [
    ("nguoi", "Nguyễn Thị Bưởi", "name"),
    ("x", "TRẦN VĂN SÁU", "name"),
    ("x", "Lê An", "name"),
    ("so", "072201001234", "citizen_id"),
    ("ghiChu", "CCCD số 072301009876 cấp năm 2021", "citizen_id"),
    ("soCMND", "290123456", "citizen_id"),
    ("lienHe", "0912345678", "phone"),
    ("lienHe", "0912 345 678", "phone"),
    ("lienHe", "+84 912.345.678", "phone"),
    ("lienHe", "(0276) 382-2222 hoặc 02763822222", "phone"),
    ("ghiChu", "Người dân để lại số 0912-345-678 và hẹn chiều mai gọi lại", "phone"),
    ("thu", "binh.tran@example.vn", "email"),
    ("noiO", "Số 12 đường 30/4, phường 3, thành phố Tây Ninh", "address"),
    ("noiO", "Ấp Thuận Hòa, xã Truông Mít, huyện Dương Minh Châu", "address"),
]
NOT_PERSONAL = [
    ("maHoSo", "H53.14-240823-0001"),
    ("maHoSo", "000.14.22.H53-210531-0001"),
    ("maTTHC", "1.002835.000.00.00.H53"),
    ("capNhatLuc", "2022-08-23T08:15:00+07:00"),
    ("ngayNop", "23/08/2022 08:15:00"),
    ("linhVuc", "Đất đai"),
    ("linhVuc", "Hộ tịch"),
    ("donVi", "Sở Thông tin và Truyền thông"),
    ("xa", "Phường 3"),
    ("lePhi", 50000),
    ("soThuTu", 290123456),
    ("toaDo", 106.064018),
    ("daThu", True),
    ("trong", None),
]


@pytest.mark.parametrize(("path", "value", "kind"), PERSONAL)
def test_a_personal_value_is_found(path: str, value: str, kind: str) -> None:
    (finding,) = find_personal([{path: value}])
    assert (finding.path, finding.kind) == (path, kind)
    assert value not in repr(finding)


@pytest.mark.parametrize(("path", "value"), NOT_PERSONAL)
def test_codes_times_and_fields_of_work_are_not_personal(path: str, value: Any) -> None:
    assert find_personal([{path: value}]) == []


@pytest.mark.parametrize(
    ("name", "kind"),
    [("hoTen", "name"), ("ho_va_ten", "name"), ("Họ tên", "name"), ("soCCCD", "citizen_id"), ("cccd", "citizen_id"),
     ("dienThoai", "phone"), ("sdt", "phone"), ("email", "email"), ("diaChi", "address"), ("ngaySinh", "birth")],
)  # fmt: skip
def test_a_name_of_a_field_says_it_even_where_it_is_empty(name: str, kind: str) -> None:
    (finding,) = find_personal([{"nguoi": {name: None}}])
    assert (finding.path, finding.kind, finding.by) == (f"nguoi.{name}", kind, "name")


def test_items_of_lists_are_looked_at() -> None:
    assert [finding.path for finding in find_personal([{"nguoi": [{"a": "0912345678"}]}])] == ["nguoi.a"]


def test_one_odd_value_among_many_is_no_finding() -> None:
    assert find_personal([{"a": f"việc {number}"} for number in range(20)] + [{"a": "Lê Lợi"}]) == []


def test_what_is_tagged_above_or_cleared_is_not_untagged() -> None:
    findings = find_personal([{"nguoi": {"hoTen": "Lê An", "sdt": "0912345678"}, "duong": "Lê Lợi"}])
    assert len(findings) == 3
    assert [finding.path for finding in untagged(findings, ["nguoi"], ["duong"])] == []
    assert [finding.path for finding in untagged(findings, ["nguoi.hoTen"], [])] == ["duong", "nguoi.sdt"]


def test_of_what_is_pushed_only_what_the_mapping_reads_is_refused() -> None:
    manifest = load_manifests()["feedback-1022"]
    refuse_untagged(manifest, [{"ghi_chu": "Trần Văn Sáu"}], read_only=True)
    with pytest.raises(UntaggedPersonalDataError, match="ghi_chu"):
        refuse_untagged(manifest, [{"ghi_chu": "Trần Văn Sáu"}])
    with pytest.raises(UntaggedPersonalDataError, match="don_vi"):
        refuse_untagged(manifest, [{"don_vi": "Trần Văn Sáu"}], read_only=True)
