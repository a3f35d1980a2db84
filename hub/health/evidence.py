"""What a dataset's state rests on: times, codes and counts for people who look for the cause. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from hub.health.flow import Flow
from hub.health.group import PartitionHealth
from hub.health.states import CHAIN, STAGE_OF
from hub.kpi.feed import Feed, Freshness, Status, Written

FACTS = (
    *(
        "last_poll_ok",
        "last_event",
        "error",
        "error_text",
        "error_at",
        "kind",
        "state",
        "reported_at",
        "workers_gone_since",
        "received",
        "published",
    ),
    *("quarantined", "last_refused", "answers", "partitions", "lag", "lag_seconds", "status", "trouble", "written_at"),
    *("applied", "outdated", "outdated_to"),
)
"""What stages may tell; a fact that has words in two languages has them under its name and `_vi`, `_en`."""


TIMES = frozenset(
    {
        *("last_poll_ok", "last_event", "error_at", "reported_at", "workers_gone_since", "last_refused"),
        *("written_at", "outdated_to"),
    }
)
"""Facts that are times, in ISO 8601."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of the chain: `ok` None: nothing is known of it. `facts`: what it rests on, by key."""

    stage: str
    ok: bool | None
    facts: Mapping[str, Any]


def evidence(status: Status | None, written: Written | None, flow: Flow) -> dict[str, Any]:
    """What an incident keeps of its beginning."""
    told: dict[str, Any] = {
        "stream": flow.stream.value if flow.stream else None,
        "warehouse": flow.warehouse,
        "workers_gone_since": _text(flow.connect_gone_since),
    }
    if status is not None:
        told |= {
            "last_poll_ok": _iso(status.last_poll_ok),
            "last_event": _iso(status.last_event_time),
            **_error(status),
            **_outdated(status),
            **_counts(status),
            "quarantined": status.quarantined,
        }
    if written is not None:
        told["written_at"] = _text(written.written_at)
    return {key: value for key, value in told.items() if value is not None}


def chain(
    feed: Feed,
    fresh: Freshness,
    status: Status | None,
    written: Written | None,
    flow: Flow,
    partitions: Mapping[int, PartitionHealth],
) -> tuple[Stage, ...]:
    """Every stage from the source to the API, the failing one marked; those behind it are told by their own facts."""
    broken = STAGE_OF.get(fresh.state)
    facts = {
        "source": _source(status, fresh),
        "connector": _connector(feed, status, flow),
        "contract": _contract(status),
        "kafka": {"answers": flow.kafka, "partitions": len(partitions)},
        "stream": _stream(partitions),
        "warehouse": _warehouse(written, flow),
        "api": {"answers": True},
    }
    return tuple(Stage(stage, _ok(stage, broken, status, flow, written), facts[stage]) for stage in CHAIN)


def _ok(stage: str, broken: str | None, status: Status | None, flow: Flow, written: Written | None) -> bool | None:
    if stage == broken:
        return False
    if stage in ("source", "connector", "contract"):
        return None if status is None or broken == "connector" else True
    if stage == "kafka":
        return flow.kafka
    if stage == "stream":
        return None if not flow.kafka or flow.warehouse is not None else flow.stream is None
    if stage == "warehouse" and written is None:
        return None if flow.warehouse is None else False  # one question without an answer is no outage yet
    return flow.warehouse is None if stage == "warehouse" else True


def _source(status: Status | None, fresh: Freshness) -> dict[str, Any]:
    if status is None:
        return {}
    return {
        "last_poll_ok": _iso(status.last_poll_ok),
        "last_event": _text(fresh.last_event_time),
        **_error(status),
        **_outdated(status),
    }


def _outdated(status: Status) -> dict[str, Any]:
    """How often in a row it answered with nothing but rows from before what was asked for, and the newest of them."""
    return {"outdated": status.outdated, "outdated_to": _iso(status.outdated_to)} if status.outdated else {}


def _error(status: Status) -> dict[str, Any]:
    """The last error: code, time, and its words in both languages."""
    error = status.last_error
    return {
        "error": _part(error, "code"),
        "error_at": _iso(_part(error, "at")),
        "error_text_vi": _part(error, "message_vi"),
        "error_text_en": _part(error, "message_en"),
    }


def _connector(feed: Feed, status: Status | None, flow: Flow) -> dict[str, Any]:
    gone = {"workers_gone_since": _text(flow.connect_gone_since)} if flow.connect_gone_since else {}
    if status is None:
        return {"kind": feed.kind, "state": None, **gone}
    return {"kind": feed.kind, "state": status.state, **_counts(status), **gone}


def _counts(status: Status) -> dict[str, Any]:
    return {"reported_at": _iso(status.at), "received": status.received, "published": status.published}


def _contract(status: Status | None) -> dict[str, Any]:
    if status is None:
        return {}
    return {"quarantined": status.quarantined, "last_refused": _iso(status.last_refused)}


def _stream(partitions: Mapping[int, PartitionHealth]) -> dict[str, Any]:
    return {
        "lag": {str(number): one.behind.records for number, one in sorted(partitions.items())},
        "lag_seconds": max((one.behind.seconds or 0.0 for one in partitions.values()), default=None),
        "status": {str(number): one.status.value for number, one in sorted(partitions.items())},
    }


def _warehouse(written: Written | None, flow: Flow) -> dict[str, Any]:
    if written is None:
        return {"answers": False, "trouble": flow.warehouse}
    return {
        "answers": True,
        "trouble": flow.warehouse,
        "written_at": _text(written.written_at),
        "applied": written.applied,
        "quarantined": written.quarantined,
    }


def _iso(millis: Any) -> str | None:
    return datetime.fromtimestamp(millis / 1000, UTC).isoformat() if isinstance(millis, int) and millis else None


def _text(time: datetime | None) -> str | None:
    return time.isoformat() if time is not None else None


def _part(error: Any, name: str) -> Any:
    return error.get(name) if isinstance(error, Mapping) else getattr(error, name, None)
