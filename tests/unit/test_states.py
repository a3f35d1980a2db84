"""Known keys without false negatives."""

from __future__ import annotations

import threading

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from streams.states import KnownKeys, key_hashes


@given(st.lists(st.lists(st.integers(0, 300)), max_size=12))
def test_every_key_added_is_known_and_no_other(batches: list[list[int]]) -> None:
    known = KnownKeys()
    for batch in batches:
        known.add(np.array(batch, dtype=np.uint64))
    everything = np.arange(301, dtype=np.uint64)
    added = {number for batch in batches for number in batch}
    assert set(everything[known.contains(everything)].tolist()) == added


def test_runs_grow_geometrically() -> None:
    known = KnownKeys()
    for number in range(1000):
        known.add(np.array([number], dtype=np.uint64))
    assert len(known._runs) <= 12
    assert len(known) == 1000


def test_a_key_once_added_is_known_at_every_moment_of_later_additions() -> None:
    known = KnownKeys()
    first = np.arange(1_000, dtype=np.uint64)
    known.add(first)
    ended = threading.Event()
    forgotten = []

    def ask() -> None:
        while not ended.is_set():
            if not known.contains(first).all():
                forgotten.append(1)

    askers = [threading.Thread(target=ask) for _ in range(2)]
    for asker in askers:
        asker.start()
    for number in range(1_500):
        known.add(np.arange(2_000 + number * 7, 2_007 + number * 7, dtype=np.uint64))
    ended.set()
    for asker in askers:
        asker.join()
    assert forgotten == []


def test_hashes_of_equal_keys_are_equal() -> None:
    one, two = key_hashes(pl.Series(["a", "b"])), key_hashes(pl.Series(["b", "a"]))
    assert one[0] == two[1]
    assert one[1] == two[0]
