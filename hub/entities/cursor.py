"""Cursors: where a page ended, bound to the question it belongs to. Pure."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Sequence

from hub.entities.errors import CursorError

MAX_LENGTH = 1000
"""Characters of a cursor in an address."""


def mark_of(*parts: object) -> str:
    """A short mark of a question: a cursor of another one is refused instead of giving a page that means nothing."""
    return hashlib.blake2b(repr(parts).encode(), digest_size=6).hexdigest()


def closed(mark: str, place: Sequence[str | None]) -> str:
    """A cursor for the place after which the next page begins."""
    text = json.dumps([mark, *place], ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def opened(mark: str, cursor: str, length: int) -> list[str | None]:
    """The place in a cursor, `length` values; CursorError for one of another question or none at all."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        found = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, UnicodeDecodeError) as error:
        raise CursorError("this is no cursor") from error
    if not isinstance(found, list) or len(found) != length + 1 or found[0] != mark:
        raise CursorError("the cursor belongs to another question")
    place = found[1:]
    if not all(value is None or isinstance(value, str) for value in place):
        raise CursorError("this is no cursor")
    return place
