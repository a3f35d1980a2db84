"""What a worker loads of the keys before it: every key that has a state, by the hash that it gives it itself."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streams import store
from streams.states import HASH_SQL, KnownKeys, key_hashes
from streams.store import EntityStore
from tests.core_in_process import Core
from tests.dossiers import dossier, life_cycles

KEYS = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=80), min_size=1, max_size=40, unique=True)


@settings(max_examples=60, deadline=None)
@given(keys=KEYS)
@example(keys=["", "a", "đ", "\x00", "'", "\\", "\n", *("y" * size for size in range(3, 300))])
def test_the_warehouse_hashes_keys_as_the_worker_does(engine: Core, keys: list[str]) -> None:
    told = engine.warehouse.rows(
        f"SELECT {HASH_SQL} FROM (SELECT arrayJoin({{keys:Array(String)}}) AS entity_key)",
        {"keys": keys},
    )
    assert [row[0] for row in told] == key_hashes(pl.Series(keys)).tolist()


@pytest.mark.parametrize("at_once", [1, 7, 1_000])
def test_every_key_with_a_state_is_loaded_once(table: Core, at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "HASHES_PER_QUERY", at_once)
    events = life_cycles(12, seed=7)
    for third in range(3):  # several parts, with more than one state of a key among them
        table.feed(events[third::3], 1_700_000_000_000)
    table.feed([dossier(99, 1, op="DELETE")], 1_700_000_000_000)
    keys = sorted({str(event["entity_key"]) for event in events} | {dossier(99, 1)["entity_key"]})
    run = EntityStore(table.warehouse, table.contract).known_run()
    assert run.tolist() == np.sort(key_hashes(pl.Series(keys))).tolist()
    known = KnownKeys(complete=False)
    known.complete_with(run)
    assert known.contains(key_hashes(pl.Series(keys))).all()
    assert not known.contains(key_hashes(pl.Series(["never written"]))).any()


def test_of_an_entity_without_states_nothing_is_loaded(table: Core) -> None:
    run = EntityStore(table.warehouse, table.contract).known_run()
    assert len(run) == 0
    known = KnownKeys(complete=False)
    known.complete_with(run)
    assert not known.contains(key_hashes(pl.Series(["a"]))).any()
