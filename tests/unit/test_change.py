"""Signed changes: whatever the order and the number of deliveries, the sums are those of the last states."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.codec import dtype
from schemas.contract import OPS, load_contracts
from streams.arrivals import TOOK_BACK
from streams.change import DELETED, OFFSET, STATE_OFFSET, compute, content_hash

FEEDBACK = load_contracts()["feedback"]
AT = datetime(2022, 9, 19, 1, tzinfo=UTC)
SCHEMA: dict[str, Any] = {field.name: dtype(field) for field in FEEDBACK.fields}


def assertion(key: str, revision: int, op: str = "UPSERT", status: str = "NEW", **changes: Any) -> dict[str, Any]:
    base: dict[str, Any] = {
        "event_id": f"{key}/{revision}/{op}/{status}",
        "source_system": "1022",
        "org_code": "H53.20",
        "entity_key": key,
        "revision": revision,
        "op": op,
        "event_time": AT,
        "ingest_time": AT,
        "admin_code": "25459",
        "admin_codeset": "2022",
        "channel": "APP",
        "field": "Môi trường",
        "urgency": "NORMAL",
        "status": status,
        "received_at": AT,
        "due_at": None,
        "resolved_at": None,
        "extensions": 0,
        "lat": 11.31,
        "lon": None,
        "rating": None,
        "reporter": None,
    }
    return {**base, **changes}


def batch(events: list[dict[str, Any]], first: int = 0) -> pl.DataFrame:
    frame = pl.DataFrame(events, schema=SCHEMA)
    return frame.with_columns(pl.int_range(first, first + len(events), dtype=pl.Int64).alias(OFFSET))


def no_states() -> pl.DataFrame:
    return pl.DataFrame(schema={**SCHEMA, STATE_OFFSET: pl.Int64, DELETED: pl.Boolean})


def kinds(frame: pl.DataFrame) -> list[tuple[int, str, int, str, int]]:
    rows = frame.select(OFFSET, "kind", "sign", "status", STATE_OFFSET).sort(OFFSET, "sign", descending=[False, True])
    return rows.rows()


def test_a_new_entity_counts_once() -> None:
    changes = compute(batch([assertion("A", 1)]), no_states(), FEEDBACK)
    assert kinds(changes.rows) == [(0, "applied", 1, "NEW", 0)]


def test_an_update_takes_the_old_state_back() -> None:
    changes = compute(batch([assertion("A", 1), assertion("A", 2, status="RESOLVED")]), no_states(), FEEDBACK)
    assert kinds(changes.rows) == [
        (0, "applied", 1, "NEW", 0),
        (1, "applied", 1, "RESOLVED", 1),
        (1, "retracted", -1, "NEW", 0),
    ]


def test_a_state_from_before_the_batch_is_taken_back() -> None:
    before = compute(batch([assertion("A", 1)], first=5), no_states(), FEEDBACK).states
    changes = compute(batch([assertion("A", 2, status="CLOSED")], first=9), before, FEEDBACK)
    assert kinds(changes.rows) == [(9, "applied", 1, "CLOSED", 9), (9, "retracted", -1, "NEW", 5)]


def test_an_older_revision_that_arrives_late_changes_nothing() -> None:
    changes = compute(batch([assertion("A", 2, status="CLOSED"), assertion("A", 1)]), no_states(), FEEDBACK)
    assert kinds(changes.rows) == [(0, "applied", 1, "CLOSED", 0), (1, "superseded", 0, "NEW", 1)]


def test_the_same_assertion_again_is_a_repeat_even_if_it_was_received_at_another_time() -> None:
    later = AT.replace(hour=5)
    changes = compute(batch([assertion("A", 1), assertion("A", 1, ingest_time=later)]), no_states(), FEEDBACK)
    assert [row[1] for row in kinds(changes.rows)] == ["applied", "repeat"]


def test_a_deletion_takes_back_and_leaves_a_tombstone() -> None:
    changes = compute(batch([assertion("A", 1), assertion("A", 2, op="DELETE")]), no_states(), FEEDBACK)
    assert [(row[1], row[2]) for row in kinds(changes.rows)] == [("applied", 1), ("deleted", 0), ("retracted", -1)]
    assert changes.states[DELETED].to_list() == [True]


def test_a_row_says_if_it_took_back_a_state_that_counted() -> None:
    sent = [assertion("A", 1), assertion("A", 3), assertion("A", 2), assertion("A", 3), assertion("A", 4, op="DELETE")]
    sent += [assertion("A", 5), assertion("B", 1, op="DELETE")]
    rows = compute(batch(sent), no_states(), FEEDBACK).rows.sort(OFFSET, "sign", descending=[False, True])
    assert [row for row in rows.select(OFFSET, "kind", "reason").rows() if row[1] != "retracted"] == [
        (0, "applied", ""),
        (1, "applied", TOOK_BACK),
        (2, "superseded", ""),
        (3, "repeat", ""),
        (4, "deleted", TOOK_BACK),
        (5, "applied", ""),
        (6, "deleted", ""),
    ]


def test_a_restore_needs_a_higher_revision_and_counts_again() -> None:
    gone = compute(batch([assertion("A", 1), assertion("A", 2, op="DELETE")]), no_states(), FEEDBACK).states
    too_low = compute(batch([assertion("A", 2)], first=2), gone, FEEDBACK)
    assert [row[1] for row in kinds(too_low.rows)] == ["superseded"]
    restored = compute(batch([assertion("A", 3)], first=2), gone, FEEDBACK)
    assert [(row[1], row[2]) for row in kinds(restored.rows)] == [("applied", 1)]


def test_at_one_revision_a_correction_beats_an_update_and_a_deletion_beats_both() -> None:
    events = [assertion("A", 1, op="DELETE"), assertion("A", 1, op="CORRECT"), assertion("A", 1)]
    for order in ([0, 1, 2], [2, 1, 0], [1, 0, 2]):
        changes = compute(batch([events[i] for i in order]), no_states(), FEEDBACK)
        assert changes.states.select("op", DELETED).rows() == [("DELETE", True)]


def test_a_state_s_hash_is_the_same_after_a_round_trip_through_rows() -> None:
    frame = batch([assertion("A", 1, lat=11.309999999999999, rating=4)])
    again = pl.DataFrame(frame.to_dicts(), schema={**SCHEMA, OFFSET: pl.Int64})
    assert content_hash(frame, FEEDBACK).to_list() == content_hash(again, FEEDBACK).to_list()


EVENTS = st.lists(
    st.tuples(
        st.sampled_from("ABC"),
        st.integers(1, 4),
        st.sampled_from(OPS),
        st.sampled_from(["NEW", "RESOLVED", "CLOSED"]),
    ),
    min_size=1,
    max_size=25,
)


def last_states(events: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The slow, obvious evaluation: the greatest assertion of each key."""
    best: dict[str, tuple[Any, dict[str, Any]]] = {}
    for event in events:
        digest = content_hash(batch([event]), FEEDBACK)[0]
        order = (event["revision"], OPS.index(event["op"]), digest)
        if event["entity_key"] not in best or order > best[event["entity_key"]][0]:
            best[event["entity_key"]] = (order, event)
    return {key: event for key, (_, event) in best.items()}


