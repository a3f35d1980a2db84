"""TCVN3 (ABC), the eight-bit Vietnamese of .VnTime fonts, to Unicode. Pure.

Capital letters with tone marks have no codes of their own there: the .VnTimeH fonts draw the small ones as capitals.
"""

from __future__ import annotations

_CODES = (
    "b5b8b6b7b9a8bbbebcbdc6a9c7cac8c9cbaecccecfd0d1aad2d5d3d4d6d7ddd8dcdedfe3e1e2e4abe5e8e6e7e9aceaedebecee"
    "eff3f1f2f4adf5f8f6f7f9fafdfbfcfea1a2a7a3a4a5a6"
)
_LETTERS = "àáảãạăằắẳẵặâầấẩẫậđèéẻẽẹêềếểễệìíỉĩịòóỏõọôồốổỗộơờớởỡợùúủũụưừứửữựỳýỷỹỵĂÂĐÊÔƠƯ"
_TABLE = dict(zip(bytes.fromhex(_CODES), _LETTERS, strict=True))


def decode_tcvn3(data: bytes) -> str:
    """The text; every byte has a meaning, so this never fails."""
    return data.decode("latin-1").translate(_TABLE)


def encode_tcvn3(text: str) -> bytes:
    """The bytes; UnicodeEncodeError for what TCVN3 lacks."""
    return text.translate({ord(letter): chr(code) for code, letter in _TABLE.items()}).encode("latin-1")
