"""Whose word about a position counts, whatever a worker writes that has lost its shard."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.lease import Lease
from connectors.ownership import Owner, Ownership, Position, claim_json, owner_key

SHARD = 4


def claim(state: Ownership, epoch: int, worker: str) -> bool:
    return state.apply(owner_key(SHARD), claim_json(Owner(epoch, worker), 0))


def write(state: Ownership, at: int, epoch: int, line: int = 0) -> bool:
    return state.apply("portal", Position({"at": at}, at, epoch, line, SHARD).to_json())


def cursor(state: Ownership) -> object:
    position = state.position("portal")
    return None if position is None else position.cursor


def test_a_stale_owners_position_is_ignored() -> None:
    state = Ownership()
    assert claim(state, 1, "a") and write(state, 10, 1)
    assert claim(state, 2, "b")
    assert cursor(state) == {"at": 10}
    assert write(state, 20, 2)
    assert not write(state, 11, 1)
    assert cursor(state) == {"at": 20}


def test_of_two_claims_at_once_the_first_counts() -> None:
    state = Ownership()
    assert claim(state, 1, "a")
    assert not claim(state, 1, "b")
    assert state.owner(SHARD) == Owner(1, "a")
    assert state.next_epoch() == 2


def test_a_persons_rewind_is_not_undone_by_a_page_under_way() -> None:
    state = Ownership()
    claim(state, 1, "a")
    write(state, 10, 1)
    assert write(state, 3, 0, line=1)
    assert not write(state, 11, 1, line=0)
    assert cursor(state) == {"at": 3}
    assert write(state, 4, 1, line=1)


def test_positions_of_an_earlier_release_are_read() -> None:
    state = Ownership()
    assert state.apply("portal", b'{"cursor":{"since":"2022"},"at":5}')
    assert cursor(state) == {"since": "2022"}


def test_after_compaction_a_stale_owners_word_is_better_than_none() -> None:
    state = Ownership()
    claim(state, 2, "b")
    assert write(state, 11, 1)
    assert cursor(state) == {"at": 11}


@pytest.mark.parametrize("value", [b"", b"[]", b"{}", b'{"cursor":5}', b'{"cursor":{},"epoch":"x"}'])
def test_what_is_not_understood_changes_nothing(value: bytes) -> None:
    state = Ownership()
    write(state, 10, 0)
    assert not state.apply("portal", value)
    assert not state.apply("owner:x", value)
    assert cursor(state) == {"at": 10}


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3), st.integers(0, 100)), max_size=40))
def test_once_a_new_owner_wrote_no_older_epoch_moves_the_position(steps: list[tuple[bool, int, int]]) -> None:
    state = Ownership()
    epoch_of_last = -1
    for is_claim, epoch, at in steps:
        if is_claim:
            claim(state, epoch, f"w{epoch}")
        elif write(state, at, epoch):
            position = state.position("portal")
            assert position is not None
            owner = state.owner(SHARD)
            if epoch_of_last >= 0:
                assert owner is None or epoch >= owner.epoch
            epoch_of_last = epoch


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_lease_ends_by_itself_and_a_confirmation_prolongs_it() -> None:
    clock = Clock()
    lease = Lease(6.0, clock)
    lease.confirm(0.0)
    assert not lease.held  # the distribution is not known yet
    lease.resume()
    assert lease.held
    clock.now = 6.0
    assert not lease.held
    lease.confirm(5.5)
    assert lease.held
    lease.suspend()
    assert not lease.held


def test_a_late_answer_confirms_only_from_when_it_was_asked() -> None:
    clock = Clock()
    lease = Lease(6.0, clock)
    lease.resume()
    clock.now = 10.0
    lease.confirm(3.0)
    assert not lease.held
    lease.confirm(9.0)
    lease.confirm(4.0)
    assert lease.held
