"""Source kind `kafka`: mirrors a topic of a department's own cluster; the offsets are the connector's position."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import (
    AuthenticationFailedError,
    KafkaError,
    OffsetOutOfRangeError,
    SaslAuthenticationFailed,
    TopicAuthorizationFailedError,
    UnsupportedSaslMechanismError,
)

from connectors.errors import (
    CredentialsError,
    MappingError,
    SourceError,
    SourceRefusedError,
    SourceUnavailableError,
    Text,
)
from connectors.kafka_config import Config
from connectors.kafka_values import PARTITION, lost_records, value_reader
from connectors.manifest import Manifest
from connectors.patience import patiently
from connectors.source import OP, Check, Cursor, Page, Preview, Refusal, Step, Surroundings, run_checks

__all__ = ["Config", "KafkaSource", "open_source"]

KEY, OFFSET = "_key", "_offset"
"""Keys that a raw record gets beside PARTITION and those of `connectors/source.py`."""
REQUEST_TIMEOUT_MS = 15_000
START_TIMEOUT_S = 20.0
IDLE_S = 1.0
"""A read ends after so long without a message, which shows that the source is well."""
CLOSE_S = 1.0
FETCH_BYTES = 4_194_304
"""Most of one partition fetched ahead: memory a slow reader can cost."""
REFUSED_LOGINS = (
    AuthenticationFailedError,
    SaslAuthenticationFailed,
    TopicAuthorizationFailedError,
    UnsupportedSaslMechanismError,
)


class KafkaSource:
    """See `Source`. One consumer without a group."""

    def __init__(self, config: Config, around: Surroundings) -> None:
        secrets = around.secrets
        self._config = config
        self._around = around
        self._servers = secrets.resolve(config.bootstrap_servers)
        self._values = value_reader(config.values, secrets)
        self._options: dict[str, Any] = {"security_protocol": _protocol(config)}
        if config.sasl is not None:
            self._options["sasl_mechanism"] = config.sasl.mechanism
            self._options["sasl_plain_username"] = secrets.resolve(config.sasl.username)
            self._options["sasl_plain_password"] = secrets.resolve(config.sasl.password)
        if config.tls:
            ca = None if config.ca is None else secrets.resolve(config.ca)
            self._options["ssl_context"] = ssl.create_default_context(cadata=ca)
        self._consumer: AIOKafkaConsumer | None = None
        self._at: dict[TopicPartition, int] = {}

    @property
    def poll_interval_s(self) -> float:
        return self._config.poll_interval_s

    async def close(self) -> None:
        await self._drop()

    def check(self) -> AsyncIterator[Step]:
        """See `Source.check`: addresses, login and topic, how many messages it holds."""

        async def reach() -> Text:
            found = ", ".join([await self._around.hosts.address(*place) for place in self._places()])
            return Text(f"địa chỉ {found}", f"addresses {found}")

        async def count() -> Text:
            consumer, partitions = await self._open()
            try:
                ends, begins = await _bounds(consumer, partitions)
            finally:
                await _stop(consumer)
            held = sum(ends.values()) - sum(begins.values())
            return Text(
                f"{len(partitions)} phân vùng, {held} bản tin", f"{len(partitions)} partitions, {held} messages"
            )

        return run_checks(
            Check("resolve", Text("Tìm máy chủ", "Find the hosts"), reach),
            Check("topic", Text("Đăng nhập, xem chủ đề", "Sign in, look at the topic"), count),
        )

    async def preview(self, count: int) -> Preview:
        """The topic's first messages, by a consumer of its own."""
        consumer, partitions = await self._open()
        preview = Preview([])
        try:
            ends, begins = await _bounds(consumer, partitions)
            consumer.assign(partitions)
            for partition in partitions:
                consumer.seek(partition, begins[partition])
            wanted = min(count, sum(ends.values()) - sum(begins.values()))
            while len(preview.records) + len(preview.refused) < wanted:
                batches = await consumer.getmany(timeout_ms=round(IDLE_S * 1000), max_records=count)
                messages = [each for batch in batches.values() for each in batch]
                await self._values.prepare([each.value for each in messages])
                for message in messages[: wanted - len(preview.records) - len(preview.refused)]:
                    self._take(message, preview.records, preview.refused)
        except (KafkaError, OSError) as error:
            raise fault_of(error) from error
        finally:
            await _stop(consumer)
        return preview

    async def read(self, cursor: Cursor | None) -> AsyncIterator[Page]:
        """Messages as they come, in the order of each partition."""
        lost = await patiently(lambda: self._begin(cursor), self._around.report)
        while True:
            try:
                messages = await self._next()
                await self._values.prepare([each.value for each in messages])
            except (KafkaError, OSError) as error:
                fault = fault_of(error)
                if not isinstance(fault, SourceUnavailableError):
                    raise fault from error
                self._around.report(fault)
                await self._drop()
                return
            if not messages and not lost:
                return
            records: list[Any] = []
            refused, lost = lost, []
            for message in messages:
                self._take(message, records, refused)
            newest = max((each.timestamp for each in messages), default=None)
            at = dict(self._at)
            at |= {TopicPartition(each.topic, each.partition): each.offset + 1 for each in messages}
            yield Page(records, _position(at), newest, refused)
            self._at = at

    async def _next(self) -> list[ConsumerRecord[bytes, bytes]]:
        assert self._consumer is not None
        batches = await self._consumer.getmany(timeout_ms=round(IDLE_S * 1000), max_records=self._config.page_size)
        return [message for batch in batches.values() for message in batch]

    def _take(self, message: ConsumerRecord[bytes, bytes], records: list[Any], refused: list[Refusal]) -> None:
        key = message.key.decode("utf-8", "replace") if message.key is not None else None
        extra: dict[str, Any] = {KEY: key, PARTITION: message.partition, OFFSET: message.offset}
        if message.value is None:
            records.append({**extra, OP: "DELETE"})
            return
        try:
            records.append({**self._values(message.value), **extra, OP: "UPSERT"})
        except MappingError as error:
            refused.append(Refusal({PARTITION: message.partition, OFFSET: message.offset}, error))

    async def _begin(self, cursor: Cursor | None) -> list[Refusal]:
        """Connect if need be and go to the position; what was lost before it could be read."""
        try:
            partitions: list[TopicPartition]
            if self._consumer is None:
                self._consumer, partitions = await self._open()
                self._consumer.assign(partitions)
                self._at = {}
            consumer = self._consumer
            partitions = sorted(consumer.assignment(), key=lambda each: each.partition)
            stored = {TopicPartition(self._config.topic, int(number)): at for number, at in _offsets(cursor).items()}
            if self._at and all(self._at.get(each) == stored.get(each) for each in partitions):
                for partition in partitions:  # a page that nobody asked beyond is fetched again
                    if await consumer.position(partition) != self._at[partition]:
                        consumer.seek(partition, self._at[partition])
                return []
            ends, begins = await _bounds(consumer, partitions)
            lost: list[Refusal] = []
            for partition in partitions:
                first = ends[partition] if self._config.start == "latest" and not stored else begins[partition]
                at = stored.get(partition, first)
                if not begins[partition] <= at <= ends[partition]:
                    lost.append(lost_records(partition.partition, at, begins[partition], ends[partition]))
                    at = begins[partition]
                consumer.seek(partition, at)
                self._at[partition] = at
            return lost
        except (KafkaError, OSError, TimeoutError) as error:
            await self._drop()
            raise fault_of(error) from error

    async def _open(self) -> tuple[AIOKafkaConsumer, list[TopicPartition]]:
        """A connected consumer and the topic's partitions. Raises a SourceError."""
        for place in self._places():
            await self._around.hosts.address(*place)
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._servers,
            client_id="ioc-mirror",
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="none",
            request_timeout_ms=REQUEST_TIMEOUT_MS,
            max_partition_fetch_bytes=FETCH_BYTES,
            **self._options,
        )
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                await consumer.start()
                # `partitions_for_topic` knows only topics that are read already.
                numbers = (await consumer._client.fetch_all_metadata()).partitions_for_topic(self._config.topic)
        except (KafkaError, OSError, TimeoutError) as error:
            await _stop(consumer)
            raise fault_of(error) from error
        except BaseException:
            await _stop(consumer)
            raise
        if not numbers:
            await _stop(consumer)
            raise SourceRefusedError(
                Text(
                    f"Cụm Kafka của nguồn không có chủ đề {self._config.topic} (hoặc không cho xem)",
                    f"The source's cluster has no topic {self._config.topic} (or does not let us see it)",
                )
            )
        return consumer, [TopicPartition(self._config.topic, number) for number in sorted(numbers)]

    def _places(self) -> list[tuple[str, int]]:
        places = []
        for server in self._servers.split(","):
            host, _, port = server.strip().rpartition(":")
            places.append((host or server.strip(), int(port) if port.isdigit() else 9092))
        return places

    async def _drop(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await _stop(consumer)


async def _bounds(
    consumer: AIOKafkaConsumer, partitions: list[TopicPartition]
) -> tuple[dict[TopicPartition, int], dict[TopicPartition, int]]:
    return dict(await consumer.end_offsets(partitions)), dict(await consumer.beginning_offsets(partitions))


async def _stop(consumer: AIOKafkaConsumer) -> None:
    with contextlib.suppress(KafkaError, OSError, TimeoutError):
        async with asyncio.timeout(CLOSE_S):
            await consumer.stop()


def _protocol(config: Config) -> str:
    if config.sasl is not None:
        return "SASL_SSL" if config.tls else "SASL_PLAINTEXT"
    return "SSL" if config.tls else "PLAINTEXT"


def _offsets(cursor: Cursor | None) -> dict[str, int]:
    return dict(cursor["offsets"]) if cursor else {}


def _position(at: dict[TopicPartition, int]) -> Cursor:
    return {"offsets": {str(partition.partition): offset for partition, offset in at.items()}}


def fault_of(error: BaseException) -> SourceError:
    """What the caller must do about it."""
    name = type(error).__name__
    if isinstance(error, REFUSED_LOGINS):
        return CredentialsError(
            Text(
                f"Cụm Kafka của nguồn từ chối đăng nhập ({name}); kiểm tra source.sasl và quyền đọc chủ đề",
                f"The source's Kafka refuses the login ({name}); check source.sasl and the right to read the topic",
            )
        )
    if isinstance(error, OffsetOutOfRangeError):
        return SourceUnavailableError(
            Text(
                "Vị trí đọc không còn ở nguồn; sẽ định vị lại",
                "The position is gone at the source; it will be found anew",
            )
        )
    return SourceUnavailableError(
        Text(f"Không kết nối được tới Kafka của nguồn ({name})", f"The source's Kafka cannot be reached ({name})")
    )


def open_source(manifest: Manifest, around: Surroundings) -> KafkaSource:
    """The source of a manifest of this kind; NotConfiguredError if a reference has no value."""
    return KafkaSource(manifest.source, around)
