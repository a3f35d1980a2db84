"""How a partition starts, from what the group, the topic and the warehouse say."""

from __future__ import annotations

import pytest

from streams.intent import Commit, Plan, parse_commit, plan_start

T = "topic-id"


@pytest.mark.parametrize("commit", [Commit(5, T), Commit(5, T, 9), Commit(0, T, 0)])
def test_a_commit_survives_the_round_trip_through_metadata(commit: Commit) -> None:
    assert parse_commit(commit.offset, commit.metadata) == commit


@pytest.mark.parametrize("metadata", ["", "by hand", "ioc2 x 7", "a b c d"])
def test_metadata_of_another_tool_carry_no_intent(metadata: str) -> None:
    assert parse_commit(7, metadata) == Commit(7, "")


CASES: list[tuple[str, Commit | None, int | None, tuple[int, int], Plan]] = [
    ("nothing anywhere: from the start", None, -1, (0, 10), Plan(0)),
    ("group lost, warehouse has rows: after them", None, 6, (0, 10), Plan(7)),
    ("confirmed: go on there", Commit(7, T), 6, (0, 10), Plan(7)),
    ("intended, not written: the same bounds again", Commit(7, T, 9), 6, (0, 20), Plan(10, redo=(7, 9))),
    ("intended and written: sent again all the same", Commit(7, T, 9), 9, (0, 20), Plan(10, redo=(7, 9))),
    ("warehouse restored from a backup: back to it", Commit(7, T), 2, (0, 10), Plan(3, replay_to=7)),
    ("warehouse behind an intent: back to it, nothing half done", Commit(7, T, 9), 2, (0, 20), Plan(3, replay_to=7)),
    ("offsets rewound by hand: what is written is not read again", Commit(2, ""), 6, (0, 10), Plan(7)),
    ("topic made anew: its beginning", Commit(7, "old"), -1, (0, 4), Plan(0)),
    ("retention passed the position: counted", Commit(3, T), 2, (8, 20), Plan(8, lost=5)),
    ("retention passed a warehouse that is behind", Commit(9, T), 2, (5, 20), Plan(5, replay_to=9, lost=2)),
    ("a sink that cannot tell trusts the commit", Commit(7, T), None, (0, 10), Plan(7)),
    ("a sink that cannot tell, with an intent", Commit(7, T, 8), None, (0, 10), Plan(9, redo=(7, 8))),
    ("a sink that cannot tell, no commit", None, None, (0, 10), Plan(0)),
]


@pytest.mark.parametrize(("name", "commit", "written", "kept", "plan"), CASES, ids=[case[0] for case in CASES])
def test_plan(name: str, commit: Commit | None, written: int | None, kept: tuple[int, int], plan: Plan) -> None:
    assert plan_start(commit, T, written, *kept) == plan
