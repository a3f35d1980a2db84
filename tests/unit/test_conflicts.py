"""One event id with two contents: the second content is refused, however the records are cut into batches."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import Any

import polars as pl
from hypothesis import event, given, settings
from hypothesis import strategies as st

from schemas.codec import ROW
from schemas.contract import OPS, load_contracts
from streams.change import compute, content_hash
from streams.conflicts import reused_event_ids
from tests.unit.test_change import assertion, batch, no_states

FEEDBACK = load_contracts()["feedback"]
MOST_S = 0.02
"""Ten times what looking for reused ids may cost a batch of 20,000 records, on a busy machine."""

RECORDS = st.lists(
    st.builds(
        lambda key, revision, op, status, name, source: assertion(
            key, revision, op, status, event_id=name, source_system=source
        ),
        st.sampled_from("AB"),
        st.integers(1, 3),
        st.sampled_from(OPS),
        st.sampled_from(["NEW", "RESOLVED"]),
        st.sampled_from(["", "e1", "e2", "e3"]),
        st.sampled_from(["1022", "1022", "portal"]),
    ),
    min_size=1,
    max_size=12,
)


def run(events: list[dict[str, Any]], cuts: list[int]) -> tuple[set[int], list[Any], list[Any]]:
    """Offsets refused, the rows of the others and the last states, in batches that begin at the cuts."""
    states = no_states()
    refused: set[int] = set()
    rows: list[Any] = []
    bounds = [*sorted({0, *(cut for cut in cuts if cut < len(events))}), len(events)]
    for first, end in pairwise(bounds):
        part = batch(events[first:end], first).with_row_index(ROW)
        mine = states.filter(pl.col("entity_key").is_in(part["entity_key"].implode()))
        bad = [record.row for record in reused_event_ids(part, mine, FEEDBACK)]
        refused |= {first + row for row in bad}
        good = part.filter(~pl.col(ROW).is_in(bad)).drop(ROW)
        if good.height:
            changes = compute(good, mine, FEEDBACK)
            rows += changes.rows.select("entity_key", "offset", "kind", "sign", "state_offset", "status").rows()
            states = pl.concat([states, changes.states]).unique("entity_key", keep="last", maintain_order=True)
    return refused, sorted(rows), sorted(states.select("entity_key", "event_id", "revision", "status").rows())


def refused_one_by_one(events: list[dict[str, Any]]) -> set[int]:
    """The definition, word for word."""
    states: dict[str, tuple[Any, dict[str, Any]]] = {}
    refused = set()
    for offset, record in enumerate(events):
        content = content_hash(batch([record]), FEEDBACK)[0]
        order = (record["revision"], OPS.index(record["op"]), content)
        known = states.get(record["entity_key"])
        if known is not None:
            same = record["event_id"] and all(record[n] == known[1][n] for n in ("event_id", "source_system"))
            if same and content != known[0][2]:
                refused.add(offset)
                continue
        if known is None or order > known[0]:
            states[record["entity_key"]] = (order, record)
    return refused


@settings(max_examples=30, deadline=None)
@given(RECORDS, st.lists(st.integers(1, 20), max_size=6))
def test_the_same_records_are_refused_however_they_are_cut_into_batches(
    events: list[dict[str, Any]], cuts: list[int]
) -> None:
    refused, rows, states = run(events, [])
    event("some refused" if refused else "none refused")
    assert refused == refused_one_by_one(events)
    assert run(events, cuts) == (refused, rows, states)
    assert run(events, list(range(len(events)))) == (refused, rows, states)


def test_the_first_content_of_an_event_stays_and_the_second_is_named() -> None:
    events = [assertion("A", 1, event_id="e1"), assertion("A", 2, event_id="e1", status="RESOLVED")]
    (bad,) = reused_event_ids(batch(events).with_row_index(ROW), no_states(), FEEDBACK)
    assert (bad.row, bad.code) == (1, "event_id_reused")
    assert bad.reason
    assert bad.reason_en


def test_an_event_delivered_again_or_under_another_entity_is_no_conflict() -> None:
    again = assertion("A", 1, event_id="e1", ingest_time=assertion("A", 1)["event_time"])
    events = [assertion("A", 1, event_id="e1"), again, assertion("B", 1, event_id="e1", status="RESOLVED")]
    assert reused_event_ids(batch(events).with_row_index(ROW), no_states(), FEEDBACK) == ()


def test_looking_for_reused_ids_costs_a_large_batch_next_to_nothing() -> None:
    part = batch([assertion(f"K{number}", 1) for number in range(20_000)]).with_row_index(ROW)
    states = batch([assertion(f"K{number}", 0) for number in range(20_000)])
    best = 1.0
    for _ in range(5):
        started = time.perf_counter()
        assert reused_event_ids(part, states, FEEDBACK) == ()
        best = min(best, time.perf_counter() - started)
    assert best < MOST_S
