"""How a partition starts, from what the group, the topic and the warehouse say."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.without import Without
from streams.intent import NOTHING, Commit, Loss, Plan, Written, gap_loss, parse_commit, plan_start

T = "topic-id"


@pytest.mark.parametrize(
    "commit",
    [
        Commit(5, T),
        Commit(5, T, 9),
        Commit(0, T, 0),
        Commit(5, T, 9, Without(frozenset({1, 2**32 - 1}))),
        Commit(5, T, 9, Without(frozenset({7}), all_but=True)),
        Commit(5, T, 9, Without(all_but=True)),
    ],
)
def test_a_commit_survives_the_round_trip_through_metadata(commit: Commit) -> None:
    assert parse_commit(commit.offset, commit.metadata) == commit


@pytest.mark.parametrize("metadata", ["", "by hand", "ioc2 x 7", "a b c d"])
def test_metadata_of_another_tool_carry_no_intent(metadata: str) -> None:
    assert parse_commit(7, metadata) == Commit(7, "")


def w(first: int, last: int, lost_to: int = -1) -> Written:
    return Written(first, last, lost_to)


CASES: list[tuple[str, Commit | None, Written | None, tuple[int, int], Plan]] = [
    ("nothing anywhere: from the start", None, NOTHING, (0, 10), Plan(0)),
    ("group lost, warehouse has rows: after them", None, w(4, 6), (0, 10), Plan(7, resend=(4, 6))),
    ("confirmed: go on there", Commit(7, T), w(4, 6), (0, 10), Plan(7)),
    ("intended, not written: the same bounds again", Commit(7, T, 9), w(4, 6), (0, 20), Plan(10, redo=(7, 9))),
    ("intended and written: sent again all the same", Commit(7, T, 9), w(7, 9), (0, 20), Plan(10, redo=(7, 9))),
    (
        "warehouse restored from a backup: its last batch completed, then back to it",
        Commit(7, T),
        w(0, 2),
        (0, 10),
        Plan(3, replay_to=7, resend=(0, 2)),
    ),
    (
        "warehouse behind an intent: back to it, nothing half done",
        Commit(7, T, 9),
        w(0, 2),
        (0, 20),
        Plan(3, replay_to=7, resend=(0, 2)),
    ),
    ("warehouse empty: everything again", Commit(7, T), NOTHING, (0, 10), Plan(0, replay_to=7)),
    (
        "offsets rewound by hand: what is written is not read again, and its last batch may be half done",
        Commit(2, ""),
        w(4, 6),
        (0, 10),
        Plan(7, resend=(4, 6)),
    ),
    ("offsets moved ahead by hand: nothing is skipped", Commit(9, ""), w(4, 6), (0, 10), Plan(7, None, 9, (), (4, 6))),
    ("offsets set by hand where they were", Commit(7, ""), w(4, 6), (0, 10), Plan(7, resend=(4, 6))),
    ("topic made anew: its beginning", Commit(7, "old"), NOTHING, (0, 4), Plan(0)),
    ("topic made anew, and retention was quicker", Commit(7, "old"), NOTHING, (3, 4), Plan(3, lost=(Loss(0, 2),))),
    ("retention passed the position: counted", Commit(3, T), w(0, 2), (8, 20), Plan(8, lost=(Loss(3, 7),))),
    ("a loss on record is not counted again", Commit(8, T), w(0, 2, 7), (8, 20), Plan(8)),
    ("a loss on record that grew: only what is new", Commit(8, T), w(0, 2, 7), (9, 20), Plan(9, lost=(Loss(8, 8),))),
    (
        "retention passed a warehouse that is behind",
        Commit(9, T),
        w(0, 2),
        (5, 20),
        Plan(5, replay_to=9, lost=(Loss(3, 4),), resend=(0, 2)),
    ),
    (
        "part of an intended batch is gone and not written: counted, the rest is redone",
        Commit(7, T, 9),
        w(4, 6),
        (8, 20),
        Plan(10, redo=(7, 9), lost=(Loss(7, 7),)),
    ),
    (
        "an intended batch is gone and not written: all of it is counted",
        Commit(7, T, 9),
        w(4, 6),
        (12, 20),
        Plan(12, redo=(7, 9), lost=(Loss(7, 11),)),
    ),
    (
        "an intended batch is gone from the topic, but it is written: its rows again, nothing is lost",
        Commit(7, T, 9),
        w(7, 9),
        (10, 20),
        Plan(10, redo=(7, 9)),
    ),
    ("a sink that cannot tell trusts the commit", Commit(7, T), None, (0, 10), Plan(7)),
    ("a sink that cannot tell, with an intent", Commit(7, T, 8), None, (0, 10), Plan(9, redo=(7, 8))),
    ("a sink that cannot tell, no commit", None, None, (0, 10), Plan(0)),
]


@pytest.mark.parametrize(("name", "commit", "written", "kept", "plan"), CASES, ids=[case[0] for case in CASES])
def test_plan(name: str, commit: Commit | None, written: Written | None, kept: tuple[int, int], plan: Plan) -> None:
    assert plan_start(commit, T, written, *kept) == plan


@st.composite
def situations(draw: st.DrawFn) -> tuple[Commit | None, Written, int, int]:
    """A commit of ours, of another tool or of another topic; a warehouse anywhere; a log of which some is gone."""
    end = draw(st.integers(0, 40))
    start = draw(st.integers(0, end))
    last = draw(st.integers(-1, end - 1))
    first = draw(st.integers(0, max(last, 0)))
    lost_to = draw(st.one_of(st.just(-1), st.integers(last, end - 1))) if last < end - 1 else -1
    offset = draw(st.integers(0, end))
    intended = draw(st.one_of(st.none(), st.integers(offset, end - 1))) if offset < end else None
    if intended is not None and offset <= last:
        # A batch is written whole, and the one that is intended is the last one.
        first, last = offset, max(intended, last)
        intended, lost_to = last, -1
    topic = draw(st.sampled_from([T, "", "old"]))
    commit = draw(st.sampled_from([None, Commit(offset, topic, intended if topic else None)]))
    return commit, Written(first, last, lost_to), start, end


@settings(max_examples=500)
@given(situations())
def test_every_offset_is_written_redone_read_or_counted_as_lost(
    situation: tuple[Commit | None, Written, int, int],
) -> None:
    commit, written, start, end = situation
    plan = plan_start(commit, T, written, start, end)
    kept = set(range(start, end))
    redone = set(range(plan.redo[0], plan.redo[1] + 1)) if plan.redo else set()
    lost = [offset for loss in plan.lost for offset in range(loss.first, loss.last + 1)]
    done = set(range(written.end)) | (redone & kept) | set(range(plan.position, end))
    for offset in range(end):
        assert (offset in done) != (offset in lost), offset
    assert len(lost) == len(set(lost))
    assert not kept & set(lost)
    assert plan.replay_to is None or plan.replay_to > plan.position


def test_what_retention_took_in_mid_flow_is_told_from_offsets_without_a_record() -> None:
    assert gap_loss(5, 9, log_start=0) is None
    assert gap_loss(5, 9, log_start=9) == Loss(5, 8)
    assert gap_loss(5, 9, log_start=7) == Loss(5, 6)
    assert gap_loss(5, 9, log_start=20) == Loss(5, 8)
