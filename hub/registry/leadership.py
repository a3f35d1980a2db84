"""The turn to write the log, of this instance: elected, fenced, up to date – and lost again.

1. The group elects (`election`).
2. The elected one takes the epoch and appends a mark with it (`fenced_writer`): older writers are refused from there.
3. It folds the log up to its mark: now it knows everything that was ever written.
4. Only then it decides. Each decision is written with the epoch it was made under; if that fails, for whatever
   reason, the turn is given back and taken anew from 2, which also settles what was in doubt.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

import structlog

from hub.registry.election import Election, Leader
from hub.registry.fenced_writer import FencedWriter, WriterAwayError

RETRY_S = 0.2
"""Pause before the turn is taken again after a failure."""
RENEW_S = 6 * 3600.0
"""The epoch is raised so often by its own holder: Kafka forgets an idle one after a day."""
OLDEST_S = 2 * RENEW_S
"""An epoch that was not renewed for so long is not used: the process slept, and Kafka may have forgotten it."""

log = structlog.get_logger("ioc.registry")

Records = Sequence[tuple[str, bytes | None]]


def _awake_or_asleep_s() -> float:
    """Seconds of a clock that goes on while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class NotLeaderError(Exception):
    """This instance may not write now; `leader` is the address of who may, None if that is not known or is this one."""

    def __init__(self, leader: str | None) -> None:
        super().__init__(f"not the leader; that is {leader}" if leader else "no leader yet")
        self.leader = leader


class Turn:
    """The right to write under one epoch. Valid until an `append` fails or `Leadership` ends it."""

    def __init__(self, writer: FencedWriter, lost: Callable[[Turn], None]) -> None:
        self._writer = writer
        self._lost = lost
        self.epoch = writer.epoch
        self.taken_s = _awake_or_asleep_s()

    async def append(self, records: Records) -> int:
        """Write in order; the offset after the last. Raises WriterAwayError: perhaps written, the turn is lost."""
        try:
            return await self._writer.append(records)
        except BaseException:  # also of a cancelled request it is not known what was written
            self._lost(self)
            raise

    async def close(self) -> None:
        """Let go. Idempotent."""
        await self._writer.close()


class Leadership:
    """Takes part in the election from `start` to `stop`, and holds the turn while it is elected.

    `mark` reads to the log's end and gives the records to begin a turn with, `fold_to` waits until the log is folded up
    to an offset; both raise WriterAwayError. `url` is told to the others.
    """

    def __init__(
        self,
        bootstrap: str,
        topic: str,
        url: str,
        session_timeout_s: float,
        mark: Callable[[], Awaitable[Records]],
        fold_to: Callable[[int], Awaitable[None]],
    ) -> None:
        self._name = f"ioc.registry.{topic}"
        self._bootstrap = bootstrap
        self._topic = topic
        self._mark = mark
        self._fold_to = fold_to
        self._turn: Turn | None = None
        self._leader: Leader | None = None
        self._changed = asyncio.Condition()
        self._look = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._closings: set[asyncio.Task[None]] = set()
        self._election = Election(bootstrap, topic, self._name, url, session_timeout_s, self.epoch, self._elected)

    def epoch(self) -> int:
        """The epoch this instance writes with, -1 while it may not."""
        return -1 if self._turn is None else self._turn.epoch

    @property
    def leader(self) -> str | None:
        """The address of another instance that was elected; None if it is this one or none is known."""
        if self._leader is None or self._is_elected():
            return None
        return self._leader.url

    def turn(self) -> Turn:
        """The turn, with everything written before it folded. Raises NotLeaderError."""
        turn = self._turn
        if turn is not None and _awake_or_asleep_s() - turn.taken_s > OLDEST_S:
            self._give_back(turn)
            turn = None
        if turn is None:
            raise NotLeaderError(self.leader)
        return turn

    async def changes(self, timeout_s: float) -> None:
        """Wait until another leader is known or the turn was taken, at most so long."""
        try:
            async with asyncio.timeout(timeout_s), self._changed:
                await self._changed.wait()
        except TimeoutError:
            return

    async def start(self) -> None:
        """Begin to take part; returns at once."""
        self._tasks = [
            asyncio.create_task(self._election.run(), name="registry election"),
            asyncio.create_task(self._hold(), name="registry turn"),
        ]

    async def stop(self) -> None:
        """Give the turn back and leave. Idempotent."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._turn is not None:
            self._give_back(self._turn)
        await asyncio.gather(*self._closings, return_exceptions=True)

    def _elected(self, leader: Leader) -> None:
        if leader != self._leader:
            log.info("registry_leader", url=leader.url, here=leader == self._election.mine)
        self._leader = leader
        self._look.set()

    def _is_elected(self) -> bool:
        return self._leader == self._election.mine

    async def _hold(self) -> None:
        while True:
            await self._wait_to_look()
            turn = self._turn
            if not self._is_elected():
                if turn is not None:
                    self._give_back(turn)
            elif turn is None or _awake_or_asleep_s() - turn.taken_s >= RENEW_S:
                await self._renew(turn)
            await self._tell()

    async def _renew(self, turn: Turn | None) -> None:
        if turn is not None:
            self._turn = None
            await turn.close()  # what is being written still is
        await self._take()

    async def _wait_to_look(self) -> None:
        try:
            async with asyncio.timeout(RENEW_S):
                await self._look.wait()
        except TimeoutError:
            return
        self._look.clear()

    async def _take(self) -> None:
        try:
            turn = Turn(await FencedWriter.take(self._bootstrap, self._topic, self._name), self._give_back)
        except WriterAwayError as error:
            await self._again_after(error)
            return
        try:
            await self._begin(turn)
        except WriterAwayError as error:
            self._close(turn)
            await self._again_after(error)
            return
        except BaseException:
            self._close(turn)
            raise
        self._turn = turn
        log.info("registry_turn_taken", epoch=turn.epoch)

    async def _begin(self, turn: Turn) -> None:
        first = await self._mark()
        await self._fold_to(await turn.append(first))
        mark = await self._mark()
        if mark != first:  # the one before us wrote until our mark
            await self._fold_to(await turn.append(mark))

    async def _again_after(self, error: WriterAwayError) -> None:
        log.warning("registry_turn_not_taken", cause=str(error))
        await asyncio.sleep(RETRY_S)
        self._look.set()

    def _give_back(self, turn: Turn) -> None:
        if turn is self._turn:
            self._turn = None
            log.info("registry_turn_ended", epoch=turn.epoch)
            # Still elected? Then it is taken again – after a heartbeat, which tells a sleeper that it is not.
            asyncio.get_running_loop().call_later(self._election.heartbeat_s, self._look.set)
        self._close(turn)

    def _close(self, turn: Turn) -> None:
        closing = asyncio.create_task(turn.close(), name="registry turn closing")
        self._closings.add(closing)
        closing.add_done_callback(self._closings.discard)

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()
