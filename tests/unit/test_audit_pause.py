"""How long the audit beside the flow pauses after a turn."""

from __future__ import annotations

import pytest

from streams.audit_idle import BUSY_SHARE, IDLE_SHARE, PAUSE_LEAST_S, PAUSE_MOST_S, TURN_S, pause_after


@pytest.mark.parametrize("round_done", [True, False])
@pytest.mark.parametrize("spent_s", [0.1, 0.5, TURN_S, 3.0])
def test_while_records_arrive_it_has_its_share_and_no_more(spent_s: float, round_done: bool) -> None:
    assert spent_s / pause_after(spent_s, moved=True, round_done=round_done) == pytest.approx(BUSY_SHARE)


def test_while_none_do_a_long_round_has_its_share() -> None:
    assert pause_after(TURN_S, moved=False, round_done=False) == pytest.approx(TURN_S / IDLE_SHARE)


def test_while_none_do_a_round_of_one_turn_comes_again_soon() -> None:
    assert pause_after(TURN_S, moved=False, round_done=True) == PAUSE_MOST_S < TURN_S / IDLE_SHARE


@pytest.mark.parametrize("moved", [True, False])
def test_a_turn_that_cost_nothing_is_not_followed_by_the_next_at_once(moved: bool) -> None:
    assert pause_after(0.0, moved=moved, round_done=True) == PAUSE_LEAST_S
