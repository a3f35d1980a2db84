"""One registry among several: reads here, writes at the leader; what it promises about what was just written.

- The instance that answered a write shows it from then on, also if it forwarded it: it first applies the leader's log.
- No instance says “not found” of an id, a version, a subject or a schema that was answered anywhere before: ahead of
  such an answer it reads to the end of the log. If it cannot, it says 503, never 404.
- Lists, `latest` and compatibility checks at *other* instances may be as old as one fetch from Kafka, milliseconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
import structlog
from starlette.types import Scope

from hub.registry import faults
from hub.registry.etags import known_by, tag_of
from hub.registry.exchange import Ask, Route
from hub.registry.faults import Fault
from hub.registry.forwarding import Forwarder, ForwardError, LeaderAwayError, Relayed, is_forwarded
from hub.registry.leadership import NotLeaderError
from hub.registry.log import LogAwayError, SchemaLog

WRITE_PATIENCE_S = 4.0
"""How long a write waits for a leader that may take it: below the time-out of impatient clients."""
LOOK_AGAIN_S = 0.1
BARRIER_TIMEOUT_S = 2.5
APPLY_TIMEOUT_S = 2.5

MISSING = frozenset({40401, 40402, 40403})
"""What is not there may only not have arrived yet."""
UNRESOLVED = 42201
IDEMPOTENT = frozenset({"register", "config_set", "mode_set"})
"""Writes that may be sent again when it is not known whether they happened."""

log = structlog.get_logger("ioc.registry")


@dataclass(frozen=True, slots=True)
class Reply:
    """What is answered: a status, what becomes the body, its content type (None: as accepted), more headers."""

    status: int
    body: Any
    kind: str | None = None
    extra: tuple[tuple[bytes, bytes], ...] = ()


def unchanged(tag: bytes) -> Reply:
    """304: the client has this body already."""
    return Reply(304, b"", extra=((b"etag", tag),))


def with_tag(reply: Reply, tag: bytes, headers: Mapping[bytes, bytes]) -> Reply:
    """The reply with the ETag of its body, or 304."""
    if known_by(tag, headers):
        return unchanged(tag)
    return Reply(reply.status, reply.body, reply.kind, ((b"etag", tag),))


def tagged(reply: Reply, headers: Mapping[bytes, bytes]) -> Reply:
    """The reply to a read with its ETag, which changes with the body; 304 if the client has this body already."""
    body = reply.body if isinstance(reply.body, bytes) else orjson.dumps(reply.body)
    return with_tag(Reply(reply.status, body, reply.kind, reply.extra), tag_of(body), headers)


class Replica:
    """Answers requests over `schema_log`."""

    def __init__(self, schema_log: SchemaLog, forwarder: Forwarder) -> None:
        self._log = schema_log
        self._forwarder = forwarder
        self._barrier = ReadBarrier(schema_log)

    async def answer(self, route: Route, ask: Ask, scope: Scope, headers: Mapping[bytes, bytes]) -> Reply:
        """Raises Fault."""
        try:
            return await self._handled(route, ask, scope, headers)
        except Fault as fault:
            if not _may_be_late(fault, ask):
                raise
            before = self._log.position
            try:
                await self._barrier.passed()
            except LogAwayError as error:
                raise faults.log_away(str(error)) from error
            if self._log.position == before:
                raise
        return await self._handled(route, ask, scope, headers)

    async def _handled(self, route: Route, ask: Ask, scope: Scope, headers: Mapping[bytes, bytes]) -> Reply:
        deadline = asyncio.get_running_loop().time() + WRITE_PATIENCE_S
        again = route.name in IDEMPOTENT
        while True:
            try:
                return Reply(200, await route.handler(ask))
            except LogAwayError as error:
                raise faults.log_away(str(error)) from error
            except NotLeaderError as error:
                refusal, leader = faults.leader_unknown(), error.leader
            except Fault as fault:
                if fault.code != faults.LOG_AWAY or not again:
                    raise
                refusal, leader = fault, None
            if is_forwarded(headers):
                raise refusal
            if leader is not None:
                relayed = await self._forwarded(leader, scope, headers, ask, again=again)
                if isinstance(relayed, Reply):
                    return relayed
                refusal = relayed
            if asyncio.get_running_loop().time() > deadline:
                raise refusal
            await self._log.leader_changes(LOOK_AGAIN_S)

    async def _forwarded(
        self, leader: str, scope: Scope, headers: Mapping[bytes, bytes], ask: Ask, *, again: bool
    ) -> Reply | Fault:
        """The leader's reply, or what to refuse with if no later leader takes it. Raises Fault: ask no other."""
        try:
            relayed = await self._forwarder.send(leader, scope, headers, ask.body)
        except ForwardError as error:
            refusal = faults.forwarding_failed(str(error))
            if again or isinstance(error, LeaderAwayError):
                return refusal
            raise refusal from error
        if relayed.status == 503 and (again or str(faults.LEADER_UNKNOWN).encode() in relayed.body):
            return faults.forwarding_failed(f"{leader} answered 503")
        await self._apply(relayed)
        return Reply(relayed.status, relayed.body, relayed.kind)

    async def _apply(self, relayed: Relayed) -> None:
        try:
            await self._log.reach(relayed.position, APPLY_TIMEOUT_S)
        except LogAwayError as error:  # done is done: an error here would invite a second try
            log.warning("registry_answers_ahead_of_its_log", cause=str(error))


def _may_be_late(fault: Fault, ask: Ask) -> bool:
    return fault.code in MISSING or (fault.code == UNRESOLVED and bool(ask.body.get("references")))


class ReadBarrier:
    """Reads to the end of the log; who comes while one is under way shares the next."""

    def __init__(self, schema_log: SchemaLog) -> None:
        self._log = schema_log
        self._running: asyncio.Task[None] | None = None
        self._next: asyncio.Task[None] | None = None

    async def passed(self) -> None:
        """Wait until everything written before this call is applied. Raises LogAwayError."""
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._log.catch_up(BARRIER_TIMEOUT_S), name="registry read barrier")
            await asyncio.shield(self._running)
            return
        if self._next is None:  # the one under way may have asked for the end before the write we look for
            self._next = asyncio.create_task(self._after(self._running), name="registry read barrier")
        await asyncio.shield(self._next)

    async def _after(self, running: asyncio.Task[None]) -> None:
        await asyncio.wait({running})
        self._running, self._next = asyncio.current_task(), None
        await self._log.catch_up(BARRIER_TIMEOUT_S)
