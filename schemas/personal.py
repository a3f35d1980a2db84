"""Which field names look like personal data, in English and in Vietnamese without accents. Pure.

A name only suggests: the contract's author decides, by `"pii": "basic"`, `"sensitive"` or `"none"`.
"""

from __future__ import annotations

import re

CLASSES = ("basic", "sensitive")
"""Classes of personal data in Law 91/2025/QH15."""

JUDGED = "none"
"""What a field says whose name looks personal and whose values are not."""

_SENSITIVE = (
    *("cccd", "cmnd", "cmt", "citizen_id", "national_id", "id_card", "identity", "passport", "ho_chieu"),
    "so_dinh_danh",
    *("biometric", "fingerprint", "van_tay", "face", "khuon_mat", "iris", "health", "suc_khoe", "benh", "diagnosis"),
    *("religion", "ton_giao", "ethnic", "ethnicity", "dan_toc", "political", "dang_vien", "criminal", "tien_an"),
    *("bank_account", "so_tai_khoan", "account_no", "salary", "luong", "applicant", "nguoi_nop"),
)
_BASIC = (
    *("name", "full_name", "first_name", "last_name", "ho_ten", "ten", "nickname", "author", "tac_gia", "username"),
    *("phone", "mobile", "tel", "dien_thoai", "sdt", "email", "mail", "address", "dia_chi", "zalo", "facebook"),
    *("birth", "birthday", "dob", "date_of_birth", "ngay_sinh", "nam_sinh", "age", "tuoi", "gender", "gioi_tinh"),
    "sex",
    *("plate", "bien_so", "driver", "lai_xe", "licence", "license", "gplx", "vin"),
    *("reporter", "nguoi_phan_anh", "asker", "nguoi_hoi", "citizen", "cong_dan", "person", "employee", "can_bo"),
    *("holder", "chu_tai_khoan", "owner", "chu_ho", "signature", "chu_ky", "photo", "portrait", "ip", "ip_address"),
    *("insurance", "bhxh", "bhyt", "tax_code", "ma_so_thue", "mst", "marital", "hon_nhan", "investor", "nha_dau_tu"),
)
"""Words and runs of words between underscores."""

_DESCRIBES = frozenset({"colour", "color", "type", "count", "share", "status", "kind", "group"})
"""A last word that tells of a property of the thing, not the thing: `plate_colour`."""

_PSEUDONYM = re.compile(r"bí danh|pseudonym", re.IGNORECASE)


def looks_personal(name: str) -> str | None:
    """The class that a field's name suggests, or None."""
    words = name.lower().strip("_").split("_")
    if words[-1] in _DESCRIBES:
        return None
    runs = {"_".join(words[i:j]) for i in range(len(words)) for j in range(i + 1, len(words) + 1)}
    if runs & set(_SENSITIVE):
        return "sensitive"
    return "basic" if runs & set(_BASIC) else None


def speaks_of_a_pseudonym(text: str) -> bool:
    """Whether a description says that the values stand for persons."""
    return _PSEUDONYM.search(text) is not None
