"""Whose turn it is, of several monitors: one evaluates, writes and tells; the others look on, and one takes over.

The election is Kafka's consumer group with one partition to give. Whoever has it knows so by a lease: the broker has
confirmed the membership within the session's time, so that one that was frozen or cut off finds its turn over before
it does anything more. Work that is under way when the turn goes to another is waited for first.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Protocol

import structlog

from connectors.clock import monotonic_s
from connectors.lease import Lease
from connectors.membership import Group, GroupAwayError, Membership

GROUP = "ioc-monitor"
SESSION_S = 6.0
"""A monitor that was killed is replaced after so long: the shortest that a broker allows as it comes."""
HEARTBEATS, CONFIRMS = 4, 3
"""In the session's time: one of them may be lost. Nobody waits for the turn to be handed on."""
FINISH_S = 10.0
"""Longest wait for the work under way before another gets the turn; one delivery takes less."""
RETRY_S = 1.0

log = structlog.get_logger("ioc.monitor")


class Turn(Protocol):
    """`work` is entered for every piece of work; it gives the number of the turn, which is another one after each
    taking over, or None while it is not ours."""

    def work(self) -> AbstractAsyncContextManager[int | None]: ...

    @property
    def held(self) -> bool: ...


class Alone:
    """The turn of one that has no others beside it."""

    held = True

    @asynccontextmanager
    async def work(self) -> AsyncIterator[int | None]:
        yield 1


class GroupTurn:
    """The turn of one of many; `run` takes part until it is told to stop."""

    def __init__(self, bootstrap: str, topic: str, group: str = GROUP, session_s: float = SESSION_S) -> None:
        """`topic`: one that there is; its first partition is what the group gives."""
        self._lease = Lease(session_s, monotonic_s)
        member = Group(group, topic, session_s, confirm_s=session_s / CONFIRMS, heartbeat_s=session_s / HEARTBEATS)
        self._membership = Membership(bootstrap, member, self._lease, monotonic_s, self._revoked, self._assigned)
        self._number = 0
        self._working = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._confirming: asyncio.Task[None] | None = None

    @property
    def held(self) -> bool:
        """Whether it is ours now."""
        return self._lease.held

    @asynccontextmanager
    async def work(self) -> AsyncIterator[int | None]:
        """See `Turn`. Enters at once."""
        if not self.held:
            yield None
            return
        self._working += 1
        self._idle.clear()
        try:
            yield self._number
        finally:
            self._working -= 1
            if not self._working:
                self._idle.set()

    async def run(self, stopping: asyncio.Event) -> None:
        """Take part until `stopping`; then leave, so that another takes over at once."""
        try:
            while not stopping.is_set():
                try:
                    await self._membership.start()
                    await stopping.wait()
                except GroupAwayError as error:
                    log.info("monitor_turn_waits", reason=error.code)
                    with suppress(TimeoutError):
                        await asyncio.wait_for(stopping.wait(), RETRY_S)
        finally:
            await self._revoked()
            if self._confirming is not None:
                self._confirming.cancel()
            await self._membership.stop()

    async def _revoked(self) -> None:
        self._lease.suspend()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), FINISH_S)

    def _assigned(self, shards: frozenset[int]) -> None:
        if 0 not in shards:
            return
        self._number += 1
        self._lease.resume()
        self._confirming = asyncio.create_task(self._membership.confirm_now(), name="monitor turn")
        log.info("monitor_turn_taken", turn=self._number)
