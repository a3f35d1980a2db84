"""What pushed requests bring, mapped together where each alone brings little. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from connectors.intake import Intake, Prepared

FEW = 32
"""A request of fewer records is mapped with others: a call of its own costs a record alone three times its mapping."""


@dataclass(slots=True, eq=False)
class Delivery:
    """One request's records; what became of them is known once they are mapped (`ingest_ms`: when, epoch ms)."""

    intake: Intake
    records: Sequence[Any]
    accepted: int = 0
    quarantined: int = 0
    newest_ms: int | None = None
    ingest_ms: int = 0

    def became(self, accepted: int, quarantined: int, newest_ms: int | None, ingest_ms: int) -> None:
        self.accepted, self.quarantined = accepted, quarantined
        self.newest_ms, self.ingest_ms = newest_ms, ingest_ms


def mapped(delivery: Delivery, ingest_ms: int) -> Prepared:
    """Of one request; the errors of its intake."""
    prepared = delivery.intake(delivery.records, ingest_ms)
    delivery.became(len(prepared.messages), len(prepared.quarantined), prepared.newest_ms, ingest_ms)
    return prepared


def mapped_together(deliveries: Sequence[Delivery], ingest_ms: int) -> Prepared | None:
    """Of several requests of one intake, in order; each is told the newest time of all. None if any record is refused:
    then nothing was done, and each is to be mapped by itself."""
    intake = deliveries[0].intake
    try:
        prepared = intake([record for delivery in deliveries for record in delivery.records], ingest_ms)
    except Exception:  # noqa: BLE001 – whose fault it is comes out when each is mapped by itself
        return None
    if prepared.quarantined:
        return None
    for delivery in deliveries:
        delivery.became(len(delivery.records), 0, prepared.newest_ms, ingest_ms)
    return prepared
