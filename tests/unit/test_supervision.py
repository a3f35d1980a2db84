"""What the supervisor decides: pure rules, no process and no clock."""

from __future__ import annotations

import pytest

from hub import supervision
from hub.supervision import LONGEST_PAUSE_S, STEADY_AFTER_S, Phase, Plan, State

KAFKA = Plan("kafka")
TOPICS = Plan("topics", ("kafka",), once=True)
STREAM = Plan("stream", ("topics", "warehouse"))
WAREHOUSE = Plan("warehouse")


def test_a_unit_waits_for_what_it_needs() -> None:
    states = {"kafka": State(Phase.STARTING), "topics": State(), "warehouse": State(Phase.READY), "stream": State()}
    assert not supervision.due(TOPICS, states, 0.0)
    states["kafka"] = State(Phase.READY)
    assert supervision.due(TOPICS, states, 0.0)
    assert not supervision.due(STREAM, states, 0.0)
    states["topics"] = State(Phase.DONE)
    assert supervision.due(STREAM, states, 0.0)


def test_an_eager_unit_starts_before_its_needs_but_is_stopped_before_them() -> None:
    hub = Plan("hub", ("kafka",), eager=True)
    assert supervision.due(hub, {"kafka": State(), "hub": State()}, 0.0)
    assert supervision.stop_waves([KAFKA, hub]) == [["hub"], ["kafka"]]


def test_a_running_unit_is_not_due() -> None:
    for phase in (Phase.STARTING, Phase.READY, Phase.DONE, Phase.STOPPED):
        assert not supervision.due(KAFKA, {"kafka": State(phase)}, 1e9)


def test_a_dead_unit_is_started_again_after_a_pause_that_grows_and_never_ends_for_good() -> None:
    state, now, pauses = State(), 0.0, []
    for _ in range(40):
        state = supervision.died(KAFKA, supervision.started(state, now), 1, now)
        pauses.append(state.again_at - now)
        assert not supervision.due(KAFKA, {"kafka": state}, state.again_at - 0.01)
        assert supervision.due(KAFKA, {"kafka": state}, state.again_at)
        now = state.again_at
    assert pauses == sorted(pauses)
    assert pauses[0] <= 1.0
    assert pauses[-1] == LONGEST_PAUSE_S


def test_a_unit_that_was_up_for_long_is_forgiven_its_earlier_deaths() -> None:
    before = State(Phase.READY, since=100.0, deaths=7)
    assert supervision.died(KAFKA, before, 1, 100.0 + STEADY_AFTER_S).deaths == 1
    assert supervision.died(KAFKA, before, 1, 101.0).deaths == 8


def test_work_that_is_to_be_done_once_is_done_only_if_it_succeeds() -> None:
    running = supervision.started(State(), 0.0)
    assert supervision.died(TOPICS, running, 0, 1.0).phase is Phase.DONE
    assert supervision.died(TOPICS, running, 1, 1.0).phase is Phase.PAUSING
    assert supervision.died(KAFKA, running, 0, 1.0).phase is Phase.PAUSING


def test_units_stop_in_the_reverse_of_their_needs() -> None:
    assert supervision.stop_waves([KAFKA, WAREHOUSE, TOPICS, STREAM]) == [
        ["stream"],
        ["topics", "warehouse"],
        ["kafka"],
    ]


def test_a_circle_of_needs_is_refused() -> None:
    with pytest.raises(ValueError, match="circle: a, b"):
        supervision.stop_waves([Plan("a", ("b",)), Plan("b", ("a",))])
