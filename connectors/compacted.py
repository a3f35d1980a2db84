"""A compacted topic as a dictionary: positions, statuses, declarations, the registry's log.

CompactedTopicError            (a ConnectorError)
├── TopicMissingError          the topic does not exist: make the topics, then start again
├── TopicAwayError             Kafka does not answer: try again
└── WriteUncertainError        a write was not confirmed in time; it may have happened: read, or write again
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from connectors.errors import ConnectorError, Text
from connectors.topic_clients import PartitionKey, new_consumer, new_producer, news_of
from schemas.idle_fetch import wait_longer_while_idle

log = structlog.get_logger("ioc.connectors")

LOOK_S = 5.0
"""Longest wait for something to be fetched; a record or a transaction's mark ends it at once."""
SHORT_FETCH_MS, LONG_FETCH_MS = 500, 5_000
"""How long the broker may hold a fetch that finds nothing, after records and after a while without. A process follows
up to ten such topics, which hardly ever change: two answers a second to each were most of what it cost at rest."""
GATHER_MS = 2_000
"""As long a fetch is held for a reader that only looks now and then."""
RETRY_S = 0.5
START_TIMEOUT_S = 60.0
"""Longest wait for the end of the topic at the start."""
WRITE_TIMEOUT_S = 30.0

OnChange = Callable[[str, bytes | None], None]


class CompactedTopicError(ConnectorError):
    """Root of this module's errors."""

    code = "compacted_topic"


class TopicMissingError(CompactedTopicError):
    """The topic does not exist."""

    code = "topic_missing"


class TopicAwayError(CompactedTopicError):
    """Kafka does not answer."""

    code = "kafka_unavailable"


class WriteUncertainError(CompactedTopicError):
    """A write was not confirmed; whether it happened is not known."""

    code = "write_uncertain"


