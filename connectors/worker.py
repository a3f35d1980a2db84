"""The role `connect`: a member of the group of workers, running the polled connectors of the shards it owns."""

from __future__ import annotations

import asyncio
import contextlib
import secrets as random_secrets
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog

from connectors.assigned import Assembly, Assigned, Wanted, settle, steps
from connectors.audit_trail import AuditTrail
from connectors.clock import monotonic_s, now_ms
from connectors.compacted import CompactedTopic
from connectors.configs import PARTITIONS, Configs, partition_key, shard_of
from connectors.cursor import Positions
from connectors.errors import ConnectorError
from connectors.holds import Holds
from connectors.intake import IntakeFactory
from connectors.lease import Lease
from connectors.membership import Group, Membership
from connectors.publish import Publisher
from connectors.registrar import Registrar
from connectors.retry import RetryPolicy
from connectors.runtime import Bench
from connectors.seeds import ReadManifest, Seed, parse_manifest, plant
from connectors.source import Surroundings
from connectors.status import Tally
from connectors.status_writer import StatusWriter

KAFKA_RETRY_S = 1.0
"""Rest between attempts to reach the broker at the start."""
CHECK_S = 1.0
"""How often a worker looks whether its claims still stand."""
SESSION_S = 6.0
"""After so long without a word the group lets a worker go: the shortest a broker allows by default."""
DRAIN_S = 2.0
"""How long pages under way may hold up a new distribution of shards."""

log = structlog.get_logger("ioc.connectors")


@dataclass(frozen=True, slots=True)
class Place:
    """The names of one group of workers in Kafka: its topics begin with `prefix`."""

    prefix: str = "ioc.connect"
    group: str = "ioc-connect"
    session_s: float = SESSION_S
    partitions: int = PARTITIONS

    @property
    def configs(self) -> str:
        return f"{self.prefix}.configs"

    @property
    def positions(self) -> str:
        return f"{self.prefix}.positions"

    @property
    def statuses(self) -> str:
        return f"{self.prefix}.status"

    @property
    def audit(self) -> str:
        return f"{self.prefix}.audit"


PLACE, POLICY = Place(), RetryPolicy()


@dataclass(slots=True)
class _Shards:
    """`given`: by the group; None while they are being distributed. `taken`: claimed by this worker."""

    given: frozenset[int] | None = None
    taken: frozenset[int] = field(default_factory=frozenset)


