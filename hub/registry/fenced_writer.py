"""A writer with an epoch: as soon as another one takes the turn, Kafka itself refuses what this one sends.

Why the fence is in the broker and not in the log. Had every record its writer's epoch, with readers passing over what
an older epoch wrote after a newer one, then compaction would undo it: of two records of one key it keeps the later
one, which may be the one to be passed over, and the valid one is gone. Transactions fence too, but a writer killed
within one leaves records behind that read-uncommitted readers take for valid; Confluent's registry is such a reader,
and it is to be able to take the topic over. So: `InitProducerId` for one transactional id raises that id's epoch, and
plain idempotent batches with it follow. After the first batch of the new epoch (a NOOP record, which every registry
passes over) the partition refuses the older ones: nothing of an older writer can come after it.

Kafka forgets a producer's epoch after a day without a batch (`producer.id.expiration.ms`) and a transactional id after
a week: `Leadership` takes the turn anew long before, and uses none that is old.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, ProducerFenced

from connectors.topic_clients import MAX_RECORD_BYTES

TAKE_TIMEOUT_S = 10.0
"""Longest wait for an epoch: a broker that is away is tried again by the caller."""
APPEND_TIMEOUT_S = 10.0
"""Longest wait for an acknowledgement; then it is not known whether the records were written."""
CLOSE_TIMEOUT_S = 1.0
REQUEST_TIMEOUT_MS = 5_000
LINGER_MS = 10
"""What is decided within this time goes out, and comes back, as one batch; a write waits longer for the broker."""

_closing: set[asyncio.Task[None]] = set()
"""Writers that still try to send what was given up: they end when the broker answers, which refuses it."""


class WriterAwayError(Exception):
    """Kafka does not answer, or not as it should. What was sent may have been written."""


class FencedError(WriterAwayError):
    """Another writer has taken the turn. What was sent was not written."""


class FencedWriter:
    """Appends to partition 0 of a topic, in the order of the calls. Of no use any more after its first error."""

    def __init__(self, producer: AIOKafkaProducer, topic: str, epoch: int) -> None:
        self._producer = producer
        self._topic = topic
        self.epoch = epoch

    @classmethod
    async def take(cls, bootstrap: str, topic: str, name: str) -> FencedWriter:
        """Take the turn that is called `name`: who had it is refused after our first append. Raises WriterAwayError."""
        producer = AIOKafkaProducer(
            bootstrap_servers=bootstrap,
            client_id="ioc-registry-writer",
            acks="all",
            transactional_id=name,
            linger_ms=LINGER_MS,
            max_request_size=MAX_RECORD_BYTES,
            request_timeout_ms=REQUEST_TIMEOUT_MS,
        )
        try:
            async with asyncio.timeout(TAKE_TIMEOUT_S):
                await producer.start()
                await producer.partitions_for(topic)
        except (KafkaError, OSError, TimeoutError) as error:
            await _close(producer)
            raise WriterAwayError(f"no epoch to write to {topic} ({type(error).__name__})") from error
        except BaseException:
            await _close(producer)
            raise
        turn = producer._txn_manager
        turn.transactional_id = None  # only the epoch was wanted: from here on plain idempotent batches
        return cls(producer, topic, turn.producer_epoch)

    async def append(self, records: Sequence[tuple[str, bytes | None]]) -> int:
        """Write in order; the offset after the last record, which all in-sync replicas have. Raises WriterAwayError."""
        try:
            async with asyncio.timeout(APPEND_TIMEOUT_S):
                sent = [
                    await self._producer.send(self._topic, value, key.encode(), partition=0) for key, value in records
                ]
                acknowledged = await asyncio.gather(*sent)
        except ProducerFenced as error:
            raise FencedError("another registry writes now") from error
        except (KafkaError, OSError, TimeoutError) as error:
            raise WriterAwayError(f"a write to {self._topic} was not confirmed ({type(error).__name__})") from error
        return max(int(record.offset) for record in acknowledged) + 1

    async def close(self) -> None:
        """Let go. Blocks a second at most. Idempotent."""
        await _close(self._producer)


async def _close(producer: AIOKafkaProducer) -> None:
    closing = asyncio.create_task(producer.stop(), name="registry writer closing")
    _closing.add(closing)
    closing.add_done_callback(_closed)
    await asyncio.wait({closing}, timeout=CLOSE_TIMEOUT_S)


def _closed(closing: asyncio.Task[None]) -> None:
    _closing.discard(closing)
    if not closing.cancelled():
        closing.exception()
