"""What a partition's runner stands on: who owns the partition, the partition's log, and the sink of its batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from schemas.without import Without
from streams.intent import Commit, Joint, Loss, Member, Written
from streams.records import Records, joined, no_records


class Owner(Protocol):
    """Whether the partition is still this worker's, and commits with the generation it was taken over in."""

    def check(self) -> None:
        """Raise `OwnershipLostError` if the partition was revoked or assigned anew since."""

    async def fetch_commit(self, partition: int | None = None) -> Commit | None:
        """The commit of this partition, or of another one of its topic, whoever owns that."""

    async def commit(self, commit: Commit) -> None:
        """Commit; raises `OwnershipLostError` if the group refuses: another worker has the partition."""

    async def commit_together(self, commits: Mapping[int, Commit]) -> None:
        """Commit several partitions of the topic, all this worker's, in one request; raises `OwnershipLostError`."""


class Log(Protocol):
    """The topic partition's log, read beside the normal flow."""

    async def topic_id(self) -> str: ...

    async def bounds(self) -> tuple[int, int]:
        """First offset kept, and the end (the next offset to be written)."""

    async def read(self, first: int, last: int, at_most: int) -> Records:
        """Records with offsets from `first` to `last`, at most so many; waits until there is one or none is left."""

    def beside(self, partition: int) -> Log:
        """Another partition of the topic."""

    async def close(self) -> None:
        """Disconnect; the next `read` connects anew."""


class Block(Protocol):
    """A batch that is ready to be sent, as often as it takes."""

    async def send(self) -> None:
        """Write it; raises `WarehouseUnavailableError` if the identical block should be sent again."""

    def done(self) -> None:
        """The write has succeeded: take the new states over."""


class Sink(Protocol):
    """Where the batches of one topic partition go."""

    @property
    def joining(self) -> Joining | None:
        """How batches of several partitions become one block; None if they do not."""

    async def open(self, topic_id: str) -> Written | None:
        """Take the partition over; then as `last_written`. Repeatable."""

    async def last_written(self, topic_id: str, partition: int | None = None) -> Written | None:
        """The last batch of this partition, or of another one, that is written; None if the sink cannot tell."""

    async def lost(self, loss: Loss) -> None:
        """Put on record what will never be written. Repeatable."""

    async def prepare(self, records: Records, first: int, last: int, without: Without) -> Block:
        """Compute the block of a new batch, `without` some schemas; raises `StatesAheadError` if the states are ahead
        of it, `SchemasAwayError` if it needs schemas that the registry does not give at present."""

    async def prepare_redo(self, first: int, last: int) -> Block | None:
        """The block that a batch was in, alone or with others, if its rows are written already; None if they are
        not."""

    async def prepare_again(
        self, records: Records, first: int, last: int, without: Without, kept: bool = False
    ) -> Block:
        """As `prepare`, with the states from before `first` even if newer ones exist; `kept` to be joined."""


@dataclass(frozen=True, slots=True)
class Part:
    """A partition's records that become part of a block."""

    joining: Joining
    records: Records
    member: Member


class Joining(Protocol):
    """A sink whose batches can become one block with those of other partitions of its topic."""

    def beside(self, partition: int) -> Sink:
        """Of another partition, to compute its part of a block that this one redoes: it is not taken over."""

    async def join(self, blocks: Sequence[Block], joint: Joint) -> Block:
        """One block of those of the members, in their order. Its `done` does nothing: each has its own."""

    async def prepare_joint(self, parts: Sequence[Part]) -> Block:
        """The block of new batches, in the order of their partitions: the same rows as `join` of what `prepare` makes
        of each. Raises as `prepare`."""


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
