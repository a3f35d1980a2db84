"""Facts through the real sink and engine: very late ones, repeats and corrections count once; new ones cost no
query."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from streams.look_up import SharedLookUp
from tests.core_in_process import Core, core
from tests.dossier_model import current_in, from_views, identified, last_assertions, rollups
from tests.dossiers import DAY_MS, dossier

REMEMBERED = 3
"""Days, here."""

BEGIN_MS = int(datetime(2026, 6, 1, tzinfo=UTC).timestamp() * 1000)


@pytest.fixture(scope="module")
def engine() -> Iterator[Core]:
    with core(remember_days=REMEMBERED, cached_states=50) as ready:
        yield ready


@pytest.fixture
def table(engine: Core) -> Core:
    engine.empty()
    return engine


def reading(station: int, day: int, revision: int = 1, op: str = "UPSERT", **changes: Any) -> dict[str, Any]:
    """What a station measured on a day since `BEGIN_MS`: the time is in the key."""
    at = BEGIN_MS + day * DAY_MS + station * 60_000
    values = {"entity_key": f"S{station}-{at}", "event_time": at, "received_at": at, "ended_at": at, "due_at": at}
    return identified({**dossier(station, revision, 9, op), **values, **changes})


def looked_up(table: Core) -> list[str]:
    """Keys that cost a query from now on, until the worker restarts."""
    asked: list[str] = []
    ask = table.sink.store.current_states

    def noted(keys: list[str]) -> Any:
        asked.extend(keys)
        return ask(keys)

    table.sink.store.look_up = SharedLookUp(noted)
    return asked


def test_days_of_facts_with_very_late_ones_repeats_corrections_and_restarts_equal_the_model(table: Core) -> None:
    dice = random.Random(3)
    sent: list[dict[str, Any]] = []
    for day in range(9):
        fresh = [reading(station, day) for station in range(40)]
        very_late = [reading(100 + day * 3 + n, day - dice.randint(4, 400)) for n in range(3)] if day else []
        again = dice.sample(sent, min(len(sent), 25))
        of_known = [event for event in dice.sample(sent, min(len(sent), 6)) if event["op"] == "UPSERT"]
        corrected = [identified({**event, "op": "CORRECT", "channel": "POST"}) for event in of_known[:3]]
        withdrawn = [identified({**event, "op": "DELETE", "revision": 2}) for event in of_known[3:5]]
        restored = [identified({**event, "revision": 3}) for event in of_known[4:5]]
        batch = fresh + very_late + again + corrected + withdrawn + restored
        dice.shuffle(batch)
        now = BEGIN_MS + (day + 1) * DAY_MS
        for part in (batch[:30], batch[30:]) if day % 4 == 3 else (batch,):
            if day % 4 == 3:
                table.die_and_redo(part, at=now, written=dice.choice(["nothing", "changes", "all"]))
            else:
                table.feed(part, at=now)
        sent += batch
    assert from_views(table) == rollups(sent)
    last = last_assertions(sent)
    assert {key: revision for key, (revision, _, _) in current_in(table).items()} == {
        key: event["revision"] for key, event in last.items()
    }
    assert len(table.sink.known) <= (REMEMBERED + 1) * 40 + 40


def test_a_new_fact_within_the_span_costs_no_query_and_an_old_one_is_looked_up(table: Core) -> None:
    table.feed([reading(1, 0)], at=BEGIN_MS + DAY_MS)
    asked = looked_up(table)
    for day in range(1, 6):
        table.feed([reading(station, day) for station in range(60)], at=BEGIN_MS + (day + 1) * DAY_MS)
    assert asked == []
    table.feed([reading(99, 1), reading(1, 0), reading(77, 5)], at=BEGIN_MS + 6 * DAY_MS)
    assert sorted(asked) == sorted([reading(99, 1)["entity_key"], reading(1, 0)["entity_key"]])
    assert table.kinds()[-3:] == ["applied", "repeat", "applied"]


def test_what_a_worker_knew_the_next_one_knows(table: Core) -> None:
    for day in range(6):
        table.feed([reading(station, day) for station in range(5)], at=BEGIN_MS + (day + 1) * DAY_MS)
    known, floor = len(table.sink.known), table.sink.known.floor  # type: ignore[attr-defined]
    table.restart()
    assert (len(table.sink.known), table.sink.known.floor) == (known, floor)  # type: ignore[attr-defined]
    table.feed([reading(station, day) for day in range(6) for station in range(5)], at=BEGIN_MS + 6 * DAY_MS)
    assert set(table.kinds()[-30:]) == {"repeat"}


def test_a_fact_that_comes_again_with_another_time_is_refused(table: Core) -> None:
    first = reading(1, 0)
    moved = identified({**first, "revision": 2, "event_time": first["event_time"] + DAY_MS})
    table.feed([first], at=BEGIN_MS + DAY_MS)
    table.feed([moved, identified({**first, "revision": 3})], at=BEGIN_MS + DAY_MS)
    assert table.kinds() == ["applied", "quarantined", "applied"]
    assert table.reasons() == ["fact_time_changed"]
    assert sum(from_views(table).values()) == sum(rollups([first]).values())
