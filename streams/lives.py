"""Lives of a topic: in each, an entity's records are in one partition, and offsets grow in the order of applying.

A topic made anew begins a life, and so does one that got more partitions: an entity may then move to another partition,
whose offsets begin at 0. A state's version is `life × 2^40 + offset`, so it grows over both. The table `topic_lives`
(`streams.losses`) says which life a topic of some id and number of partitions is in.

A new topic's life begins at once. That of a grown topic begins when the old partitions have nothing left of what was
written before: until then the old partitions go on in the old life, and the new ones wait (`streams.growth`).

That keeps the order if the new number is a multiple of the old one. If it is not, entities move between the old
partitions too, and which records were written before cannot be told: then all wait until somebody decides
(`ioc topics grow --without-drain`), unless `ioc topics grow` has added the partitions, which drains first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from schemas.contract import Contract
from streams.errors import StreamError
from streams.warehouse.client import Warehouse


class FewerPartitionsError(StreamError):
    """The cluster tells fewer partitions than there were: an answer of the past, or not the topic it was."""


@dataclass(frozen=True, slots=True)
class Life:
    """A topic of this id with so many partitions is in life `number`."""

    number: int
    topic_id: str
    partitions: int


@dataclass(frozen=True, slots=True)
class Standing:
    """What a topic's partitions may do now: those below `life.partitions` run in `life`.

    `begins`: the life is not on record yet and begins now. `next`: the life of the others, once they may begin.
    `shuffled`: entities moved between partitions that are in use, so that nobody may go on before `next` begins.
    """

    life: Life
    begins: bool = False
    next: Life | None = None

    @property
    def shuffled(self) -> bool:
        """A key is in partition `hash mod count`: to a multiple of the old count it stays or moves to a new one."""
        return self.next is not None and self.next.partitions % self.life.partitions != 0


def standing(lives: Sequence[Life], fences: Iterable[tuple[str, int]], topic_id: str, partitions: int) -> Standing:
    """Decide: pure. `fences`: topic id and life of each fence, for a topic that was known before lives were kept.

    The same for every worker that asks, whichever of them is first. Raises `FewerPartitionsError`.
    """
    if lives:
        newest = max(lives, key=lambda life: (life.number, life.partitions))
        if newest.topic_id != topic_id:
            return Standing(Life(newest.number + 1, topic_id, partitions), begins=True)
        if newest.partitions > partitions:
            raise FewerPartitionsError(f"there were {newest.partitions} partitions, now {partitions} are told")
        grown = newest.partitions < partitions
        return Standing(newest, next=Life(newest.number + 1, topic_id, partitions) if grown else None)
    known = list(fences)
    same = [number for known_id, number in known if known_id == topic_id]
    number = max(same) if same else max((number for _, number in known), default=-1) + 1
    return Standing(Life(number, topic_id, partitions), begins=True)


class LifeBook:
    """The lives of one entity's topic. Blocks."""

    def __init__(self, warehouse: Warehouse, contract: Contract) -> None:
        self._warehouse = warehouse
        self._contract = contract

    def standing(self, topic_id: str, partitions: int) -> Standing:
        """As `standing`, by what is on record; a life that begins is put on record."""
        lives = [
            Life(int(number), str(known_id), int(count))
            for number, known_id, count in self._warehouse.rows(
                "SELECT life, topic_id, partitions FROM topic_lives WHERE entity = {entity:String}",
                {"entity": self._contract.entity},
            )
        ]
        fences = [] if lives else self._fences()
        found = standing(lives, fences, topic_id, partitions)
        if found.begins:
            self.begin(found.life)
        return found

    def begin(self, life: Life) -> None:
        """Put a life on record; repeating it changes nothing."""
        self._warehouse.command(
            "INSERT INTO topic_lives (entity, topic_id, partitions, life) VALUES "
            f"('{self._contract.entity}', '{life.topic_id}', {life.partitions}, {life.number})"
        )

    def _fences(self) -> list[tuple[str, int]]:
        rows = self._warehouse.rows(f"SELECT topic_id, life FROM {self._contract.fence_table}")
        return [(str(topic_id), int(number)) for topic_id, number in rows]
