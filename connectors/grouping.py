"""Many small publications at once: what waits is mapped and sent together, then each sender hears that it is safe.

While one group is on its way the next one gathers, so groups grow with the load and a lone message waits for nobody.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import structlog

from connectors.clock import now_ms
from connectors.delivery import FEW, Delivery, mapped, mapped_together
from connectors.errors import PublishError, Text, internal_error, place_of
from connectors.intake import Prepared
from connectors.publish import Message, Publisher
from schemas import tracing
from schemas.quarantine import TOPIC as QUARANTINE_TOPIC

WAITING_RECORDS = 100_000
"""Records that may wait; beyond, senders are asked for patience. About 50 MB."""
ACKNOWLEDGE_S = 15.0
"""A sender hears within this time whether Kafka has its records; many give up after half a minute, and the groups
ahead may each take the producer's whole patience."""
GROUP_RECORDS = 20_000
"""Records of one group: a few requests' worth to the broker."""

log = structlog.get_logger("ioc.connectors")


class TooManyWaitingError(PublishError):
    """The queue is full: nothing was taken."""

    code = "overloaded"


@dataclass(slots=True, eq=False)
class _Waiting:
    """`prepared` is None as long as its delivery is not mapped, and where it is published with another one's."""

    prepared: Prepared | None
    delivery: Delivery | None
    records: int
    done: asyncio.Future[None]
    trace: str | None


class GroupedPublisher:
    """Groups concurrent publications over one Publisher. Runs between `start` and `stop`."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._queue: list[_Waiting] = []
        self._records = 0
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="grouped publisher")

    async def stop(self) -> None:
        """Stop; publications still waiting fail with PublishError."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        self._fail(self._queue, PublishError(Text("Dịch vụ đang dừng", "The service is stopping")))
        self._queue = []

    async def publish(self, prepared: Prepared, within_s: float = ACKNOWLEDGE_S) -> None:
        """Returns when all replicas have all of it; PublishError otherwise, also if they have not within the time: then
        some of it may have arrived, or may still arrive."""
        await self._wait(prepared, None, len(prepared.messages) + len(prepared.quarantined), within_s)

    async def take(self, delivery: Delivery, within_s: float = ACKNOWLEDGE_S) -> None:
        """As `publish`, of records that are not mapped yet; also the errors of the delivery's intake."""
        # What waits behind a whole group is mapped at once: a record as it came takes 1.8 kB.
        later = len(delivery.records) < FEW and self._records < GROUP_RECORDS
        prepared = None if later else mapped(delivery, now_ms())
        await self._wait(prepared, delivery, len(delivery.records), within_s)

    async def _wait(self, prepared: Prepared | None, delivery: Delivery | None, records: int, within_s: float) -> None:
        if records == 0:
            return
        if self._records + records > WAITING_RECORDS and self._queue:
            raise TooManyWaitingError(
                Text("Quá nhiều bản ghi đang chờ ghi vào Kafka", "Too many records are waiting for Kafka")
            )
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        self._queue.append(_Waiting(prepared, delivery, records, done, tracing.context()))
        self._records += records
        self._wake.set()
        # There is one for every record pushed alone: a timer costs 0.6 µs, a time limit around the wait 8.
        timer = loop.call_later(within_s, _late, done, within_s)
        try:
            await done
        finally:
            timer.cancel()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            group = self._next_group()
            try:
                _prepare(group, now_ms())
                await self._send(group)
            except PublishError as error:
                self._fail(group, error)
            except asyncio.CancelledError:
                self._fail(group, PublishError(Text("Dịch vụ đang dừng", "The service is stopping")))
                raise
            except Exception as error:  # noqa: BLE001 - those who wait must hear, and the next group must go on
                log.error("group_not_published", fault=type(error).__name__, where=place_of(error))
                self._fail(group, PublishError(internal_error(error).text))
            else:
                for waiting in group:
                    if not waiting.done.done():
                        waiting.done.set_result(None)

    def _next_group(self) -> list[_Waiting]:
        """The waiting publications in order, up to GROUP_RECORDS (at least one), without those nobody waits for."""
        self._records -= sum(waiting.records for waiting in self._queue if waiting.done.done())
        self._queue = [waiting for waiting in self._queue if not waiting.done.done()]
        size = taken = 0
        for waiting in self._queue:
            if taken and size + waiting.records > GROUP_RECORDS:
                break
            size += waiting.records
            taken += 1
        group, self._queue = self._queue[:taken], self._queue[taken:]
        self._records -= size
        if not self._queue:
            self._wake.clear()
        return group

    async def _send(self, group: list[_Waiting]) -> None:
        """Refused records first: a record must never count as delivered while its refusal is nowhere."""
        messages: defaultdict[str, list[tuple[bytes, bytes]]] = defaultdict(list)
        quarantined: list[Message] = []
        for prepared in [waiting.prepared for waiting in group if waiting.prepared is not None]:
            messages[prepared.topic] += prepared.messages
            quarantined += prepared.quarantined
        if quarantined:
            await self._publisher.publish_messages(QUARANTINE_TOPIC, quarantined)
        traces = [waiting.trace for waiting in group if waiting.trace is not None]
        with tracing.span("connector.publish", next(iter(traces), None), traces[1:], requests=len(group)):
            await asyncio.gather(*(self._publisher.publish(topic, pairs) for topic, pairs in messages.items() if pairs))

    @staticmethod
    def _fail(group: list[_Waiting], error: PublishError) -> None:
        for waiting in group:
            if not waiting.done.done():
                waiting.done.set_exception(error)


def _prepare(group: Iterable[_Waiting], ingest_ms: int) -> None:
    """Map what is not mapped yet: what one intake takes at once, where all of it fits."""
    by_intake: defaultdict[int, list[tuple[_Waiting, Delivery]]] = defaultdict(list)
    for waiting in group:
        if waiting.prepared is None and waiting.delivery is not None:
            by_intake[id(waiting.delivery.intake)].append((waiting, waiting.delivery))
    for some in by_intake.values():
        together = mapped_together([delivery for _, delivery in some], ingest_ms) if len(some) > 1 else None
        if together is not None:
            some[0][0].prepared = together
            continue
        for waiting, delivery in some:
            try:
                waiting.prepared = mapped(delivery, ingest_ms)
            except Exception as error:  # noqa: BLE001 - its sender hears it; the others go on
                waiting.done.set_exception(error)


def _late(done: asyncio.Future[None], within_s: float) -> None:
    if not done.done():
        text = Text(
            f"Kafka chưa xác nhận trong {within_s:g} giây; hãy gửi lại",
            f"Kafka has not acknowledged within {within_s:g} s; send it again",
        )
        done.set_exception(PublishError(text))
