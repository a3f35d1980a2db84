"""Those that got a place together: they meet once, and the last that comes acts for all."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from streams.company import Company
from streams.errors import OwnershipLostError


class Acts:
    """What was brought to each meeting."""

    def __init__(self, does: bool = True, error: Exception | None = None) -> None:
        self.brought: list[list[str]] = []
        self.does, self.error = does, error
        self.may_end = asyncio.Event()
        self.may_end.set()

    async def __call__(self, brought: Sequence[str]) -> bool:
        self.brought.append(sorted(brought))
        await self.may_end.wait()
        if self.error is not None:
            raise self.error
        return self.does


async def settled() -> None:
    for _ in range(8):
        await asyncio.sleep(0)


def come(company: Company[str], act: Acts, *members: str) -> list[asyncio.Task[bool]]:
    return [asyncio.create_task(company.together(member, member.upper(), act)) for member in members]


@pytest.mark.parametrize("does", [True, False])
async def test_one_acts_once_for_all_and_each_is_told_whether_it_was_done(does: bool) -> None:
    company, act = Company(["a", "b", "c"]), Acts(does)
    first = come(company, act, "a", "b")
    await settled()
    assert act.brought == []
    assert await asyncio.gather(*first, *come(company, act, "c")) == [does] * 3
    assert act.brought == [["A", "B", "C"]]


async def test_one_that_leaves_is_not_waited_for_and_is_on_its_own() -> None:
    company, act = Company(["a", "b", "c"]), Acts()
    waiting = come(company, act, "a", "b")
    await settled()
    company.leave("c")
    company.leave("c")
    assert await asyncio.gather(*waiting) == [True, True]
    assert await company.together("c", "C", act) is False
    assert act.brought == [["A", "B"]]


async def test_one_that_gives_up_while_it_waits_leaves_the_others_to_meet() -> None:
    company, act = Company(["a", "b", "c"]), Acts()
    one, two = come(company, act, "a", "b")
    await settled()
    one.cancel()
    await settled()
    company.leave("a")
    assert await asyncio.gather(two, *come(company, act, "c")) == [True, True]
    assert act.brought == [["B", "C"]]


async def test_they_meet_once() -> None:
    company, act = Company(["a"]), Acts()
    assert await company.together("a", "A", act)
    assert not await company.together("a", "A", act)
    assert act.brought == [["A"]]


async def test_what_acting_raises_is_raised_to_each() -> None:
    company, act = Company(["a", "b"]), Acts(error=ValueError("no"))
    found = await asyncio.gather(*come(company, act, "a", "b"), return_exceptions=True)
    assert [str(error) for error in found] == ["no", "no"]


async def test_who_leaves_while_it_is_done_lets_nobody_begin_alone_before_it_is_done() -> None:
    company, act = Company(["a", "b", "c"]), Acts()
    act.may_end.clear()
    one, two, three = come(company, act, "a", "b", "c")
    await settled()
    company.leave("a")
    await settled()
    assert not two.done()
    act.may_end.set()
    assert await asyncio.gather(one, two, three) == [True] * 3


async def test_when_the_one_that_acts_is_stopped_the_others_hear_that_it_was_given_up() -> None:
    company, act = Company(["a", "b"]), Acts()
    act.may_end.clear()
    one, two = come(company, act, "a", "b")
    await settled()
    two.cancel()
    with pytest.raises(OwnershipLostError, match="given up"):
        await one
