"""What the warehouse has accounted for: the ledger and the quarantine, as statements and their answers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from hub.kpi.feed import Written
from hub.kpi.query import Statement

_COUNTS = ("applied", "superseded", "repeats", "deleted", "quarantined")
_TIMES = ("max_event_time", "max_ingest_time", "written_at")

LEDGER = Statement(
    "SELECT entity, source_system, "
    + ", ".join(f"sum({name})" for name in _COUNTS)
    + ", "
    + ", ".join(f"toUnixTimestamp64Milli(max({name}))" for name in _TIMES)
    + " FROM ledger GROUP BY entity, source_system",
    {},
)

QUARANTINED = Statement("SELECT connector, count() FROM quarantine FINAL GROUP BY connector", {})


def written(rows: Iterable[Sequence[Any]]) -> tuple[Written, ...]:
    """The answer to `LEDGER`."""
    return tuple(_written(*row) for row in rows)


def quarantined(rows: Iterable[Sequence[Any]]) -> dict[str, int]:
    """The answer to `QUARANTINED`: entries by connector."""
    return {str(connector): int(count) for connector, count in rows}


def _written(entity: str, source_system: str, *figures: int) -> Written:
    applied, superseded, repeats, deleted, refused, event, ingest, written_at = figures
    return Written(
        entity=entity,
        source_system=source_system,
        applied=applied,
        superseded=superseded,
        repeats=repeats,
        deleted=deleted,
        quarantined=refused,
        max_event_time=_time(event),
        max_ingest_time=_time(ingest),
        written_at=_time(written_at),
    )


def _time(millis: int | None) -> datetime | None:
    """Epoch milliseconds; 0 is the warehouse's way to say that there was nothing."""
    return datetime.fromtimestamp(millis / 1000, UTC) if millis else None
