"""ETags of the registry's answers. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

TAG_BYTES = 16


def tag_of(body: bytes) -> bytes:
    """The ETag of a body."""
    return b'"' + hashlib.blake2b(body, digest_size=TAG_BYTES).hexdigest().encode() + b'"'


def known_by(tag: bytes, headers: Mapping[bytes, bytes]) -> bool:
    """Whether the client has the body with this ETag."""
    known = headers.get(b"if-none-match")
    return known is not None and (known.strip() == b"*" or tag in known)
