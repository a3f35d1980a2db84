"""The notifier: makes the deliveries that are due, and keeps a mark of each."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from hub.alerts.book import AlertBook
from hub.alerts.channels import NotDeliveredError, Way
from hub.alerts.rule import Channel
from hub.alerts.sending import FIRST_WAIT, GATHER, Delivery, Known, Mark, Outcome, due

log = structlog.get_logger("ioc.alerts")


@dataclass(slots=True)
class Notifier:
    """For one event loop. `counts`: deliveries since the start by channel and outcome."""

    book: AlertBook
    channels: Mapping[str, Channel]
    ways: Mapping[str, Way]
    clock: Callable[[], datetime]
    gather: timedelta = GATHER
    first_wait: timedelta = FIRST_WAIT
    run: str = field(default_factory=lambda: uuid.uuid4().hex)
    counts: dict[tuple[str, str], int] = field(default_factory=dict)

    async def tell(self, may: Callable[[], bool] = lambda: True) -> None:
        """One round: each delivery that is due is tried once, as long as `may` says so. Raises CompactedTopicError if
        a mark cannot be kept: nothing is sent without one."""
        silences = self.book.silences()
        known = Known(self.book.marks(), silences, self.channels, self.run, self.gather, self.first_wait)
        for delivery in due(self.book.live(), known, self.clock()):
            if not may():
                return
            if delivery.uncertain:
                log.warning("alert_delivery_uncertain", delivery=delivery.id, channel=delivery.channel)
                await self._mark(delivery, "uncertain", "killed_while_sending")
            else:
                await self._deliver(delivery)

    async def _deliver(self, delivery: Delivery) -> None:
        await self._mark(delivery, "sending")
        try:
            await self.ways[delivery.channel].send(delivery)
        except NotDeliveredError as error:
            log.warning(
                "alert_not_delivered",
                delivery=delivery.id,
                channel=delivery.channel,
                kind=delivery.kind,
                attempt=delivery.attempt,
                reason=error.reason,
            )
            await self._mark(delivery, "failed", error.reason)
            return
        log.info(
            "alert_delivered",
            delivery=delivery.id,
            channel=delivery.channel,
            kind=delivery.kind,
            alerts=len(delivery.alerts),
        )
        await self._mark(delivery, "sent")

    async def _mark(self, delivery: Delivery, outcome: Outcome, reason: str = "") -> None:
        if outcome != "sending":
            at = delivery.channel, outcome
            self.counts[at] = self.counts.get(at, 0) + 1
        mark = Mark(outcome, delivery.id, delivery.attempt, self.clock(), self.run, reason)
        await self.book.mark(delivery.keys, mark)
