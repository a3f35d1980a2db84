"""Answers about KPIs kept for a moment: a burst of the same question costs one answer. Plain ASGI, behind the gate.

An answer tells its own `as_of` and `read_at`, and is served as it was made: to all who asked meanwhile, for `TTL_S`
from the moment its making began, and on for up to `MOST_S` while the ledger shows that nothing was written since. So it
is never older than it says. It is kept by question, language and what the caller may see.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hub.api.answers import matches
from hub.api.language import language_of
from hub.kpi.cache import TTL
from hub.kpi.errors import WarehouseAwayError

PREFIX = "/v1/kpis"
PAGES = "/records"
"""Nobody else asks for the same page at the same moment: a look at what is written would only cost."""
TTL_S = TTL.total_seconds()
MOST_S = 1.0
"""Ages and states that the answer tells of its sources change without a write."""
KEPT = 512
MOST_BYTES = 1 << 18

Key = tuple[str, bytes, str, str, str | None]


@dataclass(frozen=True, slots=True)
class _Kept:
    headers: list[tuple[bytes, bytes]]
    body: bytes
    etag: str
    stamp: Hashable
    begun: float
    until: float
    route: Any


class Shelf:
    """Keeps answers of `app`. `monotonic` gives seconds. On one event loop."""

    def __init__(
        self,
        app: ASGIApp,
        stamp: Callable[[], Hashable],
        lately: Callable[[], Hashable | None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`stamp` tells what is written, blocks, and may raise WarehouseAwayError. `lately` tells it at once where
        it is known, else None: no thread is needed then."""
        self._app = app
        self._stamp = stamp
        self._lately = lately
        self._monotonic = monotonic
        self._kept: OrderedDict[Key, _Kept] = OrderedDict()
        self._flights: dict[Key, asyncio.Future[_Kept | None]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        key = _key(scope)
        if key is None:
            await self._app(scope, receive, send)
            return
        kept, flight = self._fresh(key), self._flights.get(key)
        if kept is None and flight is not None:
            # However long it took: what is made now would be no newer for most of those who wait.
            kept = await asyncio.shield(flight)  # who stops waiting must not end it for the others
        if kept is not None:
            await _give(kept, scope, send)
        elif key in self._flights:
            # Another made an answer that cannot be kept.
            await self._app(scope, receive, send)
        else:
            await self._alone(key, scope, receive, send)

    async def _alone(self, key: Key, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer while the others who ask the same wait for it."""
        flight = self._flights[key] = asyncio.get_running_loop().create_future()
        kept: _Kept | None = None
        try:
            kept = await self._unchanged(key)
            if kept is not None:
                await _give(kept, scope, send)
            else:
                kept = await self._make(key, scope, receive, send)
        finally:
            del self._flights[key]
            flight.set_result(kept)

    def _fresh(self, key: Key) -> _Kept | None:
        kept = self._kept.get(key)
        return kept if kept is not None and self._monotonic() < kept.until else None

    async def _unchanged(self, key: Key) -> _Kept | None:
        """An answer whose time is over and since which nothing was written; it is good for another while."""
        kept = self._kept.get(key)
        now = self._monotonic()
        if kept is None or kept.stamp is None or now - kept.begun >= MOST_S or await self._stamped() != kept.stamp:
            return None
        longer = replace(kept, until=min(now + TTL_S, kept.begun + MOST_S))
        self._kept[key] = longer
        return longer

    async def _stamped(self) -> Hashable:
        known = self._lately()
        if known is not None:
            return known
        try:
            return await run_in_threadpool(self._stamp)
        except WarehouseAwayError:
            return None

    async def _make(self, key: Key, scope: Scope, receive: Receive, send: Send) -> _Kept | None:
        # What is written is looked at first: the answer holds at least that.
        stamp, begun = await self._stamped(), self._monotonic()
        messages: list[Message] = []

        async def send_noted(message: Message) -> None:
            if len(messages) < 2:
                messages.append(message)
            await send(message)

        await self._app(scope, receive, send_noted)
        return self._keep(key, messages, (stamp, begun), scope)

    def _keep(self, key: Key, messages: list[Message], made: tuple[Hashable, float], scope: Scope) -> _Kept | None:
        if len(messages) < 2 or messages[0]["status"] != 200 or messages[1].get("more_body"):
            return None
        headers: list[tuple[bytes, bytes]] = [
            (name, value) for name, value in messages[0]["headers"] if name in _OF_THE_ANSWER
        ]
        named = dict(headers)
        body: bytes = messages[1].get("body", b"")
        if b"etag" not in named or len(body) > MOST_BYTES:
            return None
        stamp, begun = made
        etag, route = named[b"etag"].decode(), scope.get("route")
        kept = self._kept[key] = _Kept(headers, body, etag, stamp, begun, begun + TTL_S, route)
        self._kept.move_to_end(key)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return kept


_OF_THE_ANSWER = frozenset(
    (b"content-type", b"content-length", b"etag", b"cache-control", b"content-language", b"vary", b"link")
)
"""What the gate adds to each answer is added anew."""


def _key(scope: Scope) -> Key | None:
    """What an answer is kept by; None for what is not kept."""
    if scope["type"] != "http" or scope["method"] != "GET" or not scope["path"].startswith(PREFIX):
        return None
    if scope["path"].endswith(PAGES):
        return None
    request = Request(scope)
    if "if-none-match" in request.headers and request.headers["if-none-match"].strip() == "*":
        return None
    caller = request.state.caller
    return scope["path"], scope["query_string"], language_of(request), caller.role, caller.org


async def _give(kept: _Kept, scope: Scope, send: Send) -> None:
    scope["route"] = kept.route
    known = Request(scope).headers.get("if-none-match", "")
    if matches(known, kept.etag):
        headers = [item for item in kept.headers if item[0] not in (b"content-type", b"content-length")]
        await send({"type": "http.response.start", "status": 304, "headers": headers})
        await send({"type": "http.response.body", "body": b""})
        return
    await send({"type": "http.response.start", "status": 200, "headers": list(kept.headers)})
    await send({"type": "http.response.body", "body": kept.body})
