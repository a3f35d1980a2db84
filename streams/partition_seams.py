"""What a partition's runner stands on beside its sink: who owns the partition, and the partition's log."""

from __future__ import annotations

from typing import Protocol

from streams.intent import Commit
from streams.records import Records, joined, no_records


class Owner(Protocol):
    """Whether the partition is still this worker's, and commits with the generation it was taken over in."""

    def check(self) -> None:
        """Raise `OwnershipLostError` if the partition was revoked or assigned anew since."""

    async def fetch_commit(self) -> Commit | None: ...

    async def commit(self, commit: Commit) -> None:
        """Commit; raises `OwnershipLostError` if the group refuses: another worker has the partition."""


class Log(Protocol):
    """The topic partition's log, read beside the normal flow."""

    async def topic_id(self) -> str: ...

    async def bounds(self) -> tuple[int, int]:
        """First offset kept, and the end (the next offset to be written)."""

    async def read(self, first: int, last: int, at_most: int) -> Records:
        """Records with offsets from `first` to `last`, at most so many; waits until there is one or none is left."""


async def read_all(source: Log, first: int, last: int, at_once: int) -> Records:
    """What the log has of these offsets."""
    parts = [no_records()]
    while first <= last:
        records = await source.read(first, last, at_once)
        if not len(records):
            break
        parts.append(records)
        first = records.offsets[-1] + 1
    return joined(parts)