@settings(max_examples=60, deadline=None)
@given(EVENTS, st.integers(0, 2**32), st.integers(1, 6))
def test_shuffled_repeated_and_cut_anywhere_the_signed_sums_are_those_of_the_last_states(
    raw: list[tuple[str, int, str, str]], seed: int, size: int
) -> None:
    dice = random.Random(seed)
    events = [assertion(key, revision, op, status) for key, revision, op, status in raw]
    delivered = events + [dice.choice(events) for _ in range(len(events) // 2)]
    dice.shuffle(delivered)

    states = no_states()
    sums: defaultdict[tuple[str, str], int] = defaultdict(int)
    primary = 0
    for first in range(0, len(delivered), size):
        part = batch(delivered[first : first + size], first)
        mine = states.filter(pl.col("entity_key").is_in(part["entity_key"].implode()))
        changes = compute(part, mine, FEEDBACK)
        for key, status, sign, kind in changes.rows.select("entity_key", "status", "sign", "kind").rows():
            sums[(key, status)] += sign
            primary += kind != "retracted"
        states = pl.concat([states, changes.states]).unique("entity_key", keep="last", maintain_order=True)

    expected = last_states(events)
    assert primary == len(delivered)
    assert {key: count for key, count in sums.items() if count} == {
        (key, event["status"]): 1 for key, event in expected.items() if event["op"] != "DELETE"
    }
    assert dict(states.select("entity_key", "revision").rows()) == {
        key: event["revision"] for key, event in expected.items()
    }


@pytest.mark.parametrize("size", [1000])
def test_keys_of_a_large_batch_keep_apart(size: int) -> None:
    events = [assertion(f"K{number % 300}", number // 300 + 1) for number in range(size)]
    changes = compute(batch(events), no_states(), FEEDBACK)
    assert changes.rows.filter(pl.col("sign") == 1).height == size
    assert changes.rows.filter(pl.col("sign") == -1).height == size - 300
    assert changes.states.height == 300


def test_entities_that_are_all_new_come_out_the_same_beside_one_that_is_named_twice() -> None:
    once = [assertion(f"E{n}", n + 1, ("UPSERT", "DELETE", "CORRECT")[n % 3]) for n in range(30)]
    twice = [assertion("Z", 1), assertion("Z", 2)]
    alone, beside = (compute(batch(events), no_states(), FEEDBACK) for events in (once, once + twice))
    not_z = pl.col("entity_key") != "Z"
    assert alone.rows.equals(beside.rows.filter(not_z))
    assert alone.states.equals(beside.states.filter(not_z))
    assert set(alone.rows["kind"]) == {"applied", "deleted"}
