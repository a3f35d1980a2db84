"""Epochs: unique in their generation, growing with it, and beginning a new era when the group begins anew."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from streams.fences import Membership, next_epoch

generations = st.integers(1, 2**31 - 1)
"""Kafka counts from 1."""
members = st.uuids().map(lambda uuid: f"faust-{uuid}")


@given(st.lists(generations, min_size=2, max_size=20, unique=True), members)
def test_a_later_generation_has_a_higher_epoch_whatever_was_read(found: list[int], member: str) -> None:
    epochs = [
        0,
        *itertools.accumulate(sorted(found), lambda known, now: next_epoch(known, Membership(now, member)), initial=0),
    ]
    assert all(one < two for one, two in itertools.pairwise(epochs[2:]))
    # A worker that read an older fence, or none, comes to the same epoch: nothing depends on who reads when.
    assert {next_epoch(known, Membership(max(found), member)) for known in epochs[:-1]} == {epochs[-1]}


@given(generations, members)
def test_an_owner_that_raises_its_fence_again_keeps_its_epoch(generation: int, member: str) -> None:
    membership = Membership(generation, member)
    assert next_epoch(next_epoch(0, membership), membership) == next_epoch(0, membership)


@given(generations, generations, st.just("faust-a"), st.just("faust-b"))
def test_the_first_owner_of_a_group_that_began_anew_is_above_all_of_the_old_group(
    old: int, new: int, one: str, other: str
) -> None:
    before = next_epoch(0, Membership(old, one))
    after = next_epoch(before, Membership(min(old, new), other))
    assert after > before
    assert after > next_epoch(0, Membership(2**31 - 1, one))
    assert after < 2**63


@given(generations, members, members)
def test_two_members_of_one_generation_number_have_different_epochs(generation: int, one: str, other: str) -> None:
    first, second = Membership(generation, one), Membership(generation, other)
    if first.place != second.place:
        assert next_epoch(next_epoch(0, first), second) > next_epoch(0, first)
