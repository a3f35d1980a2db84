"""The stream's way to the quarantine topic: nothing of a batch is written before its refusals are acknowledged."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import timedelta

import structlog

from connectors.errors import PublishError, PublishRefusedError
from connectors.publish import Message, Publisher
from schemas.quarantine import TOPIC
from streams.errors import QuarantineUnwritableError
from streams.quarantine import Refusal

RETRY_S = 0.5

PATIENCE = timedelta(seconds=5)
"""How long a refusal by the broker that time does not cure is borne: longer than a topic's or a right's change needs
to reach all brokers. Then the worker stops, so that it is seen; going on would lose the record, and waiting would hide
it."""

log = structlog.get_logger("ioc.stream")


class KafkaQuarantine:
    """Publishes refusals. Waits while Kafka is away; stops if Kafka refuses them."""

    def __init__(
        self,
        publisher: Publisher,
        topic: str = TOPIC,
        patience: timedelta = PATIENCE,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._publisher = publisher
        self._topic = topic
        self._patience_s = patience.total_seconds()
        self._monotonic = monotonic
        self._started = False
        self._lock = asyncio.Lock()

    async def publish(self, refusals: Sequence[Refusal]) -> None:
        """Returns when all replicas have them; QuarantineUnwritableError if the broker goes on refusing them."""
        messages = [Message(refusal.id.encode(), refusal.body, refusal.headers) for refusal in refusals]
        refused_since: float | None = None
        while True:
            try:
                await self._start()
                await self._publisher.publish_messages(self._topic, messages)
                return
            except PublishRefusedError as error:
                now = self._monotonic()
                refused_since = now if refused_since is None else refused_since
                if now - refused_since >= self._patience_s:
                    log.error("quarantine_unwritable", topic=self._topic, records=len(messages), reason=str(error))
                    raise QuarantineUnwritableError(
                        f"{len(messages)} refused records cannot be written to {self._topic}: {error}; "
                        "the worker stops rather than skip them"
                    ) from error
                log.warning("quarantine_refuses", topic=self._topic, reason=str(error))
            except PublishError as error:
                refused_since = None
                log.warning("quarantine_waits", topic=self._topic, reason=str(error))
            await asyncio.sleep(RETRY_S)

    async def _start(self) -> None:
        async with self._lock:
            if not self._started:
                await self._publisher.start()
                self._started = True

    async def stop(self) -> None:
        """Close the producer. Idempotent."""
        await self._publisher.stop()
