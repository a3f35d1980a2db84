"""In which life a topic's partitions are, and when its new ones may begin."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from streams import topic_watch
from streams.errors import WarehouseUnavailableError
from streams.growth import not_passed
from streams.lives import FewerPartitionsError, Life, Standing, standing
from streams.topic_watch import recreated, watch_warehouse
from streams.warehouse.client import Warehouse

T = "topic-id"

CASES: list[tuple[str, list[Life], list[tuple[str, int]], int, Standing]] = [
    ("nothing known: the first life", [], [], 4, Standing(Life(0, T, 4), begins=True)),
    ("known before lives were kept", [], [(T, 2), ("old", 1)], 4, Standing(Life(2, T, 4), begins=True)),
    ("another topic before lives were kept", [], [("old", 1)], 4, Standing(Life(2, T, 4), begins=True)),
    ("as it was", [Life(0, T, 4)], [], 4, Standing(Life(0, T, 4))),
    ("made anew", [Life(3, "old", 8)], [], 4, Standing(Life(4, T, 4), begins=True)),
    ("grown", [Life(0, T, 4)], [], 8, Standing(Life(0, T, 4), next=Life(1, T, 8))),
    ("grown, and begun", [Life(0, T, 4), Life(1, T, 8)], [], 8, Standing(Life(1, T, 8))),
    ("grown again", [Life(0, T, 4), Life(1, T, 8)], [], 16, Standing(Life(1, T, 8), next=Life(2, T, 16))),
    ("begun by two workers", [Life(1, T, 8), Life(1, T, 8), Life(0, T, 4)], [], 8, Standing(Life(1, T, 8))),
]


@pytest.mark.parametrize(("name", "lives", "fences", "count", "wanted"), CASES, ids=[case[0] for case in CASES])
def test_standing(name: str, lives: list[Life], fences: list[tuple[str, int]], count: int, wanted: Standing) -> None:
    assert standing(lives, fences, T, count) == wanted
    assert standing([*lives, *([wanted.life] if wanted.begins else [])], fences, T, count).life == wanted.life


def test_an_answer_of_the_past_is_not_believed() -> None:
    with pytest.raises(FewerPartitionsError, match="8"):
        standing([Life(1, T, 8)], [], T, 4)


@pytest.mark.parametrize(("before", "after", "shuffled"), [(4, 8, False), (4, 12, False), (4, 6, True), (2, 3, True)])
def test_only_a_multiple_leaves_entities_in_their_old_partition_or_a_new_one(
    before: int, after: int, shuffled: bool
) -> None:
    assert Standing(Life(0, T, before), next=Life(1, T, after)).shuffled == shuffled
    moved_to_old = any(number % before != number % after < before for number in range(before * after))
    assert moved_to_old == shuffled


def test_old_partitions_are_passed_when_the_warehouse_has_all_before_their_ends() -> None:
    assert not_passed({0: 5, 1: 7, 2: 0}, {0: 5, 1: 4}) == {1: 3}
    assert not_passed({0: 5}, {}) == {0: 5}
    assert not_passed({0: 5}, {0: 9}) == {}


def test_a_topic_is_another_one_only_if_the_cluster_says_so() -> None:
    assert recreated({"a": "1", "b": "2", "c": "3"}, {"a": "1", "b": "9"}) == ["b"]


class Uptimes(Warehouse):
    """Answers with one time after the other; −1: it is away."""

    def __init__(self, *seconds: int) -> None:
        super().__init__("http://nowhere")
        self._seconds = list(seconds)

    def rows(self, sql: str, parameters: dict[str, Any] | None = None, **settings: Any) -> Sequence[Sequence[Any]]:
        if not self._seconds:
            raise EOFError
        up = self._seconds.pop(0)
        if up < 0:
            raise WarehouseUnavailableError("away")
        return [(up,)]


@pytest.mark.parametrize(
    ("seconds", "doubts"),
    [((5, 6, 6, 7), 0), ((50, 51, 1, 2), 1), ((50, -1, -1, 60), 2), ((50, -1, 1, 2), 1), ((-1, -1, 3, 4), 0)],
)
async def test_a_warehouse_that_was_away_or_is_started_anew_is_doubted(
    seconds: tuple[int, ...], doubts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topic_watch, "PING_EVERY_S", 0.0)
    seen: list[int] = []
    async with asyncio.timeout(10):
        with pytest.raises(EOFError):
            await watch_warehouse(Uptimes(*seconds), lambda: seen.append(1))
    assert len(seen) == doubts
