"""The cut-over counts every row once: what the view leaves out is what the back-fill takes. Pure."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.generations import (
    Chunk,
    Cut,
    Definition,
    Entry,
    Position,
    Reach,
    State,
    building,
    choose_cuts,
    chunks_of,
    from_row,
    next_generation,
    overtaken,
    serving,
    table_of,
    to_row,
    waiting_for,
)

PARTITIONS = st.integers(0, 3)
LIVES = st.integers(0, 2)
OFFSETS = st.integers(0, 60)
ROWS = st.sets(st.tuples(PARTITIONS, LIVES, OFFSETS), max_size=80)
CUTS = st.dictionaries(PARTITIONS, st.tuples(LIVES, st.integers(-1, 60)))


def past(row: tuple[int, int, int], cuts: tuple[Cut, ...]) -> bool:
    """What `beyond` says in SQL."""
    cut = next((cut for cut in cuts if cut.partition == row[0]), None)
    return cut is None or row[1:] > (cut.life, cut.offset)


@settings(deadline=None)
@given(ROWS, CUTS, st.integers(1, 50))
def test_every_row_is_either_past_the_cut_or_in_exactly_one_chunk(
    rows: set[tuple[int, int, int]], chosen: dict[int, tuple[int, int]], size: int
) -> None:
    cuts = tuple(Cut(partition, life, offset) for partition, (life, offset) in chosen.items())
    places = {row[:2] for row in rows}
    ends = {place: [row[2] for row in rows if row[:2] == place] for place in places}
    ranges = [(*place, min(offsets), max(offsets), len(offsets)) for place, offsets in ends.items()]
    chunks = chunks_of(ranges, cuts, size)
    for row in rows:
        inside = [c for c in chunks if (c.partition, c.life) == row[:2] and c.first <= row[2] <= c.last]
        assert len(inside) == (0 if past(row, cuts) else 1), (row, cuts, chunks)


REACHED = {0: Reach(0, 9, "t"), 1: Reach(2, 4, "t"), 2: Reach(0, -1, "t")}


def test_a_cut_is_nowhere_behind_what_is_written_or_in_flight() -> None:
    positions = {0: Position("t", 19, 9), 1: Position("", 3, 3), 3: Position("", 7, 7)}
    cuts = choose_cuts(positions, REACHED, {1: 10})
    assert cuts == (Cut(0, 0, 19, "t"), Cut(1, 2, 14, "t"), Cut(2, 0, -1, "t"), Cut(3, 0, 7))


def test_a_commit_of_another_topic_of_the_name_says_nothing_about_this_one() -> None:
    assert choose_cuts({0: Position("older", 500, 500)}, REACHED, {})[0].offset == 9


def test_a_cut_that_the_flow_passed_while_the_view_was_made_is_found() -> None:
    cuts = choose_cuts({}, REACHED, {0: 5})
    assert overtaken(cuts, {0: Position("t", 14, 9)}, REACHED) == {}
    assert overtaken(cuts, {0: Position("t", 15, 9)}, REACHED) == {0: 1}
    assert overtaken(cuts, {}, {**REACHED, 1: Reach(2, 6, "t")}) == {1: 2}


def test_a_partition_or_a_life_that_began_meanwhile_is_found_once_something_is_in_flight() -> None:
    cuts = choose_cuts({}, REACHED, {})
    fresh = {**REACHED, 0: Reach(1, -1, "n"), 4: Reach(0, -1, "t")}
    assert overtaken(cuts, {}, fresh) == {}
    assert overtaken(cuts, {0: Position("n", 3, -1), 4: Position("t", 2, -1)}, fresh) == {0: 4, 4: 3}


def test_a_cut_is_passed_when_it_is_written_or_confirmed_or_its_life_is_over() -> None:
    cut = Cut(0, 0, 19, "t")
    assert waiting_for([cut], {0: Position("t", 19, 18)}, {0: Reach(0, 18, "t")}) == (cut,)
    assert waiting_for([cut], {0: Position("t", 19, 19)}, {0: Reach(0, -1, "t")}) == ()
    assert waiting_for([cut], {}, {0: Reach(0, 19, "t")}) == ()
    assert waiting_for([cut], {0: Position("n", 30, 30)}, {0: Reach(0, 3, "t")}) == (cut,)
    assert waiting_for([cut], {}, {0: Reach(1, -1, "n")}) == ()
    assert waiting_for([Cut(3, 0, -1)], {}, {}) == ()


WANTED = Definition("SELECT 1", "Asia/Ho_Chi_Minh", ("org_code", "field"), (("received", "status = 1"),))
ENTRY = Entry("x_by_y", "x", 3, "x_by_y_g3", State.FILLING, WANTED, (Cut(0, 1, 5, "t"),), (Chunk(0, 1, 2, 5),), 1)


def test_an_entry_comes_back_from_its_row_as_it_was() -> None:
    assert from_row({**to_row(ENTRY), "seq": 7}) == replace(ENTRY, seq=7)


def test_columns_that_mean_something_else_are_lacking() -> None:
    assert WANTED.lacks(WANTED, ["received"], ["field"]) == ()
    assert replace(WANTED, measures=(("received", "status = 2"),)).lacks(WANTED, ["received"], []) == ("received",)
    assert replace(WANTED, dimensions=("org_code",)).lacks(WANTED, ["received"], ["field"]) == ("field",)
    assert replace(WANTED, timezone="UTC").lacks(WANTED, ["received"], []) == ("received",)


def test_the_live_generation_is_read_and_numbers_are_never_used_again() -> None:
    first = replace(ENTRY, generation=0, table="x_by_y", state=State.LIVE)
    dropped = replace(ENTRY, generation=5, state=State.DROPPED)
    entries = [first, ENTRY, dropped]
    assert serving(entries, "x_by_y") == first
    assert building(entries, "x_by_y") == ENTRY
    assert next_generation(entries, "x_by_y") == 6
    assert (table_of("x_by_y", 0), table_of("x_by_y", 6)) == ("x_by_y", "x_by_y_g6")
    assert serving(entries, "z") is None
