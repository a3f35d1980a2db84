"""Decisions side by side and alone; what a department owns; schemas found by their form only when it is asked for."""

from __future__ import annotations

import asyncio

import pytest

from hub.registry.access import Ownership
from hub.registry.locks import DecisionLocks
from hub.registry.offer import offer
from hub.registry.records import SchemaGone, SchemaRecord, literal_of
from hub.registry.store import Store


async def test_what_shares_no_key_goes_side_by_side_and_what_shares_one_in_turn() -> None:
    locks, inside, most = DecisionLocks(), 0, 0
    order: list[str] = []

    async def decide(name: str, *keys: str) -> None:
        nonlocal inside, most
        async with locks.shared(*keys):
            inside += 1
            most = max(most, inside)
            order.append(name)
            await asyncio.sleep(0.01)
            inside -= 1

    await asyncio.gather(decide("a1", "a", "x"), decide("b", "b", "y"), decide("a2", "a", "z"), decide("c", "c", "x"))
    assert most == 2
    assert order.index("a1") < order.index("a2")


async def test_who_is_alone_has_nobody_beside_and_is_not_starved() -> None:
    locks, inside = DecisionLocks(), 0
    order: list[str] = []

    async def shared(name: str) -> None:
        nonlocal inside
        async with locks.shared(name):
            inside += 1
            await asyncio.sleep(0.01)
            order.append(name)
            inside -= 1

    async def alone() -> None:
        async with locks.alone():
            assert inside == 0
            await asyncio.sleep(0.01)
            assert inside == 0
            order.append("alone")

    tasks = [asyncio.create_task(shared("before"))]
    await asyncio.sleep(0)
    tasks.append(asyncio.create_task(alone()))
    await asyncio.sleep(0)
    tasks += [asyncio.create_task(shared(f"after{number}")) for number in range(5)]
    await asyncio.gather(*tasks)
    assert order[:2] == ["before", "alone"]


async def test_a_decision_that_fails_lets_the_next_in() -> None:
    locks = DecisionLocks()
    for hold in (lambda: locks.shared("a"), locks.alone):
        with pytest.raises(ValueError, match="wrong"):
            async with hold():
                raise ValueError("wrong")
    async with asyncio.timeout(1), locks.alone():
        pass


def test_a_unit_owns_what_its_connectors_and_those_below_it_write() -> None:
    owned = Ownership.of([("s", "H53.14"), ("s", "H53.14.2"), ("t", "H53.14"), ("t", "H53.15"), ("u", "H53.140")])
    assert [owned.reads("H53.14", subject) for subject in "stux"] == [True, True, False, False]
    assert [owned.writes("H53.14", subject) for subject in "stux"] == [True, False, False, False]
    assert [owned.writes("H53.14.2", subject) for subject in "stux"] == [False] * 4
    assert [owned.writes("H53", subject) for subject in "stux"] == [True, True, True, False]


def test_schemas_are_found_by_form_though_the_index_is_made_later() -> None:
    store = Store()
    texts = [f'{{"type":"record","name":"R{number}","fields":[]}}' for number in range(10)]
    for number, text in enumerate(texts, 1):
        store.apply(SchemaRecord("s", number, number, literal_of(text), deleted=False))
    assert not store.index(3)
    store.apply(SchemaGone("s", 2))
    store.apply(SchemaGone("s", 9))
    found = [store.id_of(offer(text).form) for text in texts]
    assert found == [1, None, 3, 4, 5, 6, 7, 8, None, 10]
    assert store.index()
    store.apply(SchemaRecord("s", 2, 11, literal_of(texts[1]), deleted=False))
    assert store.id_of(offer(texts[1]).form) == 11
    held = store.schema(11)
    assert held is not None
    assert held.text == texts[1]
