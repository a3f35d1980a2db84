"""Text as a Vietnamese Windows writes it: code page 1258, where a tone is a mark of its own behind its letter."""

from __future__ import annotations

import unicodedata

TONES = "\u0300\u0301\u0303\u0309\u0323"


def encode(text: str) -> bytes:
    """The bytes; UnicodeEncodeError for a character that the code page lacks."""
    return "".join(_written(character) for character in unicodedata.normalize("NFC", text)).encode("cp1258")


def _written(character: str) -> str:
    parts = unicodedata.normalize("NFD", character)
    tones = [mark for mark in parts if mark in TONES]
    letter = unicodedata.normalize("NFC", "".join(part for part in parts if part not in TONES))
    return letter + "".join(tones)
