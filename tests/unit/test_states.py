"""What a worker remembers: known keys without false negatives, a cache that forgets the oldest."""

from __future__ import annotations

import threading

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.states import MAX_FRAMES, KnownKeys, StateCache, key_hashes


def states(*pairs: tuple[str, int]) -> pl.DataFrame:
    return pl.DataFrame(list(pairs), schema={"entity_key": pl.String, "revision": pl.Int64}, orient="row")


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


def test_the_cache_gives_the_newest_state_and_names_what_it_lacks() -> None:
    cache = StateCache(100)
    cache.put(states(("A", 1), ("B", 1)))
    cache.put(states(("A", 2)))
    frames, missing = cache.get(["A", "B", "C"])
    assert sorted(pl.concat(frames).rows()) == [("A", 2), ("B", 1)]
    assert missing == ["C"]


def test_the_cache_forgets_the_oldest_and_stays_bounded() -> None:
    cache = StateCache(50)
    for number in range(MAX_FRAMES * 5):
        cache.put(states((f"K{number}", number)))
    assert len(cache) <= 50 + MAX_FRAMES
    frames, missing = cache.get([f"K{MAX_FRAMES * 5 - 1}", "K0"])
    assert missing == ["K0"]
    assert pl.concat(frames).rows() == [(f"K{MAX_FRAMES * 5 - 1}", MAX_FRAMES * 5 - 1)]


@given(st.lists(st.lists(st.integers(0, 12), min_size=1, max_size=9, unique=True), max_size=90), st.integers(1, 8))
@settings(max_examples=80, deadline=None)
def test_what_the_cache_gives_is_never_old_whatever_it_forgets(puts: list[list[int]], capacity: int) -> None:
    cache = StateCache(capacity)
    newest: dict[str, int] = {}
    for number, keys in enumerate(puts):
        cache.put(states(*((f"K{key}", number) for key in keys)))
        newest |= {f"K{key}": number for key in keys}
        frames, missing = cache.get(list(newest))
        found = dict(row for frame in frames for row in frame.rows())
        assert found == {key: newest[key] for key in newest if key not in missing}
        assert {f"K{key}" for key in keys[-capacity:]} <= set(found)
