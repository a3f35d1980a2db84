"""The key that a request carries, for the interfaces that other products' clients speak."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping


def credential_of(headers: Mapping[bytes, bytes]) -> str | None:
    """The key of a Bearer or basic authorization (there: the password, whatever the name); None if there is none."""
    scheme, _, rest = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip()
    if scheme.lower() == "basic":
        try:
            pair = base64.b64decode(rest.strip(), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            return None
        return pair.partition(":")[2]
    return None