class ConnectWorker:
    """Runs polled connectors; `start` returns at once and connects in the background, for as long as it takes."""

    def __init__(
        self,
        bootstrap: str,
        seeds: Mapping[str, Seed],
        intakes: IntakeFactory,
        around: Surroundings,
        worker: str,
        place: Place = PLACE,
        policy: RetryPolicy = POLICY,
        read: ReadManifest = parse_manifest,
    ) -> None:
        self.name = worker
        self.around = around
        self.place = place
        self.configs = Configs()
        self.connectors: dict[str, Assigned] = {}
        self._seeds = seeds
        self.config_topic = CompactedTopic(bootstrap, place.configs, partition_key)
        self.config_topic.on_change(self._config_changed)
        self.position_topic = CompactedTopic(bootstrap, place.positions)
        self.status_topic = CompactedTopic(bootstrap, place.statuses)
        self.audit_topic = CompactedTopic(bootstrap, place.audit)
        self.trail = AuditTrail(self.audit_topic)
        self.positions = Positions(self.position_topic, f"{worker}/{random_secrets.token_hex(4)}")
        self._publisher = Publisher(bootstrap, holds=Holds(self.status_topic, now_ms))
        self.lease = Lease(place.session_s, monotonic_s)
        bench = Bench(intakes, self._publisher, self.positions, around, self.lease, policy)
        self._writer = StatusWriter(self.status_topic, self._told)
        self._assembly = Assembly(bench, worker, self._writer, read)
        group = Group(place.group, place.configs, place.session_s)
        self._membership = Membership(bootstrap, group, self.lease, monotonic_s, self._revoked, self._assigned)
        self._pushed: dict[str, Wanted] = {}
        self._shards = _Shards()
        self._due = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._cause: str | None = "starting"
        self.waits_for: str | None = "starting"
        """Why the topics cannot be read and written yet; None once they can."""

    @property
    def registrar(self) -> Registrar:
        """What people do to connectors, through this process."""
        return Registrar(self.configs, self.config_topic, self.positions, self.trail, now_ms, self.place.partitions)

    @property
    def _topics(self) -> tuple[CompactedTopic, ...]:
        return (self.config_topic, self.position_topic, self.status_topic, self.audit_topic)

    async def start(self) -> None:
        self._begin(self._open(), "connect opening")

    async def stop(self) -> None:
        """Stop reading and leave the group; what was published and not yet stored as a position is read again."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        await asyncio.gather(*(item.runner.halt(DRAIN_S) for item in self.connectors.values() if item.runner))
        await self._writer.finish()
        await self._membership.stop()
        await self._disconnect()
        for item in self.connectors.values():
            item.tally.forget()

    async def _disconnect(self) -> None:
        for stop in (self._publisher.stop, *(topic.stop for topic in self._topics)):
            with contextlib.suppress(OSError, RuntimeError, TimeoutError):
                await stop()

    def causes(self) -> dict[str, str | None]:
        """What the role leans on: None if it is well, else the cause."""
        return {"kafka": self._cause}

    @property
    def shards(self) -> frozenset[int]:
        """The shards this worker owns now."""
        return self._shards.taken if self.lease.held else frozenset()

    def _told(self) -> list[Tally]:
        """Those it may speak of: a worker that was frozen does not write over what the new owner says."""
        if not self.lease.held:
            return []
        return [item.tally for item in self.connectors.values() if self.positions.owns(item.shard)]

    # --- beginning -------------------------------------------------------------------------------------------

    async def _open(self) -> None:
        """Broker and the compacted topics, again and again until they answer; then join."""
        while True:
            try:
                await self._publisher.start()
                for topic in self._topics:
                    await topic.start()
                await plant(self.config_topic, self.configs, self._seeds)
                await self._membership.start()
                break
            except (ConnectorError, OSError, RuntimeError, TimeoutError) as error:
                self._cause = self.waits_for = str(error) if isinstance(error, ConnectorError) else type(error).__name__
                log.warning("connect_waits", reason=self._cause)
                await self._disconnect()
                await asyncio.sleep(KAFKA_RETRY_S)
        self.waits_for = None
        self._begin(self._writer.run(), "connect status")
        self._begin(self._keep(), "connect keeping")

    def _begin(self, work: Coroutine[Any, Any, None], name: str) -> None:
        self._tasks.append(asyncio.create_task(work, name=name))

    # --- what the group and the topics tell ------------------------------------------------------------------

    async def _revoked(self) -> None:
        """Shards are distributed anew: no publication begins until they are known, and those under way are waited
        for. Runners of shards that stay here go on where they were."""
        self.lease.suspend()
        self._shards.given = None
        runners = [item.runner for item in self.connectors.values() if item.runner is not None]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_S):
                await asyncio.gather(*(runner.delivered.wait() for runner in runners))

    def _assigned(self, shards: frozenset[int]) -> None:
        self._shards.given = shards
        self._due.set()

    def _config_changed(self, key: str, value: bytes | None) -> None:
        if self.configs.apply(key, value) is not None:
            self._due.set()

    # --- keeping to what is wanted ---------------------------------------------------------------------------

    async def _keep(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._due.wait(), CHECK_S)
            due = self._due.is_set()
            self._due.clear()
            try:
                if due or not self._stands():
                    await self._reconcile()
                await self.positions.repair()
            except (ConnectorError, OSError, TimeoutError) as error:
                self._cause = str(error) if isinstance(error, ConnectorError) else type(error).__name__
                log.warning("connect_waits", reason=self._cause)
                await asyncio.sleep(KAFKA_RETRY_S)
                self._due.set()

    def _stands(self) -> bool:
        """Whether nobody has claimed a shard since that the group still gives to this worker."""
        given = self._shards.given
        return given is None or all(self.positions.owns(shard) for shard in given)

    async def _reconcile(self) -> None:
        """One pass: claim what the group gave, then bring every connector to what is wanted of it."""
        given = self._shards.given
        if given is None:
            return
        if self.lease.suspended or given != self._shards.taken or not self._stands():
            await self._take(given)
        wanted = {
            item.id: Wanted.of(item) for item in self.configs if shard_of(item.id, self.place.partitions) in given
        }
        step = steps(wanted, {name: item.wanted for name, item in self.connectors.items()} | self._pushed)
        await self._give_up(step.down)
        await self._take_up(step.up)
        self._pushed.update((name, wanted[name]) for name in step.move if name in self._pushed)
        moving = [name for name in step.up | step.move if name in self.connectors]
        await asyncio.gather(*(settle(self.connectors[name], wanted[name]) for name in moving))
        if step.down or moving:
            self._writer.hurry()
        self._cause = None

    async def _take(self, given: frozenset[int]) -> None:
        """Claim the shards that are new or that somebody claimed since; runners of lost ones end first."""
        await self.position_topic.catch_up()
        kept = frozenset(shard for shard in given & self._shards.taken if self.positions.owns(shard))
        await self._give_up(
            frozenset(name for name, item in self.connectors.items() if item.shard not in kept), removed=False
        )
        self._shards.taken = kept
        await self._membership.confirm_now()
        await self.status_topic.catch_up()
        await self.positions.claim(given - kept)
        if self._shards.given == given:
            self._shards.taken = given
            self.lease.resume()
            log.info("shards_taken", shards=len(given), new=len(given - kept))

    async def _give_up(self, names: frozenset[str], *, removed: bool = True) -> None:
        for name in names:
            self._pushed.pop(name, None)
        gone = [self.connectors.pop(name) for name in names if name in self.connectors]
        await asyncio.gather(*(item.runner.halt() for item in gone if item.runner is not None))
        for item in gone:
            item.tally.forget()
            if removed and self.configs.get(item.tally.connector) is None:
                await self.status_topic.put(item.tally.connector, None)

    async def _take_up(self, names: frozenset[str]) -> None:
        for name in sorted(names):
            await asyncio.sleep(0)  # Checking a manifest takes tens of milliseconds; heartbeats go on between.
            declared = self.configs.get(name)
            if declared is None:
                continue
            made = self._assembly.make(declared, shard_of(name, self.place.partitions))
            if made is None:
                self._pushed[name] = Wanted.of(declared)
            else:
                self.connectors[name] = made
