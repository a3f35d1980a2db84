"""Who runs a connector, and whose word about its position counts: the positions' topic folded. Pure.

owner:<shard>   a worker took the shard (a partition of the configs' topic) over, with an epoch of its own: each claim
                has a greater one than all before it; of two claims with the same epoch the first counts
<connector>     a position with the epoch under which it was written, and a line: how often a person has set it

A position counts if nobody claimed its shard since the epoch of its writer, and nobody set the position since its
writer read it. What a worker writes that has lost its shard, or in which a person's rewind was not seen, is ignored:
at worst some records are read again, which the warehouse knows for repeats.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

OWNER = "owner:"


@dataclass(frozen=True, slots=True)
class Owner:
    """Who claimed a shard last."""

    epoch: int
    worker: str


@dataclass(frozen=True, slots=True)
class Position:
    """`cursor` None: read from the beginning. `at`: epoch ms. `line` grows when a person sets the position."""

    cursor: Mapping[str, Any] | None
    at: int
    epoch: int = 0
    line: int = 0
    shard: int = 0

    def to_json(self) -> bytes:
        return orjson.dumps(
            {"cursor": self.cursor, "at": self.at, "epoch": self.epoch, "line": self.line, "shard": self.shard}
        )


def owner_key(shard: int) -> str:
    """The key of a claim."""
    return f"{OWNER}{shard}"


def claim_json(owner: Owner, at: int) -> bytes:
    """The value of a claim."""
    return orjson.dumps({"epoch": owner.epoch, "worker": owner.worker, "at": at})


class Ownership:
    """Claims and positions that count."""

    def __init__(self) -> None:
        self._owners: dict[int, Owner] = {}
        self._positions: dict[str, Position] = {}
        self._epoch = 0

    def apply(self, key: str, value: bytes | None) -> bool:
        """Take one record of the topic; False if it is ignored: a stale owner's, or not understood."""
        if key.startswith(OWNER):
            return self._claimed(key.removeprefix(OWNER), value)
        if value is None:
            self._positions.pop(key, None)
            return True
        position = _position(value)
        if position is None or not self._counts(self._positions.get(key), position):
            return False
        self._positions[key] = position
        return True

    def _claimed(self, shard_text: str, value: bytes | None) -> bool:
        try:
            raw = orjson.loads(value or b"")
            shard, owner = int(shard_text), Owner(int(raw["epoch"]), str(raw["worker"]))
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
            return False
        self._epoch = max(self._epoch, owner.epoch)
        before = self._owners.get(shard)
        if before is not None and owner.epoch <= before.epoch:
            return False
        self._owners[shard] = owner
        return True

    def _counts(self, before: Position | None, new: Position) -> bool:
        if before is None:
            # Compaction may have left nothing but a stale owner's last word; it read what is before it, too.
            return True
        if new.line != before.line:
            return new.line > before.line
        owner = self._owners.get(new.shard)
        return owner is None or new.epoch >= owner.epoch

    def owner(self, shard: int) -> Owner | None:
        """Who claimed the shard last."""
        return self._owners.get(shard)

    def next_epoch(self) -> int:
        """An epoch greater than every one seen."""
        return self._epoch + 1

    def position(self, connector: str) -> Position | None:
        """The position that counts; None for a source never read."""
        return self._positions.get(connector)


def _position(value: bytes) -> Position | None:
    try:
        raw = orjson.loads(value)
        cursor = raw["cursor"]
        if cursor is not None and not isinstance(cursor, dict):
            return None
        numbers = (int(raw.get(name, 0)) for name in ("at", "epoch", "line", "shard"))
        return Position(cursor, *numbers)
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError):
        return None
