"""Records no connector can place: each must end in quarantine, once, and count nowhere.

Each stays harmless for the figures even where it is taken by mistake: it has no date by which to be counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from deploy.demo.local_time import iso
from deploy.demo.reference import REFERENCE_END

Raw = dict[str, Any]
MOMENT = REFERENCE_END
"""When the bad records of the portal were last changed: after the reference history, before the stock."""


@dataclass(frozen=True, slots=True)
class BadRecord:
    """`why` in plain words; `personal`: the values in it that must appear nowhere."""

    why: str
    raw: Raw
    personal: tuple[str, ...]


def _person(number: int) -> tuple[str, str, str]:
    return f"Người Thử Lỗi {'ABCDEFGH'[number]}", f"07209912340{number}", f"090912310{number}"


def portal_records() -> list[BadRecord]:
    flaws: list[tuple[str, Raw]] = [
        ("unknown status", {"trangThai": 42}),
        ("unparsable date", {"ngayTiepNhan": "31/02/2022 25:61:00"}),
        ("missing key", {"maHoSo": None}),
        ("malformed key", {"maHoSo": "HS/2022/17"}),
        ("unknown action", {"hanhDong": "huy_bo"}),
    ]
    found = []
    for number, (why, flaw) in enumerate(flaws):
        name, cccd, phone = _person(number)
        raw = {
            "maSuKien": f"dvc-x{number:06d}-00",
            "maHoSo": f"H53.14-220930-9{number:03d}",
            "phienBan": 1,
            "hanhDong": "capnhat",
            "capNhatLuc": iso(MOMENT),
            "maDonVi": "H53.14",
            "maTTHC": "1.002835.000.00.00.H53",
            "linhVuc": "Đất đai",
            "kenh": 1,
            "mucDo": 2,
            "trangThai": 1,
            **dict.fromkeys(("ngayNop", "ngayTiepNhan", "ngayHenTra", "ngayKetThuc", "ngayTraKetQua", "lePhi")),
            "thanhToanTrucTuyen": False,
            "soHoaThanhPhan": False,
            "ketQuaDienTu": False,
            "danhGia": None,
            "maXa": "25459",
            "nguoiNop": {"hoTen": name, "cccd": cccd, "dienThoai": phone},
        }
        found.append(BadRecord(why, raw | flaw, (name, cccd, phone)))
    return found


def feedback_records() -> list[BadRecord]:
    flaws: list[tuple[str, Raw]] = [
        ("unknown status", {"trang_thai": "khong_ro"}),
        ("unparsable date", {"cap_nhat_luc": "hôm qua"}),
        ("missing key", {"ma": None}),
        ("missing revision", {"phien_ban": None}),
        ("unknown channel", {"kenh": "fax"}),
    ]
    found = []
    for number, (why, flaw) in enumerate(flaws):
        name, _cccd, phone = _person(number)
        raw = {
            "id": f"evt-x{number:05d}-00",
            "ma": f"PA-220930-9{number:03d}",
            "kenh": "app",
            "linh_vuc": "Môi trường",
            "muc_do": "thuong",
            "trang_thai": "trung",
            "don_vi": "H53.15",
            **dict.fromkeys(("nhan_luc", "han_xu_ly", "xu_ly_luc", "danh_gia")),
            "gia_han": 0,
            "vi_do": 11.3,
            "kinh_do": 106.1,
            "ma_xa": "25459",
            "noi_dung": f"Bản ghi thử lỗi của {name}, {phone}.",
            "nguoi_phan_anh": {"ho_ten": name, "dien_thoai": phone},
            "phien_ban": 1,
            "hanh_dong": "capnhat",
            "cap_nhat_luc": iso(MOMENT),
        }
        found.append(BadRecord(why, raw | flaw, (name, phone)))
    return found
