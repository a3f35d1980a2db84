"""A burst of the same question costs one answer, and nobody gets one that is older than it may be or another's."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Hashable
from types import SimpleNamespace
from typing import Any

import pytest

from hub.api.shelf import MOST_S, TTL_S, Shelf
from hub.kpi.errors import WarehouseAwayError

OPERATOR = SimpleNamespace(role="operator", org=None)
DEPARTMENT = SimpleNamespace(role="department", org="H53.14")


class World:
    """An application that numbers its answers, behind a shelf; its clock stands unless it is moved."""

    def __init__(self) -> None:
        self.now, self.made, self.status = 100.0, 0, 200
        self.written: Hashable = 1
        self.lately: Hashable | None = None
        self.looks: list[int] = []
        self.away = False
        self.at_work, self.go_on = asyncio.Event(), asyncio.Event()
        self.go_on.set()
        self.shelf = Shelf(self.answer, self.look, lambda: self.lately, lambda: self.now)

    def look(self) -> Hashable:
        self.looks.append(threading.get_ident())
        if self.away:
            raise WarehouseAwayError("no_connection")
        return self.written

    async def answer(self, scope: Any, receive: Any, send: Any) -> None:
        self.made += 1
        self.at_work.set()
        body = str(self.made).encode()
        await self.go_on.wait()
        headers = [(b"etag", b'W/"%s"' % body), (b"content-type", b"application/json"), (b"x-request-id", b"its own")]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def ask(
        self, path: str = "/v1/kpis/a", query: bytes = b"", caller: Any = OPERATOR, known: bytes = b""
    ) -> tuple[int, bytes]:
        told: list[Any] = []

        async def send(message: Any) -> None:
            told.append(message)

        scope = {
            "type": "http", "method": "GET", "path": path, "query_string": query, "state": {"caller": caller},
            "headers": [(b"if-none-match", known)] if known else [], "app": SimpleNamespace(state=SimpleNamespace()),
        }  # fmt: skip
        await self.shelf(scope, None, send)  # type: ignore[arg-type]
        return told[0]["status"], b"".join(message.get("body", b"") for message in told[1:])

    async def burst(self, askers: int) -> list[asyncio.Task[tuple[int, bytes]]]:
        """So many who ask at once, the first of them being answered: until `go_on` is set."""
        self.go_on.clear()
        asking = [asyncio.create_task(self.ask()) for _ in range(askers)]
        await self.at_work.wait()
        return asking


@pytest.mark.parametrize("takes_s", [0.0, TTL_S * 2, MOST_S * 2])
async def test_a_burst_of_one_question_costs_one_answer(takes_s: float) -> None:
    world = World()
    burst = await world.burst(20)
    world.now += takes_s
    world.go_on.set()
    assert set(await asyncio.gather(*burst)) == {(200, b"1")}


async def test_who_stops_waiting_does_not_end_it_for_the_others() -> None:
    world = World()
    burst = await world.burst(4)
    burst[2].cancel()
    await asyncio.sleep(0)
    world.go_on.set()
    told = await asyncio.gather(*burst, return_exceptions=True)
    assert isinstance(told.pop(2), asyncio.CancelledError)
    assert told == [(200, b"1")] * 3


async def test_when_the_one_that_makes_the_answer_gives_up_another_makes_it() -> None:
    world = World()
    burst = await world.burst(3)
    burst[0].cancel()
    world.go_on.set()
    told = await asyncio.gather(*burst, return_exceptions=True)
    assert isinstance(told[0], asyncio.CancelledError)
    assert [status for status, _ in told[1:]] == [200, 200]  # type: ignore[misc]


@pytest.mark.parametrize(
    ("other", "why"),
    [
        ({"query": b"from=2022-01-01"}, "another question"),
        ({"query": b"lang=en"}, "another language"),
        ({"caller": DEPARTMENT}, "a department sees its own rows only"),
        ({"path": "/v1/kpis/a/records"}, "pages are not kept"),
    ],
)
async def test_what_another_asked_is_not_given(other: dict[str, Any], why: str) -> None:
    world = World()
    await world.ask()
    assert await world.ask(**other) == (200, b"2"), why
    assert await world.ask() == (200, b"1")


async def test_an_answer_is_good_for_its_time_and_longer_while_nothing_is_written_but_not_for_ever() -> None:
    world = World()
    await world.ask()
    world.written = 2
    world.now += TTL_S * 0.99
    assert await world.ask() == (200, b"1")
    world.now += TTL_S * 0.02
    assert await world.ask() == (200, b"2"), "something was written meanwhile"
    for _ in range(3):
        world.now += TTL_S * 1.01
        assert await world.ask() == (200, b"2"), "nothing was"
    world.now += MOST_S
    assert await world.ask() == (200, b"3"), "ages that it tells change by themselves"


async def test_whoever_has_the_answer_is_told_so_and_a_failure_is_not_kept() -> None:
    world = World()
    world.status = 503
    assert (await world.ask())[0] == 503
    world.status = 200
    assert await world.ask() == (200, b"2")
    assert await world.ask(known=b'W/"2"') == (304, b"")
    assert world.made == 2


async def test_what_is_written_is_looked_at_beside_the_loop_unless_it_is_known() -> None:
    world = World()
    await world.ask()
    assert world.looks and threading.get_ident() not in world.looks
    world.looks.clear()
    world.lately = 1
    assert await world.ask(query=b"to=2022-02-01") == (200, b"2")
    assert not world.looks, "nobody waited for a thread"
    world.lately = 5
    world.now += TTL_S * 1.01
    assert await world.ask(query=b"to=2022-02-01") == (200, b"3"), "it was written to by what is known"


async def test_with_the_warehouse_away_answers_are_made_and_not_prolonged() -> None:
    world = World()
    world.away = True
    await world.ask()
    world.now += TTL_S * 1.01
    assert await world.ask() == (200, b"2")
