"""Fences on a real warehouse: raised from both sides at once, and by a worker that slept."""

from __future__ import annotations

import asyncio
import threading
import uuid
from collections.abc import Iterator

import pytest

from streams.errors import FencedError, OwnershipLostError
from streams.fences import Membership, next_epoch, plan_fences, put_up, raise_fences
from tests.stream_worker import Bench, bench

TOPIC_ID = "T"


@pytest.fixture(scope="module")
def place(kafka: str, warehouse: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with bench(kafka, warehouse, f"f{uuid.uuid4().hex[:8]}", tmp_path_factory.mktemp("fences")) as ready:
        yield ready


@pytest.fixture
def fenced(place: Bench) -> Bench:
    place.warehouse.command(f"TRUNCATE TABLE {place.contract.fence_table}")
    return place


def member(generation: int) -> Membership:
    return Membership(generation, f"faust-{generation}")


def standing(table: Bench) -> dict[int, int]:
    return dict(table.warehouse.rows(f"SELECT partition, epoch FROM {table.contract.fence_table}"))


def take_over(table: Bench, generation: int, partitions: list[int]) -> None:
    fences = plan_fences(table.warehouse, table.contract, TOPIC_ID, partitions, member(generation))
    put_up(table.warehouse, table.contract, TOPIC_ID, fences)


def insert_with(table: Bench, epoch: int, offset: int) -> None:
    table.warehouse.command(
        f"INSERT INTO {table.contract.changes_table} (partition, `offset`, kind, epoch) "
        f"VALUES (0, {offset}, 'applied', {epoch})"
    )


def test_two_workers_that_read_the_same_fence_raise_it_to_different_epochs(fenced: Bench) -> None:
    of_both = [plan_fences(fenced.warehouse, fenced.contract, TOPIC_ID, [0], member(number)) for number in (7, 8)]
    older, newer = of_both
    assert older[0].epoch < newer[0].epoch
    put_up(fenced.warehouse, fenced.contract, TOPIC_ID, newer)
    with pytest.raises(OwnershipLostError, match="another worker has raised the fence"):
        put_up(fenced.warehouse, fenced.contract, TOPIC_ID, older)
    assert standing(fenced) == {0: newer[0].epoch}


def test_a_fence_is_never_lowered_and_stops_blocks_of_lower_epochs(fenced: Bench) -> None:
    take_over(fenced, 3, [0, 1])
    slept = plan_fences(fenced.warehouse, fenced.contract, TOPIC_ID, [0], member(4))
    take_over(fenced, 5, [0])
    with pytest.raises(OwnershipLostError):
        put_up(fenced.warehouse, fenced.contract, TOPIC_ID, slept)
    owner = next_epoch(0, member(5))
    assert standing(fenced) == {0: owner, 1: next_epoch(0, member(3))}
    with pytest.raises(FencedError):
        insert_with(fenced, slept[0].epoch, 1)
    insert_with(fenced, owner, 2)


def test_the_same_fences_may_be_raised_again_when_the_answer_was_lost(fenced: Bench) -> None:
    for _ in range(2):
        take_over(fenced, 3, [0, 1, 2])
    assert standing(fenced) == dict.fromkeys((0, 1, 2), next_epoch(0, member(3)))


async def test_a_worker_the_group_does_not_confirm_leaves_the_fence_as_it_is(fenced: Bench) -> None:
    take_over(fenced, 9, [0])
    before = standing(fenced)

    async def refuse() -> None:
        raise OwnershipLostError("the group went on")

    # A zombie's generation looks like that of a group that began anew: only the group can tell.
    with pytest.raises(OwnershipLostError):
        await raise_fences(fenced.warehouse, fenced.contract, TOPIC_ID, [0], member(4), refuse)
    assert standing(fenced) == before


async def test_a_group_that_began_anew_raises_the_fence_beyond_all_of_the_old_one(fenced: Bench) -> None:
    take_over(fenced, 9, [0])
    before = standing(fenced)[0]

    async def confirm() -> None:
        await asyncio.sleep(0)

    fences = await raise_fences(fenced.warehouse, fenced.contract, TOPIC_ID, [0], member(1), confirm)
    assert standing(fenced)[0] == fences[0].epoch > before


def test_of_many_raised_at_the_same_moment_the_highest_stands(fenced: Bench) -> None:
    gate = threading.Barrier(8)

    def one(generation: int) -> None:
        fences = plan_fences(fenced.warehouse, fenced.contract, TOPIC_ID, [0], member(generation))
        gate.wait()
        try:
            put_up(fenced.warehouse, fenced.contract, TOPIC_ID, fences)
        except OwnershipLostError:
            beaten.append(generation)

    for turn in range(10):
        beaten: list[int] = []
        numbers = range(100 * turn + 1, 100 * turn + 9)
        workers = [threading.Thread(target=one, args=(number,)) for number in numbers]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert standing(fenced) == {0: next_epoch(0, member(numbers[-1]))}
        assert numbers[-1] not in beaten


def test_a_new_topic_under_the_name_begins_a_new_life(fenced: Bench) -> None:
    take_over(fenced, 1, [0])
    fences = plan_fences(fenced.warehouse, fenced.contract, "another", [0, 1], member(2))
    assert [fences[number].life for number in (0, 1)] == [1, 0]


def test_a_worker_that_was_put_out_with_a_batch_in_hand_learns_whether_a_peer_took_over(fenced: Bench) -> None:
    take_over(fenced, 3, [0, 1])
    in_hand = {0: member(3).place}
    plan = (fenced.warehouse, fenced.contract, TOPIC_ID, [1], member(5), None, in_hand)
    assert list(plan_fences(*plan)) == [1]
    take_over(fenced, 4, [0])
    with pytest.raises(FencedError, match="another worker took it over"):
        plan_fences(*plan)
