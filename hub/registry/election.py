"""Who may write, of several registries: a consumer group elects one, and tells all of them its address.

Every registry joins the group with an assignor that assigns no partitions, only a leader: who leads already stays it,
so that a newcomer does not interrupt the writing; else the smallest member id is chosen. Kafka's group protocol
notices a dead one after its session time-out. Being elected is no permission to write: `FencedWriter` is.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

import orjson
import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment, ConsumerProtocolMemberMetadata
from aiokafka.errors import KafkaError

log = structlog.get_logger("ioc.registry")

HEARTBEATS_PER_SESSION = 5
LONGEST_HEARTBEAT_S = 0.5
"""A member hears of a new election at its next heartbeat: this much of the time to the next leader."""
POLL_MS = 1_000
RETRY_S = 0.5


@dataclass(frozen=True, slots=True)
class Leader:
    """The elected one: `member` tells instances apart, `url` is where it is reached."""

    member: str
    url: str


class _Assignor:
    """aiokafka's interface of an assignor, whose user data is the address."""

    name = "ioc-registry-leader"

    def __init__(self, mine: Leader, epoch: Callable[[], int], elected: Callable[[Leader], None]) -> None:
        self._mine = mine
        self._epoch = epoch
        self._elected = elected

    def metadata(self, topics: set[str]) -> ConsumerProtocolMemberMetadata:
        told = {"member": self._mine.member, "url": self._mine.url, "epoch": self._epoch()}
        return ConsumerProtocolMemberMetadata(0, list(topics), orjson.dumps(told))

    def assign(
        self, _cluster: object, members: Mapping[str, ConsumerProtocolMemberMetadata]
    ) -> dict[str, ConsumerProtocolMemberAssignment]:
        told = {name: orjson.loads(metadata.user_data) for name, metadata in members.items()}
        chosen = min(told, key=lambda name: (-told[name]["epoch"], name))
        leader = orjson.dumps({"member": told[chosen]["member"], "url": told[chosen]["url"]})
        return {name: ConsumerProtocolMemberAssignment(0, [], leader) for name in members}

    def on_assignment(self, assignment: ConsumerProtocolMemberAssignment) -> None:
        self._elected(Leader(**orjson.loads(assignment.user_data)))


class Election:
    """One instance's part in it. `epoch` gives the epoch it writes with, -1 while it does not."""

    def __init__(
        self,
        bootstrap: str,
        topic: str,
        group: str,
        url: str,
        session_timeout_s: float,
        epoch: Callable[[], int],
        elected: Callable[[Leader], None],
    ) -> None:
        self.mine = Leader(uuid.uuid4().hex, url)
        self.heartbeat_s = min(session_timeout_s / HEARTBEATS_PER_SESSION, LONGEST_HEARTBEAT_S)
        self._bootstrap = bootstrap
        self._topic = topic
        self._group = group
        self._session_timeout_s = session_timeout_s
        self._assignor = _Assignor(self.mine, epoch, elected)

    async def run(self) -> None:
        """Take part until cancelled; then leave, so that the others elect at once."""
        while True:
            try:
                await self._take_part()
            except (KafkaError, OSError) as error:
                log.warning("registry_election_waits", cause=type(error).__name__)
            await asyncio.sleep(RETRY_S)

    async def _take_part(self) -> None:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap,
            client_id="ioc-registry-election",
            group_id=self._group,
            partition_assignment_strategy=(self._assignor,),
            session_timeout_ms=round(self._session_timeout_s * 1000),
            heartbeat_interval_ms=round(self.heartbeat_s * 1000),
            # Who does not come back to an election within its session is left out, as by the session itself.
            rebalance_timeout_ms=round(self._session_timeout_s * 1000),
            enable_auto_commit=False,
        )
        try:
            await consumer.start()
            consumer.subscribe([self._topic])
            while True:
                await consumer.getmany(timeout_ms=POLL_MS)  # nothing comes; it raises what the group refuses
        finally:
            with suppress(KafkaError, OSError):
                await asyncio.shield(consumer.stop())
