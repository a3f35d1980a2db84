"""Byte strings as one column: with the meaning of a sequence, whatever is cut and joined."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from schemas.octets import Octets
from streams.records import Records, Waiting

some_bytes = st.lists(st.none() | st.binary(max_size=6), max_size=12)


@given(some_bytes)
def test_it_reads_as_the_values_it_was_made_of(values: list[bytes | None]) -> None:
    octets = Octets.of(values)
    assert list(octets) == values == [octets[row] for row in range(len(octets))]
    assert octets.series().to_list() == values
    assert octets.nulls == values.count(None)
    assert octets.sizes.tolist() == [len(value or b"") for value in values]
    assert bytes(octets.data) == b"".join(value or b"" for value in values)
    assert Octets.of(octets) is octets


@given(some_bytes, st.data())
def test_a_part_is_the_same_as_what_is_made_of_that_part(values: list[bytes | None], data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(values)))
    end = data.draw(st.integers(start, len(values)))
    part, wanted = Octets.of(values).part(start, end), values[start:end]
    assert part == Octets.of(wanted)
    assert (list(part), bytes(part.data)) == (wanted, b"".join(value or b"" for value in wanted))
    assert part.sizes.tolist() == [len(value or b"") for value in wanted]
    assert part.size == Octets.of(wanted).size


@given(some_bytes, st.data())
def test_chosen_rows_and_joined_parts_keep_their_order(values: list[bytes | None], data: st.DataObject) -> None:
    rows = data.draw(st.lists(st.integers(0, len(values) - 1), max_size=9)) if values else []
    octets = Octets.of(values)
    assert list(octets.at(rows)) == [values[row] for row in rows]
    cut = data.draw(st.integers(0, len(values)))
    assert Octets.joined([octets.part(cut, len(values)), octets.part(0, cut)]) == Octets.of(values[cut:] + values[:cut])


@given(st.lists(some_bytes.filter(bool), min_size=1, max_size=6), st.integers(1, 9))
def test_what_waits_is_taken_in_order_and_in_full_batches(parts: list[list[bytes | None]], most: int) -> None:
    waiting, offset = Waiting(), 100
    for values in parts:
        numbers = range(offset, offset + len(values))
        waiting.push(Records.of(numbers, numbers, values, values))
        offset += len(values)
    taken: list[Records] = []
    before = waiting.size
    while waiting:
        records, size = waiting.take(most, 1 << 30)
        assert before - size == waiting.size
        assert waiting.records == sum(len(part) for part, _ in waiting.parts)
        before = waiting.size
        taken.append(records)
    assert waiting.size == 0
    assert [number for records in taken for number in records.offsets] == list(range(100, offset))
    assert [number for records in taken for number in records.times] == list(range(100, offset))
    assert [value for records in taken for value in records.values] == [value for part in parts for value in part]
    assert all(len(records) == most for records in taken[:-1])


def test_a_batch_ends_before_the_part_with_which_it_would_be_too_large() -> None:
    waiting = Waiting()
    for number in range(3):
        waiting.push(Records.of([number], [0], [b"k"], [b"v" * 1000]))
    records, size = waiting.take(10, 2 * waiting.size // 3)
    assert (list(records.offsets), size) == ([0, 1], 2 * waiting.size)
    assert list(waiting.take(10, 1)[0].offsets) == [2], "one is taken however large it is"
