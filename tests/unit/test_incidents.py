"""Incidents: when an abnormal state becomes one, when it ends, and what a restart leaves of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.health.incident import Incident, Judgement, Ledger, fold
from hub.health.states import ABNORMAL, STATES, VOCABULARY, worse

BEGIN = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
EVERY = timedelta(seconds=5)


def run(states: Sequence[str], ledger: Ledger | None = None) -> tuple[Ledger, list[Incident]]:
    """One judgement of one data set every 5 s."""
    kept, found = ledger or Ledger(), []
    for number, state in enumerate(states):
        now = BEGIN + EVERY * number
        kept, changed = fold(kept, [Judgement("portal", "H53", "dossier", state, now)], now)
        found += changed
    return kept, found


@pytest.mark.parametrize(
    ("state", "judgements"),
    [
        ("credentials", 1),
        ("source_down", 2),
        ("rejected", 2),
        ("clock_skew", 2),
        ("stuck_connector", 1),
        ("stuck_stream", 3),
        ("stuck_warehouse", 1),
        ("late", 1),
        ("unknown", 61),
    ],
)
def test_a_state_becomes_an_incident_when_it_has_been_found_often_and_long_enough(state: str, judgements: int) -> None:
    assert run([state] * (judgements - 1))[1] == []
    _, (opened,) = run([state] * judgements)
    assert (opened.state, opened.began, opened.ended) == (state, BEGIN, None)


@pytest.mark.parametrize("state", sorted(set(STATES) - ABNORMAL))
def test_what_is_not_abnormal_never_becomes_one(state: str) -> None:
    assert run([state] * 200)[1] == []


def test_it_ends_after_two_judgements_without_it() -> None:
    _, found = run(["source_down"] * 2 + ["on_time", "source_down", "on_time", "on_time"])
    assert [one.ended for one in found] == [None, BEGIN + EVERY * 5]


def test_another_state_makes_another_incident() -> None:
    _, found = run(["late"] * 3 + ["source_down"] * 3)
    assert [(one.state, one.ended is None) for one in found] == [
        ("late", True), ("late", False), ("source_down", True),
    ]  # fmt: skip


def test_a_monitor_that_starts_again_goes_on_with_what_is_open() -> None:
    _, (opened,) = run(["late"])
    again = Ledger.of([Incident.from_json(opened.to_json())])
    assert run(["late"] * 5, again)[1] == []
    (ended,) = run(["on_time"] * 2, again)[1]
    assert (ended.id, ended.began) == (opened.id, BEGIN)


def test_a_data_set_that_is_gone_has_no_incident_any_more() -> None:
    kept, _ = run(["late"])
    kept, (ended,) = fold(kept, [], BEGIN + EVERY)
    assert ended.ended == BEGIN + EVERY
    assert kept == Ledger()


@given(st.lists(st.sampled_from(STATES), max_size=60))
def test_there_is_never_more_than_one_open_and_each_ends_once(states: list[str]) -> None:
    kept, found = run(states)
    begun = [one.id for one in found if one.ended is None]
    ended = [one.id for one in found if one.ended is not None]
    assert len(begun) == len(set(begun))
    assert len(ended) == len(set(ended))
    assert set(begun) - set(ended) == {one.id for one in kept.open.values()}
    assert all(one.ended >= one.began for one in found if one.ended is not None)


def test_precedence_is_the_order_of_the_vocabulary() -> None:
    assert worse("late", "credentials") == "credentials"
    assert [state.code for state in VOCABULARY][:3] == ["unknown", "paused", "credentials"]
