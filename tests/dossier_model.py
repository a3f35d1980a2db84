"""What dossiers' KPIs and states should be after a set of assertions, evaluated slowly and without the product's code.

Only the rank of two contents at one revision and kind is the product's: which of them wins is arbitrary, that it is
always the same one is not.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import polars as pl
from hypothesis import strategies as st

from schemas.codec import dtype
from schemas.contract import Contract, load_contracts
from streams.change import content_hash
from streams.plan import EntityPlan
from streams.warehouse.client import Warehouse
from tests.dossiers import DAY_MS, OPS, dossier

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DIMENSIONS = ("org_code", "field", "channel", "level", "admin_code", "procedure_code")
DOSSIER = load_contracts()["dossier"]

Event = dict[str, Any]
Bucket = tuple[str, date, tuple[Any, ...], str]
"""Time field, day, dimensions, measure."""


def day_of(ms: int) -> date:
    return (EPOCH + timedelta(milliseconds=ms)).astimezone(ZONE).date()


def frame_of(events: Sequence[Event], contract: Contract = DOSSIER) -> pl.DataFrame:
    """Events as the decoder would give them."""
    times = [field.name for field in contract.fields if field.base == "timestamp"]
    schema = {field.name: pl.Int64 if field.name in times else dtype(field) for field in contract.fields}
    return pl.DataFrame(events, schema=schema).with_columns(pl.col(times).cast(pl.Datetime("ms", "UTC")))


def same_content(event: Event) -> str:
    """A text that is equal for two deliveries of one assertion."""
    return repr(sorted((name, value) for name, value in event.items() if name not in ("event_id", "ingest_time")))


def last_assertions(events: Sequence[Event]) -> dict[str, Event]:
    """The assertion of each key that wins, deletions included."""
    hashes = content_hash(frame_of(events), DOSSIER).to_list() if events else []
    best: dict[str, tuple[Any, Event]] = {}
    for event, digest in zip(events, hashes, strict=True):
        order = (event["revision"], OPS.index(event["op"]), digest)
        if event["entity_key"] not in best or order > best[event["entity_key"]][0]:
            best[event["entity_key"]] = (order, event)
    return {key: event for key, (_, event) in best.items()}


def measures(state: Event) -> dict[tuple[str, str], int]:
    """What one state counts, by time field and measure, as `streams/kpis/dossier.yaml` explains it in words."""
    received, finished = state["status"] not in (1, 3), state["status"] in (9, 10)
    ended, running = state["status"] in (7, 9, 10), state["status"] in (2, 4, 6)
    on_time = (
        state["ended_at"] is None or state["due_at"] is None or day_of(state["ended_at"]) <= day_of(state["due_at"])
    )
    promised, ahead_ms = finished and state["due_at"] is not None, (state["due_at"] or 0) - (state["ended_at"] or 0)
    of_766 = received and state["level"] in (3, 4)
    priced = received and (state["fee"] or 0) > 0
    return {
        ("received_at", "received"): received,
        ("received_at", "received_online"): received and state["channel"] == "ONLINE",
        ("received_at", "open"): running,
        ("received_at", "with_due_date"): received and state["due_at"] is not None,
        ("received_at", "online_of_766"): of_766 and state["channel"] == "ONLINE",
        ("received_at", "base_of_766"): of_766 and state["channel"] in ("COUNTER", "ONLINE"),
        ("received_at", "with_fee"): priced,
        ("received_at", "fee_paid_online"): priced and bool(state["paid_online"]),
        ("due_at", "open"): running,
        ("ended_at", "finished"): finished,
        ("ended_at", "finished_on_time"): finished and on_time,
        ("ended_at", "finished_late"): finished and not on_time,
        ("ended_at", "finished_due"): promised,
        ("ended_at", "finished_by_due"): promised and on_time,
        ("ended_at", "finished_1_day_left"): promised and ahead_ms > DAY_MS,
        ("ended_at", "finished_3_days_left"): promised and ahead_ms > 3 * DAY_MS,
        ("ended_at", "finished_7_days_left"): promised and ahead_ms > 7 * DAY_MS,
        ("ended_at", "rated"): finished and state["rating"] is not None,
        ("ended_at", "satisfied"): finished and (state["rating"] or 0) >= 4,
        ("ended_at", "ended"): ended,
        ("ended_at", "digitised"): ended and bool(state["components_digitised"]),
        ("ended_at", "result_electronic"): finished and state["result_electronic"],
    }


MEASURES: dict[str, tuple[str, ...]] = {
    time: tuple(measure for its, measure in measures(dossier(0, 1)) if its == time)
    for time in ("received_at", "due_at", "ended_at")
}
"""Every measure there is, by the time field whose rollup holds it."""


def counted(state: Event, sign: int = 1) -> Counter[Bucket]:
    """Buckets of one state."""
    found: Counter[Bucket] = Counter()
    for (time, measure), holds in measures(state).items():
        if holds and state[time] is not None:
            found[time, day_of(state[time]), tuple(state[name] for name in DIMENSIONS), measure] += sign
    return found


def rollups(events: Sequence[Event]) -> dict[Bucket, int]:
    """Every bucket that is not zero, from the last states."""
    total: Counter[Bucket] = Counter()
    for state in last_assertions(events).values():
        if state["op"] != "DELETE":
            total.update(counted(state))
    return dict(total)


def summed(rows: Iterable[tuple[Event, int]]) -> dict[Bucket, int]:
    """Every bucket that is not zero, from signed rows."""
    total: Counter[Bucket] = Counter()
    for state, sign in rows:
        total.update(counted(state, sign))
    return {bucket: count for bucket, count in total.items() if count}


class Tables(Protocol):
    """An entity's tables in a warehouse."""

    @property
    def contract(self) -> Contract: ...

    @property
    def plan(self) -> EntityPlan: ...

    @property
    def warehouse(self) -> Warehouse: ...


