"""What a worker remembers of entities: the newest states, never old ones, in room that its partitions share."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.state_cache import MAX_FRAMES, StateCache, StateRoom


def states(*pairs: tuple[str, int]) -> pl.DataFrame:
    return pl.DataFrame(list(pairs), schema={"entity_key": pl.String, "revision": pl.Int64}, orient="row")


def test_the_cache_gives_the_newest_state_and_names_what_it_lacks() -> None:
    cache = StateCache(StateRoom(100))
    cache.put(states(("A", 1), ("B", 1)))
    cache.put(states(("A", 2)))
    frames, missing = cache.get(["A", "B", "C"])
    assert sorted(pl.concat(frames).rows()) == [("A", 2), ("B", 1)]
    assert missing == ["C"]


def test_the_cache_forgets_the_oldest_and_stays_bounded() -> None:
    cache = StateCache(StateRoom(50))
    for number in range(MAX_FRAMES * 5):
        cache.put(states((f"K{number}", number)))
    assert 50 <= len(cache) <= 50 + MAX_FRAMES
    frames, missing = cache.get([f"K{MAX_FRAMES * 5 - 1}", "K0"])
    assert missing == ["K0"]
    assert pl.concat(frames).rows() == [(f"K{MAX_FRAMES * 5 - 1}", MAX_FRAMES * 5 - 1)]


@given(st.lists(st.lists(st.integers(0, 12), min_size=1, max_size=9, unique=True), max_size=90), st.integers(1, 8))
@settings(max_examples=80, deadline=None)
def test_what_the_cache_gives_is_never_old_whatever_it_forgets(puts: list[list[int]], capacity: int) -> None:
    cache = StateCache(StateRoom(capacity))
    newest: dict[str, int] = {}
    for number, keys in enumerate(puts):
        cache.put(states(*((f"K{key}", number) for key in keys)))
        newest |= {f"K{key}": number for key in keys}
        frames, missing = cache.get(list(newest))
        found = dict(row for frame in frames for row in frame.rows())
        assert found == {key: newest[key] for key in newest if key not in missing}
        assert {f"K{key}" for key in keys[-capacity:]} <= set(found)


@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.lists(st.integers(0, 12), min_size=1, max_size=9, unique=True)), max_size=90
    ),
    st.integers(1, 30),
)
@settings(max_examples=80, deadline=None)
def test_caches_share_their_room_and_none_of_them_gives_what_is_old(
    puts: list[tuple[int, list[int]]], capacity: int
) -> None:
    room = StateRoom(capacity)
    caches = [StateCache(room) for _ in range(3)]
    newest: list[dict[str, int]] = [{}, {}, {}]
    for number, (which, keys) in enumerate(puts):
        caches[which].put(states(*((f"K{key}", number) for key in keys)))
        newest[which] |= {f"K{key}": number for key in keys}
        assert len(room) < 2 * capacity
        for cache, mine in zip(caches, newest, strict=True):
            frames, missing = cache.get(list(mine))
            found = dict(row for frame in frames for row in frame.rows())
            assert found == {key: mine[key] for key in mine if key not in missing}
        assert caches[which].get([f"K{key}" for key in keys[-capacity:]])[1] == []


def test_what_is_merged_has_no_more_room_than_there_is() -> None:
    room = StateRoom(100)
    cache = StateCache(room)
    cache.put(states(*((f"first{number}", 1) for number in range(90))))
    for number in range(MAX_FRAMES - 1):
        cache.put(states((f"later{number}", 1)))
    assert len(room) == len(cache) == 100
    assert cache.get([f"later{number}" for number in range(MAX_FRAMES - 1)])[1] == []
    assert cache.get(["first0"])[1] == ["first0"]


def test_a_busy_partition_has_the_room_of_those_that_are_not() -> None:
    room = StateRoom(100)
    idle, busy = StateCache(room), StateCache(room)
    idle.put(states(*((f"I{number}", 1) for number in range(100))))
    for number in range(10):
        busy.put(states(*((f"B{number}-{row}", 1) for row in range(10))))
    assert len(busy) == 100
    assert len(idle) == 0
    assert len(room) == 100


def test_what_a_cache_forgets_as_a_whole_is_room_for_others() -> None:
    room = StateRoom(100)
    one, other = StateCache(room), StateCache(room)
    one.put(states(("A", 1), ("B", 1)))
    other.put(states(("C", 1)))
    one.clear()
    assert len(room) == 1
    assert one.get(["A"]) == ([], ["A"])
    assert other.get(["C"])[1] == []


def test_a_state_that_is_forgotten_while_it_is_asked_for_is_there_or_missing() -> None:
    room = StateRoom(2)
    asked, busy = StateCache(room), StateCache(room)
    asked.put(states(("A", 1), ("B", 1)))

    class Meanwhile(list[str]):
        """Keys; between the first and the second another partition needs the room."""

        def __iter__(self) -> Iterator[str]:
            yield self[0]
            busy.put(states(("C", 1), ("D", 1)))
            yield from self[1:]

    frames, missing = asked.get(Meanwhile(["A", "B"]))
    assert [frame.rows() for frame in frames] == [[("A", 1)]]
    assert missing == ["B"]
    assert asked.get(["A"]) == ([], ["A"])
