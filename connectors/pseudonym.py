"""Keyed pseudonyms: the same person gives the same text under one key, and nobody without the key can tell who."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum

KEY_BYTES = 32
HEX_CHARACTERS = 32
"""128 bits of the MAC: no chance collision among a province's people."""


class PersonalClass(Enum):
    """What a personal value is; the value is the pseudonym's prefix, so a reader sees what stands there."""

    CITIZEN_ID = "cid"
    PHONE = "tel"
    NAME = "nam"
    TEXT = "txt"


_SEPARATORS = re.compile(r"[\s.\-()]")


def normalise(personal: PersonalClass, value: str) -> str:
    """One spelling per person: `+84 912.345.678` and `0912345678` are one phone."""
    if value.isascii() and value.isdigit():
        return value
    if personal is PersonalClass.PHONE:
        bare = _SEPARATORS.sub("", value)
        return "0" + bare[3:] if bare.startswith("+84") else bare
    if personal is PersonalClass.CITIZEN_ID:
        return _SEPARATORS.sub("", value)
    return " ".join(unicodedata.normalize("NFC", value).split()).casefold()


@dataclass(frozen=True, slots=True)
class Pseudonymiser:
    """HMAC-SHA256 under `key` (32 bytes or more), separated by class."""

    key: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.key) < KEY_BYTES:
            raise ValueError(f"the pseudonym key has {len(self.key)} bytes, at least {KEY_BYTES} are needed")

    def of(self, personal: PersonalClass) -> Pseudonyms:
        """The pseudonyms of one class."""
        return Pseudonyms(self.key, personal)


class Pseudonyms:
    """A fast function from a value to `<prefix>_<32 hex>`, for one value or many.

    The two hash states of HMAC are set up once and copied per value: three times the speed of `hmac.new`.
    """

    __slots__ = ("_inner", "_outer", "_personal", "_prefix")

    def __init__(self, key: bytes, personal: PersonalClass) -> None:
        block = key if len(key) <= 64 else hashlib.sha256(key).digest()
        padded = block.ljust(64, b"\0")
        self._personal = personal
        self._prefix = f"{personal.value}_"
        self._inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in padded))
        self._outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in padded))
        self._inner.update(self._prefix.encode())

    def __call__(self, value: str) -> str:
        return self.of_many((value,))[0]

    def of_many(self, values: Iterable[str]) -> list[str]:
        """Of each, in order."""
        inner, outer, prefix, personal = self._inner.copy, self._outer.copy, self._prefix, self._personal
        made: list[str] = []
        for value in values:
            plain = value if value.isascii() and value.isdigit() else normalise(personal, value)
            first, second = inner(), outer()
            first.update(plain.encode())
            second.update(first.digest())
            made.append(prefix + second.hexdigest()[:HEX_CHARACTERS])
        return made