def from_views(table: Tables) -> dict[Bucket, int]:
    """Every bucket that is not zero, from the rollups that the warehouse's views made."""
    found: dict[Bucket, int] = {}
    keys = ", ".join(f"`{name}`" for name in DIMENSIONS)
    for rollup in table.plan.rollups:
        if rollup.time == "arrival":
            continue
        names = [measure.name for measure in rollup.measures]
        sums = ", ".join(f"sum({name})" for name in names)
        for row in table.warehouse.rows(f"SELECT day, {keys}, {sums} FROM {rollup.table} GROUP BY day, {keys}"):
            for name, count in zip(names, row[1 + len(DIMENSIONS) :], strict=True):
                if count:
                    found[rollup.time, row[0], tuple(row[1 : 1 + len(DIMENSIONS)]), name] = count
    return found


def current_in(table: Tables) -> dict[str, tuple[int, str, bool]]:
    rows = table.warehouse.rows(
        f"SELECT entity_key, revision, event_id, deleted FROM {table.contract.current_table} FINAL"
    )
    return {key: (revision, event_id, bool(deleted)) for key, revision, event_id, deleted in rows}


def identified(event: Event) -> Event:
    """With an event id that no other content has."""
    return {**event, "event_id": hashlib.blake2b(same_content(event).encode(), digest_size=8).hexdigest()}


def _instants() -> list[int]:
    """On both sides of midnights in the province: of months, years, leap days, and years apart."""
    days = [(2014, 3, 1), (2016, 2, 29), (2019, 12, 31), (2020, 1, 1), (2022, 10, 1), (2022, 10, 2), (2026, 11, 1)]
    midnights = [int(datetime(*day, tzinfo=ZONE).timestamp() * 1000) for day in days]
    return [midnight + shift for midnight in midnights for shift in (-1, 0, 1)]


INSTANTS = st.sampled_from(_instants())
UNITS = st.sampled_from(["H53.01", "H53.14", "H53.14.2"])
FIELDS = st.sampled_from(["Đất đai", "Hộ tịch"])
COMMUNES = st.sampled_from(["25459", "25462"])
STATUSES = st.sampled_from([1, 2, 4, 9, 10])


@st.composite
def states(draw: st.DrawFn) -> dict[str, Any]:
    """The attributes of a dossier that its KPIs look at."""
    received = draw(INSTANTS)
    ended = draw(st.one_of(st.none(), INSTANTS))
    return {
        "status": draw(STATUSES),
        "org_code": draw(UNITS),
        "field": draw(FIELDS),
        "admin_code": draw(COMMUNES),
        "channel": draw(st.sampled_from(["ONLINE", "COUNTER"])),
        "received_at": draw(st.sampled_from([received, None])),
        "ended_at": ended,
        "due_at": draw(st.sampled_from([None, received + 10 * DAY_MS, ended])),
        "result_electronic": draw(st.booleans()),
        "event_time": draw(INSTANTS),
    }


@st.composite
def assertions(draw: st.DrawFn, keys: int = 3, revisions: int = 4) -> Event:
    """An assertion about one of a few dossiers: any revision, kind and age."""
    attributes = draw(states())
    status = attributes.pop("status")
    number, revision, op = draw(st.integers(0, keys - 1)), draw(st.integers(1, revisions)), draw(st.sampled_from(OPS))
    return identified(dossier(number, revision, status, op, **attributes))
