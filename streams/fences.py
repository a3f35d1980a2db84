"""Fences: who may write a topic partition. A block whose epoch is below the partition's fence is refused.

An epoch is era × 2⁴⁸ + generation × 2¹⁶ + a mark of the member. Why two workers never share one and a later owner's is
always higher:

1. In one generation of the consumer group a partition has one owner, and a group's generation only grows. So epochs
   need no agreement between workers, and nothing is lost when two take over at the same moment.
2. A group that was deleted counts its generations from 1 again. Then the fence that is read is not below the new
   owner's generation; a zombie sees the same. What tells them apart is the order: the fence is read *first*, and the
   broker is asked *afterwards* whether the member still belongs to its generation. If the fence came from a later
   generation of the same group, that generation had begun before the answer, and the answer is no. If it is yes, the
   group is another one, and the owner begins a new era. An equal generation is told apart by the mark.
3. A zombie that was put to sleep after the broker's yes writes late. The statement itself compares with the fence that
   stands when it is run, so a fence is only ever raised. Two such statements could still overlap inside the warehouse
   within microseconds, so each owner reads its fence back and raises it again until it stands. Should a statement
   slip in even behind that, the loser has written no batch: a batch begins with a commit, which the group refuses.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from schemas.contract import Contract
from streams.errors import FencedError, OwnershipLostError
from streams.warehouse.client import Warehouse

_MARK_BITS = 16
_ERA_BITS = 48

BEYOND = (1 << 63) - 1
"""Epoch of another partition's rows in a block that a partition redoes for all: its own rows are held back by its
fence, and with them the block."""

RAISE_ATTEMPTS = 5
"""A fence that does not stand after so many statements that went well is not there at all: give the partition up."""


@dataclass(frozen=True, slots=True)
class Fence:
    """A worker's right to write one topic partition. `life` counts the topics that had this name."""

    partition: int
    epoch: int
    life: int


@dataclass(frozen=True, slots=True)
class Membership:
    """Of the consumer group, as it was when the partitions were assigned."""

    generation: int
    member_id: str

    @property
    def valid(self) -> bool:
        """False once the broker has put the member out: it has neither generation nor id then."""
        return self.generation >= 0 and self.member_id != ""

    @property
    def place(self) -> int:
        """The epoch within an era."""
        return self.generation << _MARK_BITS | zlib.crc32(self.member_id.encode()) & (1 << _MARK_BITS) - 1


NOBODY = Membership(-1, "")
"""Of a worker that the group does not know (any more)."""


def next_epoch(known: int, membership: Membership) -> int:
    """The epoch of an owner whose membership the broker confirmed *after* `known` was read from the fence.

    The same for every attempt of one member in one generation; above `known` otherwise.
    """
    era, place = known >> _ERA_BITS, known & (1 << _ERA_BITS) - 1
    if place == membership.place:
        return known
    if place >> _MARK_BITS >= membership.generation:
        era += 1
    return era << _ERA_BITS | membership.place


def plan_fences(
    warehouse: Warehouse,
    contract: Contract,
    topic_id: str,
    partitions: list[int],
    membership: Membership,
    life: int | None = None,
    left_behind: Mapping[int, int] | None = None,
) -> dict[int, Fence]:
    """The fences to raise, by what stands now, in the topic's `life`; None: as its fence tells, a new one if the topic
    is not the one known. Blocks."""
    known = {
        partition: (epoch, known_id, life)
        for partition, epoch, known_id, life in warehouse.rows(
            f"SELECT partition, epoch, topic_id, life FROM {contract.fence_table}"
        )
    }
    for partition, place in (left_behind or {}).items():
        if known[partition][0] & (1 << _ERA_BITS) - 1 not in (place, membership.place):
            raise FencedError(
                f"{contract.topic}-{partition}: another worker took it over while this one had a batch in hand"
            )
    fences: dict[int, Fence] = {}
    for partition in partitions:
        epoch, known_id, known_life = known.get(partition, (0, topic_id, 0))
        told = known_life if known_id == topic_id else known_life + 1
        fences[partition] = Fence(partition, next_epoch(epoch, membership), told if life is None else life)
    return fences


def put_up(warehouse: Warehouse, contract: Contract, topic_id: str, fences: dict[int, Fence]) -> None:
    """Write the fences unless higher ones stand, and return when they do. Blocks; may be repeated.

    Raises `OwnershipLostError` if a later owner was first.
    """
    wanted = ", ".join(
        f"({fence.partition}, {fence.epoch}, {_text(topic_id)}, {fence.life})" for fence in fences.values()
    )
    for _ in range(RAISE_ATTEMPTS):
        warehouse.command(
            f"INSERT INTO {contract.fence_table} SELECT * FROM "
            f"values('partition Int32, epoch Int64, topic_id String, life UInt32', {wanted}) "
            f"WHERE epoch > joinGet('{contract.fence_table}', 'epoch', partition)"
        )
        rows = warehouse.rows(f"SELECT partition, epoch FROM {contract.fence_table}")
        standing: dict[int, int] = dict(tuple(row) for row in rows)
        for fence in fences.values():
            if standing.get(fence.partition, 0) > fence.epoch:
                raise OwnershipLostError(
                    f"{contract.topic}-{fence.partition}: another worker has raised the fence to "
                    f"{standing[fence.partition]}, beyond {fence.epoch}"
                )
        if all(standing.get(fence.partition) == fence.epoch for fence in fences.values()):
            return
    raise OwnershipLostError(f"the fences of {contract.topic} do not stay up")


async def raise_fences(
    warehouse: Warehouse,
    contract: Contract,
    topic_id: str,
    partitions: list[int],
    membership: Membership,
    confirm: Callable[[], Awaitable[None]],
    life: int | None = None,
    left_behind: Mapping[int, int] | None = None,
) -> dict[int, Fence]:
    """Take partitions over. `confirm` asks the broker whether the membership holds, and raises
    `OwnershipLostError` if it does not. `left_behind`: partitions with a batch in hand when the group put this worker
    out, and the place of its epoch then: raises `FencedError` if a peer has taken one over since. May be repeated."""
    fences = await asyncio.to_thread(
        plan_fences, warehouse, contract, topic_id, partitions, membership, life, left_behind
    )
    await confirm()
    await asyncio.to_thread(put_up, warehouse, contract, topic_id, fences)
    return fences


def _text(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
