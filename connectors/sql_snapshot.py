"""Comparing a table with what it was at the last read: what changed, what vanished. Pure.

The last state is kept in the position: a hash per row, and the few columns a deletion needs.
"""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Iterator
from typing import Any, ClassVar

import orjson

from connectors.errors import SourceRefusedError, Text
from connectors.source import OP, Cursor
from connectors.sql_config import Snapshot

POSITION_BYTES = 8_000_000
"""Largest stored state, compressed: some 400,000 rows. Beyond, a table has to be read by change time."""
FEW_ROWS = 20
"""Of fewer known rows any share may vanish at once."""


class SnapshotState:
    """The rows of the last snapshot and of the one under way, by key."""

    upsert: ClassVar[dict[str, str]] = {OP: "UPSERT"}

    def __init__(self, how: Snapshot, cursor: Cursor | None) -> None:
        self._how = how
        self._before: dict[str, list[Any]] = _unpacked(cursor.get("rows")) if cursor else {}
        self._now: dict[str, list[Any]] = {}

    def changed(self, row: dict[str, Any]) -> bool:
        """Take a row of the snapshot under way; whether it is new or not as it was."""
        key = orjson.dumps([row[name] for name in self._how.key]).decode()
        digest = hashlib.blake2b(orjson.dumps(row, option=orjson.OPT_SORT_KEYS), digest_size=8).digest()
        state = [base64.b85encode(digest).decode(), *(row.get(name) for name in self._how.keep)]
        self._now[key] = state
        before = self._before.get(key)
        return before is None or before[0] != state[0]

    def vanished(self) -> Iterator[dict[str, Any]]:
        """Records of the rows that are gone; SourceRefusedError if they are too many to be believed."""
        gone = [key for key in self._before if key not in self._now]
        if len(self._before) >= FEW_ROWS and len(gone) > self._how.most_deleted * len(self._before):
            raise SourceRefusedError(
                Text(
                    f"{len(gone)} trong {len(self._before)} dòng biến mất cùng lúc; chưa xóa gì. "
                    "Nếu đúng, tăng source.read.most_deleted",
                    f"{len(gone)} of {len(self._before)} rows vanished at once; nothing was deleted. "
                    "If that is right, raise source.read.most_deleted",
                )
            )
        for key in gone:
            names = (*self._how.key, *self._how.keep)
            values = (*orjson.loads(key), *self._before[key][1:])
            yield {**dict(zip(names, values, strict=False)), OP: "DELETE"}

    def position(self, revision: int) -> Cursor:
        """The position after this snapshot; SourceRefusedError if the table is too large to be compared."""
        packed = base64.b85encode(zlib.compress(orjson.dumps(self._now), 6)).decode()
        if len(packed) > POSITION_BYTES:
            raise SourceRefusedError(
                Text(
                    f"Bảng quá lớn để so sánh toàn bộ ({len(self._now)} dòng); dùng read: {{mode: incremental}}",
                    f"The table is too large to be compared as a whole ({len(self._now)} rows); "
                    "use read: {mode: incremental}",
                )
            )
        return {"revision": revision, "rows": packed}


def next_revision(cursor: Cursor | None, now_ms: int) -> int:
    """The connector's own monotone number: the time in ms, but always above the last one."""
    return max(now_ms, int(cursor.get("revision", 0)) + 1 if cursor else 0)


def _unpacked(packed: str | None) -> dict[str, list[Any]]:
    if packed is None:
        return {}
    state: dict[str, list[Any]] = orjson.loads(zlib.decompress(base64.b85decode(packed)))
    return state
