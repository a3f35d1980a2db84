"""The stream worker: a Faust application whose agent hands batches to partition runners. The role `ioc stream`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import faust
import structlog
from faust.types import TP

from schemas.codec import Decoder
from schemas.contract import Contract
from schemas.quarantine import TOPIC as QUARANTINE_TOPIC
from streams import faultpoints
from streams.audit_idle import IdleAudit
from streams.errors import WarehouseUnavailableError
from streams.fences import raise_fences
from streams.garbage import collect_seldom
from streams.growth import TopicLives
from streams.known_load import Keys, load, unloaded
from streams.lives import Life
from streams.ownership import Partitions
from streams.partition import PartitionRunner
from streams.partition_seams import Sink
from streams.places import BATCHES_AT_ONCE, Places
from streams.quarantine import Quarantine, QuarantineSink
from streams.replay import ReplayLog
from streams.schema_wait import LIMIT, SchemaWait
from streams.sink import EntitySink, TakeOver
from streams.state_cache import CACHED_STATES, StateRoom
from streams.store import EntityStore
from streams.tables import NoTables
from streams.topic_ids import Topic, TopicIds, TopicUnknownError
from streams.topic_watch import watch
from streams.transport import Consumer, PartitionOwner, PassThrough, Transport
from streams.warehouse.client import Warehouse

log = structlog.get_logger()

T = TypeVar("T")

LOAD_AGAIN_S = 1.0
"""Pause before the known keys are asked for again."""

FINISH_S = 3.0
"""A worker asked to stop ends the batches in hand for so long: a third of what it is given before it is killed."""


@dataclass(frozen=True, slots=True)
class StreamSettings:
    """What a worker needs to know. `cached_states` are those of all its partitions together; Faust makes `data_dir`,
    and nothing that matters is kept there."""

    bootstrap: str
    data_dir: Path
    group: str = "ioc-stream"
    session_timeout: timedelta = timedelta(seconds=6)
    cached_states: int = CACHED_STATES
    audit: bool = True
    """Whether the figures are audited beside the flow."""
    max_fetch_bytes: int = 2 * 1024 * 1024
    growth_settle: timedelta = timedelta(seconds=60)
    """How long publishers may not know of partitions that another tool added: 30 s until they ask, 20 s to write."""
    schema_wait: timedelta = LIMIT
    """How long a batch waits for a schema (`streams.schema_wait`)."""


class StreamWorker:
    """Owns the Faust application and everything a partition's runner needs."""

    def __init__(
        self,
        settings: StreamSettings,
        contracts: Iterable[Contract],
        warehouse: Warehouse,
        schema_text: Callable[[int], str],
        quarantine: Quarantine,
        topic_ids: TopicIds,
    ) -> None:
        self._settings = settings
        self._contracts = {contract.topic: contract for contract in contracts}
        self._warehouse = warehouse
        self._schema_text = schema_text
        self._quarantine = quarantine
        self._topic_ids = topic_ids
        self._places = Places(BATCHES_AT_ONCE)
        self._schema_wait = SchemaWait(settings.schema_wait)
        self._stores = {topic: EntityStore(warehouse, contract) for topic, contract in self._contracts.items()}
        self._lives = {
            topic: TopicLives(warehouse, contract, self._stores[topic].written, settings.growth_settle)
            for topic, contract in self._contracts.items()
        }
        self._shared: dict[tuple[str, str, int], asyncio.Future[Any]] = {}
        self._logs: dict[TP, ReplayLog] = {}
        self._loading: dict[str, asyncio.Task[None]] = {}
        self._room = 0, StateRoom(settings.cached_states)
        self.partitions = Partitions(self._runner, self._close, self._settings.group)
        self.app = self._faust()

    def _faust(self) -> Any:
        self._settings.data_dir.mkdir(parents=True, exist_ok=True)
        session = self._settings.session_timeout.total_seconds()
        app = faust.App(
            self._settings.group,
            broker=[f"kafka://{address}" for address in self._settings.bootstrap.split(",")],
            store="memory://",
            datadir=str(self._settings.data_dir),
            web_enabled=False,
            topic_disable_leader=True,
            topic_allow_declare=False,
            stream_wait_empty=False,
            stream_buffer_maxsize=4,  # Fetched parts. A topic's own `maxsize` is lost in the agent's clone of it.
            consumer_auto_offset_reset="earliest",
            consumer_max_fetch_size=self._settings.max_fetch_bytes,
            TableManager=NoTables,
            broker_session_timeout=session,
            broker_heartbeat_interval=session / 10,  # By its next one a member hears of a rebalance.
            consumer_metadata_max_age_ms=10_000,  # how soon a topic's new partitions are seen
            broker_request_timeout=max(40.0, session + 5),
            broker_commit_livelock_soft_timeout=3600.0,
            stream_processing_timeout=3600.0,
            # Not used for these topics: the runners commit. Long, so that Faust's idle timer stays out of the way.
            broker_commit_interval=60.0,
        )
        app.transport = Transport([*app.conf.broker], app)
        batches = app.topic(*self._contracts, QUARANTINE_TOPIC, schema=PassThrough(), acks=False)

        async def hand_over(stream: Any) -> None:
            async for event in stream.noack().events():
                await self.partitions.offer(event.message.tp, event.message.value)

        app.agent(batches, concurrency=1, name="batches")(hand_over)
        return app

    def _runner(self, tp: TP, turn: int) -> PartitionRunner:
        consumer: Consumer = self.app.consumer
        owner = PartitionOwner(consumer, tp, turn, lambda: self.partitions.turn)
        self.partitions.membership = owner.membership
        source = self._logs[tp] = ReplayLog(
            self._settings.bootstrap, tp.topic, tp.partition, lambda: self._topic_id(tp.topic, turn), owner.bounds
        )
        return PartitionRunner(
            f"{tp.topic}-{tp.partition}",
            owner,
            source,
            self._sink(tp, turn, owner),
            self._places,
            self.partitions.released,
            self._schema_wait,
        )

    async def _close(self, tp: TP) -> None:
        source = self._logs.pop(tp, None)
        if source is not None:
            await source.close()

    def _sink(self, tp: TP, turn: int, owner: PartitionOwner) -> Sink:
        if tp.topic == QUARANTINE_TOPIC:
            return QuarantineSink(self._warehouse, tp.partition)
        contract = self._contracts[tp.topic]
        if self._room[0] != turn:
            self._room = turn, StateRoom(self._settings.cached_states)
        return EntitySink(
            contract,
            tp.partition,
            self._stores[tp.topic],
            Decoder(contract, self._schema_text),
            self._quarantine,
            lambda: self._taken(tp, turn, owner),
            self._room[1],
            self._places.computing,
        )

    async def _once(self, what: str, topic: str, turn: int, load: Callable[[str, int], Awaitable[T]]) -> T:
        """Load something once per topic and assignment, however many partitions ask; a failure is not kept."""
        if (place := (what, topic, turn)) not in self._shared:
            self._shared = {key: value for key, value in self._shared.items() if key[2] == turn}
            self._shared[place] = asyncio.ensure_future(load(topic, turn))
        try:
            loaded: T = await asyncio.shield(self._shared[place])
        except Exception:
            self._shared.pop(place, None)
            raise
        return loaded

    async def _topic_id(self, topic: str, turn: int) -> str:
        return (await self._once("topic", topic, turn, self._ask_topic)).id

    async def _ask_topic(self, topic: str, _turn: int) -> Topic:
        while True:
            try:
                return await asyncio.to_thread(self._topic_ids, topic)
            except TopicUnknownError as error:
                log.warning("topic_id_unknown", topic=topic, error=str(error))
                await asyncio.sleep(1.0)

    async def _taken(self, tp: TP, turn: int, owner: PartitionOwner) -> TakeOver:
        """The topic's take-over, or that of its new partitions, which wait for the old ones."""
        mine = self.partitions.of_topic(tp.topic)
        lives = self._lives[tp.topic]

        async def ask(again: bool) -> Topic:
            if again:
                self._shared.pop(("topic", tp.topic, turn), None)
            return await self._once("topic", tp.topic, turn, self._ask_topic)

        stands = await self._once("life", tp.topic, turn, lambda topic, turn: lives.standing(ask, mine[-1]))
        life, what = stands.life, "take over"
        if stands.shuffled or tp.partition >= life.partitions:
            life, what = await lives.begin_next(stands, self.app.consumer.end), "take over grown"
        numbers = [n for n in mine if stands.shuffled or (n < stands.life.partitions) == (life == stands.life)]
        return await self._once(
            what, tp.topic, turn, lambda topic, turn: self._take_over(topic, turn, owner, life, numbers)
        )

    def _taken_ids(self) -> dict[str, str]:
        """Ids of the topics as they were taken over in this assignment."""
        return {
            topic: asked.result().id
            for (what, topic, turn), asked in self._shared.items()
            if what == "topic" and turn == self.partitions.turn and asked.done() and not asked.exception()
        }

    async def _take_over(
        self, topic: str, turn: int, owner: PartitionOwner, life: Life, partitions: list[int]
    ) -> TakeOver:
        """Raise the fences of these partitions, then begin to load the keys that have a state."""
        fences = await raise_fences(
            *(self._warehouse, self._contracts[topic], life.topic_id, partitions, owner.membership, owner.confirm),
            *(life.number, self.partitions.left_behind(topic)),
        )
        known = unloaded(self._contracts[topic])
        loading = asyncio.create_task(self._load_known(topic, turn, known), name=f"known keys of {topic}")
        loading.add_done_callback(self.partitions.stop_if_failed)
        self._loading[topic] = loading
        return TakeOver(fences, known)

    async def _load_known(self, topic: str, turn: int, known: Keys) -> None:
        """Load beside the flow: until it is done every key is looked up, which is right and slower."""
        started = time.monotonic()
        while self.partitions.turn == turn:
            try:
                complete = await asyncio.to_thread(load, known, self._warehouse, self._contracts[topic])
            except WarehouseUnavailableError as error:
                log.warning("known_keys_wait", topic=topic, error=str(error)[:300])
                await asyncio.sleep(LOAD_AGAIN_S)
            else:
                complete()
                log.info("known_keys_loaded", topic=topic, keys=len(known), took_s=round(time.monotonic() - started, 3))
                return

    async def _audit(self) -> None:
        """Watch the figures beside the flow: the worker that has partition 0 of a topic audits its entity."""
        if self._settings.audit:
            await IdleAudit(
                self._warehouse,
                self._contracts.values(),
                self._settings.bootstrap,
                self._settings.group,
                lambda topic: 0 in self.partitions.of_topic(topic),
            ).run()

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set; raises what made a partition fail, after stopping."""
        faultpoints.arm()
        collect_seldom()
        self.app.consumer.listener = self.partitions
        self.app.consumer.put_off_s = self._places.turns.put_off_s
        await self.app.start()
        stopping = asyncio.create_task(stop.wait())
        crashed = asyncio.create_task(self.app._crashed.wait())
        audit = asyncio.create_task(self._audit(), name="audit")
        watching = asyncio.create_task(watch(self._taken_ids, self._topic_ids, self._warehouse, self.partitions.doubt))
        try:
            await asyncio.wait(
                {stopping, crashed, watching, self.partitions.failed}, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            recreated = watching.done()
            for task in (stopping, crashed, audit, watching, *self._loading.values()):
                task.cancel()
            if stop.is_set() and not self.partitions.failed.done():
                await self.partitions.finish(FINISH_S)
            self.partitions.revoked(set())
            await asyncio.wait({audit})
            await self.app.stop()
        if self.partitions.failed.done():
            raise self.partitions.failed.result()
        if recreated:
            await watching
        if not stop.is_set():
            raise RuntimeError("the Faust application stopped by itself") from self.app._crash_reason