class CompactedTopic:
    """The latest value of every key of a compacted topic, followed in the background without a consumer group.

    What `get` and `items` show is applied in the order of the log. All partitions are read. A broker's restart is
    waited out. For one event loop; not thread-safe. Keys are UTF-8; records without a key are passed over.
    """

    def __init__(
        self,
        bootstrap: str,
        topic: str,
        partition_key: PartitionKey | None = None,
        *,
        keep_values: bool = True,
        at_leisure: bool = False,
    ) -> None:
        """`keep_values` False: callbacks alone see the values, `get` and `items` are empty. `at_leisure`: what others
        write may be seen up to `GATHER_MS` later, and costs a fetch in that time instead of one for each record."""
        self._bootstrap = bootstrap
        self.topic = topic
        self._partition_key = partition_key
        self._keep_values = keep_values
        self._at_leisure = at_leisure
        self._values: dict[str, bytes] = {}
        self._positions: dict[int, int] = {}
        self._callbacks: list[OnChange] = []
        self._advanced = asyncio.Condition()
        self._failure: BaseException | None = None
        self._consumer: AIOKafkaConsumer | None = None
        self._asker: AIOKafkaConsumer | None = None
        self._producer: AIOKafkaProducer | None = None
        self._follower: asyncio.Task[None] | None = None

    @property
    def failure(self) -> BaseException | None:
        """Why the topic is no longer followed (a callback raised); None while it is."""
        return self._failure

    def on_change(self, callback: OnChange) -> None:
        """Call `callback(key, value)` after each record, in the order of the log; None is a removal.

        Added before `start`, it sees the whole topic. It must be quick and must not raise: a raise ends the
        following, since going on with half a state would be silent.
        """
        self._callbacks.append(callback)

    def get(self, key: str) -> bytes | None:
        """The latest value, None if there is none. Never blocks."""
        return self._values.get(key)

    def items(self) -> dict[str, bytes]:
        """A copy of all latest values by key."""
        return dict(self._values)

    async def start(self) -> None:
        """Read the topic to its present end and follow it from there. Makes no topic.

        Raises TopicMissingError, or TopicAwayError if Kafka does not answer; it may then be called again.
        """
        self._values.clear()
        self._positions = {}
        self._failure = None
        consumer, asker = new_consumer(self._bootstrap, gathers=self._at_leisure), new_consumer(self._bootstrap)
        producer = new_producer(self._bootstrap, self._partition_key)
        self._consumer, self._asker, self._producer = consumer, asker, producer
        try:
            await consumer.start()
            shortest_ms = GATHER_MS if self._at_leisure else SHORT_FETCH_MS
            wait_longer_while_idle(consumer._fetcher, shortest_ms, LONG_FETCH_MS)
            await producer.start()
            await asker.start()
            partitions = await self._partitions(consumer, producer)
            await asker._client._wait_on_metadata(self.topic)
            consumer.assign([TopicPartition(self.topic, partition) for partition in partitions])
            self._follower = asyncio.create_task(self._follow(consumer), name=f"follow {self.topic}")
            await self.catch_up(START_TIMEOUT_S)
        except (KafkaError, OSError) as error:
            await self.stop()
            raise self._away(error) from error
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop following; what was read stays readable. Idempotent."""
        follower, self._follower = self._follower, None
        if follower is not None:
            follower.cancel()
            with suppress(asyncio.CancelledError):
                await follower
        consumer, self._consumer = self._consumer, None
        asker, self._asker = self._asker, None
        producer, self._producer = self._producer, None
        for client in (producer, asker, consumer):
            if client is not None:
                await client.stop()

    async def put(self, key: str, value: bytes | None) -> None:
        """Write one value (None removes the key); on return all replicas have it and `get` here shows it.

        Writes begun one after the other keep their order. Raises WriteUncertainError: the write may or may not
        have happened; writing the same again is harmless.
        """
        await self.put_all([(key, value)])

    async def put_all(self, records: Iterable[tuple[str, bytes | None]]) -> None:
        """As `put`, for several records in order; they go out together, and a failure may leave a first part."""
        producer = self._producer
        if producer is None:
            raise self._uncertain(None)
        try:
            async with asyncio.timeout(WRITE_TIMEOUT_S):
                sent = [await producer.send(self.topic, value, key.encode()) for key, value in records]
                acknowledged = await asyncio.gather(*sent)
                await self._reach({record.partition: record.offset + 1 for record in acknowledged})
        except (KafkaError, OSError, TimeoutError) as error:
            raise self._uncertain(error) from error

    async def catch_up(self, timeout_s: float = WRITE_TIMEOUT_S) -> None:
        """Wait until everything written by anyone before this call is readable here. Raises TopicAwayError."""
        consumer, asker = self._consumer, self._asker
        if consumer is None or asker is None:
            raise self._away(None)
        try:
            async with asyncio.timeout(timeout_s):
                ends = await asker.end_offsets(consumer.assignment())
                await self._reach({partition.partition: end for partition, end in ends.items()})
        except (KafkaError, OSError, TimeoutError) as error:
            raise self._away(error) from error

    def position(self, partition: int = 0) -> int:
        """The offset up to which the partition's records were applied here (exclusive)."""
        return self._positions.get(partition, 0)

    async def reach(self, offset: int, timeout_s: float = WRITE_TIMEOUT_S, partition: int = 0) -> None:
        """Wait until the partition's records before `offset` are applied here. Raises TopicAwayError."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._reach({partition: offset})
        except TimeoutError as error:
            raise self._away(error) from error

    async def _partitions(self, consumer: AIOKafkaConsumer, producer: AIOKafkaProducer) -> list[int]:
        if self.topic not in await consumer.topics():
            raise TopicMissingError(
                Text(
                    f"Chủ đề {self.topic} chưa có trên Kafka {self._bootstrap}. "
                    "Cách xử lý: tạo các chủ đề (lệnh `ioc up` tự tạo) rồi khởi động lại",
                    f"Topic {self.topic} does not exist at Kafka {self._bootstrap}. "
                    "Cure: create the topics (`ioc up` does), then start again",
                )
            )
        return sorted(await producer.partitions_for(self.topic))

    async def _follow(self, consumer: AIOKafkaConsumer) -> None:
        try:
            while True:
                try:
                    await self._poll(consumer)
                except KafkaError as error:
                    log.warning("topic_waits", topic=self.topic, reason=type(error).__name__)
                    await asyncio.sleep(RETRY_S)
        except Exception as error:
            log.exception("topic_not_followed", topic=self.topic, reason=type(error).__name__, exc_info=False)
            async with self._advanced:
                self._failure = error
                self._advanced.notify_all()

    async def _poll(self, consumer: AIOKafkaConsumer) -> None:
        news = news_of(consumer)
        try:
            if not await self._take(consumer):
                await asyncio.wait([news], timeout=LOOK_S)
            if news.done():
                news.result()
        finally:
            news.cancel()

    async def _take(self, consumer: AIOKafkaConsumer) -> bool:
        """Apply what was fetched; whether there were records. Does not wait."""
        batches = await consumer.getmany()
        for records in batches.values():
            for record in records:
                self._apply(record)
        # The position, not the last record: compaction and transaction markers leave holes at the end of a log.
        positions = {part.partition: await consumer.position(part) for part in consumer.assignment()}
        if positions != self._positions:
            async with self._advanced:
                self._positions = positions
                self._advanced.notify_all()
        return bool(batches)

    def _apply(self, record: ConsumerRecord[bytes, bytes]) -> None:
        if record.key is None:
            return
        key = record.key.decode("utf-8", "backslashreplace")
        if record.value is None:
            self._values.pop(key, None)
        elif self._keep_values:
            self._values[key] = record.value
        for callback in self._callbacks:
            callback(key, record.value)

    async def _reach(self, targets: dict[int, int]) -> None:
        def reached() -> bool:
            return all(self._positions.get(partition, -1) >= offset for partition, offset in targets.items())

        async with self._advanced:
            await self._advanced.wait_for(lambda: self._failure is not None or reached())
        if self._failure is not None:
            raise self._away(self._failure) from self._failure

    def _away(self, cause: BaseException | None) -> TopicAwayError:
        name = type(cause).__name__ if cause is not None else "NotStarted"
        return TopicAwayError(
            Text(
                f"Chưa đọc được chủ đề {self.topic} từ Kafka {self._bootstrap} ({name})",
                f"Topic {self.topic} cannot be read from Kafka {self._bootstrap} ({name})",
            )
        )

    def _uncertain(self, cause: BaseException | None) -> WriteUncertainError:
        name = type(cause).__name__ if cause is not None else "NotStarted"
        return WriteUncertainError(
            Text(
                f"Chưa được xác nhận đã ghi vào chủ đề {self.topic} ({name})",
                f"A write to topic {self.topic} was not confirmed ({name})",
            )
        )
