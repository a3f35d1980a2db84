"""Finding personal data in raw records, in Vietnamese forms, by a field's name and by its values. Pure.

Findings hold paths, classes and counts, never a value.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.personal import is_within

SHARE = 0.2
"""A path whose values look personal in so large a share of the records is a finding; numbers within texts: any."""
TEXT_LENGTH = 40
"""Longer values are free text, in which a single number is a finding."""

_CITIZEN = re.compile(r"(?<!\d)0(?:0[1-9]|[1-8]\d|9[0-6])[0-9]\d{2}\d{6}(?!\d)")
_OLD_CARD = re.compile(r"(?<!\d)\d{9}(?!\d)")
_PHONE = re.compile(r"(?<![\d.-])(?:\+?84|0)(?:[\s.\-]?\d){8,10}(?!\d)")
_PHONE_DIGITS = re.compile(r"0(?:[35789]\d{8}|2\d{9})").fullmatch
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+")
_SURNAMES = frozenset(
    re.findall(
        r"\w+",
        "nguyen tran le pham hoang huynh phan vu vo dang bui do ho ngo duong ly trinh dinh dao mai truong lam luong "
        "luu ha cao chau thai ta phung to quach kieu tang nghiem doan van la tong giang on khuat bach kim thach danh "
        "son",
    )
)
_ADDRESS = re.compile(
    r"\b(?:so nha|so \d|duong|pho|hem|ngo \d|ngach|thon|ap|to dan pho|to \d|khu pho|khom|xa|phuong|thi tran|quan|huyen|"
    r"thi xa|thanh pho|tp\.?|tinh)\b"
)
_NAMES = (
    (
        "name",
        re.compile(
            r"(?:^|_)(?:ho_?ten|ho_va_ten|full_?name|ten_(?:nguoi|cong_dan|chu)\w*|nguoi_(?:nop|gui|dan)_?ten)$"
        ),
    ),
    (
        "citizen_id",
        re.compile(r"(?:^|_)(?:cccd|cmnd|cmtnd|so_giay_to|so_dinh_danh|can_cuoc\w*|id_?card|passport|ho_chieu)(?:$|_)"),
    ),
    ("phone", re.compile(r"(?:^|_)(?:sdt|so_dt|dien_?thoai|so_dien_thoai|phone|mobile|di_dong)(?:$|_)")),
    ("email", re.compile(r"(?:^|_)(?:e?mail|thu_dien_tu)(?:$|_)")),
    ("address", re.compile(r"(?:^|_)(?:dia_?chi|address|noi_o|thuong_tru|tam_tru|que_quan)(?:$|_)")),
    ("birth", re.compile(r"(?:^|_)(?:ngay_?sinh|nam_?sinh|birth\w*|dob)(?:$|_)")),
)


PERSONAL_KINDS = tuple(kind for kind, _ in _NAMES)


@dataclass(frozen=True, slots=True)
class Finding:
    """A path that looks personal. `kind`: one of PERSONAL_KINDS; `by`: `name`, `value`.

    `share`: of the records that have a value there, those that look so (1.0 where only the field's name says it).
    """

    path: str
    kind: str
    by: str
    share: float


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every scalar of a record with its dotted path; items of lists stand under the list's path."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for item in value:
            yield from leaves(item, path)
    else:
        yield path, value


def find_personal(records: Sequence[Any]) -> list[Finding]:
    """What in the records looks personal, a finding a path, sorted by path."""
    values: dict[str, list[str]] = {}
    for record in records:
        for path, value in leaves(record):
            texts = values.setdefault(path, [])
            if isinstance(value, str | int) and not isinstance(value, bool) and value != "":
                texts.append(str(value))
    found = [_finding(path, texts) for path, texts in sorted(values.items())]
    return [finding for finding in found if finding is not None]


def untagged(findings: Sequence[Finding], tagged: Sequence[str], cleared: Sequence[str]) -> list[Finding]:
    """The findings that the manifest neither tags as `pii` nor declares `not_personal`."""
    known = [*tagged, *cleared]
    return [finding for finding in findings if not any(is_within(finding.path, path) for path in known)]


def _finding(path: str, texts: Sequence[str]) -> Finding | None:
    named = named_kind(path)
    seen = Counter(kind for text in texts if (kind := kind_of(text, named)) is not None)
    if seen:
        kind, count = seen.most_common(1)[0]
        share = count / len(texts)
        if share >= SHARE or any(len(text) > TEXT_LENGTH and kind_of(text, None) in _EXACT for text in texts):
            return Finding(path, kind, "value", round(share, 3))
    return Finding(path, named, "name", 1.0) if named is not None else None


_EXACT = frozenset({"citizen_id", "phone", "email"})


def named_kind(path: str) -> str | None:
    """What the last part of a path says by itself."""
    word = _snake(path.rpartition(".")[2])
    return next((kind for kind, pattern in _NAMES if pattern.search(word)), None)


def kind_of(text: str, named: str | None) -> str | None:
    """What a value looks like; nine digits are an old identity card only where the field's name says so."""
    if _CITIZEN.search(text):
        return "citizen_id"
    if named == "citizen_id" and _OLD_CARD.search(text):
        return "citizen_id"
    if _EMAIL.search(text):
        return "email"
    if any(_is_phone(match[0]) for match in _PHONE.finditer(text)):
        return "phone"
    if _is_name(text):
        return "name"
    plain = _plain(text)
    return "address" if len(set(_ADDRESS.findall(plain))) >= 2 and re.search(r"\d|,", text) else None


def _is_phone(text: str) -> bool:
    """Ten digits of a mobile or eleven of a fixed line, with 0 or +84."""
    digits = re.sub(r"\D", "", text)
    return _PHONE_DIGITS(f"0{digits[2:]}" if digits.startswith("84") else digits) is not None


def _is_name(text: str) -> bool:
    """A known surname and one to five more words, written like a name and nothing else."""
    words = text.split()
    if not 2 <= len(words) <= 6 or not all(word.isalpha() and word[0].isupper() for word in words):
        return False
    return _plain(words[0]) in _SURNAMES


def _plain(text: str) -> str:
    """Lower case without marks: `Đường Nguyễn` is `duong nguyen`."""
    bare = unicodedata.normalize("NFD", text.casefold().replace("đ", "d"))
    return "".join(character for character in bare if not unicodedata.combining(character))


def _snake(name: str) -> str:
    """`hoTenNguoiNop` and `Họ tên` as words joined by `_`."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", unicodedata.normalize("NFC", name))
    return re.sub(r"[^a-z0-9]+", "_", _plain(spaced)).strip("_")
