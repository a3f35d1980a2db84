"""What the hotline 1022 pushes."""

from __future__ import annotations

from typing import Any


def report(number: int, **changes: Any) -> dict[str, Any]:
    """A report that has just arrived."""
    return {
        "id": f"evt-{number}",
        "ma": f"PA-220105-{number:04d}",
        "phien_ban": 1,
        "hanh_dong": "capnhat",
        "cap_nhat_luc": "2022-01-05T08:00:00+07:00",
        "kenh": "app",
        "linh_vuc": "Môi trường",
        "muc_do": "thuong",
        "trang_thai": "moi",
        "don_vi": "H53.20",
        "nhan_luc": "2022-01-05T08:00:00+07:00",
        "han_xu_ly": None,
        "xu_ly_luc": None,
        "gia_han": 0,
        "vi_do": 11.3,
        "kinh_do": 106.1,
        "danh_gia": None,
        "ma_xa": "25459",
        "noi_dung": "Nhà bên xả nước thải",
        "nguoi_phan_anh": {"ho_ten": "Trần Văn Sáu", "dien_thoai": "0912345678"},
    } | changes
