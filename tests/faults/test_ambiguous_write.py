"""The write took place and the answer is lost, or nobody knows: the identical block again, and nothing twice."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.dossiers import life_cycles
from tests.faults.group import Feed, assert_exact, group
from tests.faults.wire import Insert, Relay, relay
from tests.stream_worker import Bench, bench

RATE = 3_000.0
LOST = (1, 2, 0)
"""How many answers of a batch's block are lost, batch after batch: there are at least as many as partitions."""


@pytest.fixture
def table(kafka: str, warehouse: str, tmp_path: Path) -> Iterator[Bench]:
    with bench(kafka, warehouse, f"w{uuid.uuid4().hex[:8]}", tmp_path) as ready:
        yield ready


@pytest.fixture
def wire(warehouse: str) -> Iterator[Relay]:
    with relay(warehouse) as running:
        yield running


def by_token(wire: Relay, table: Bench) -> dict[str, list[Insert]]:
    """Attempts at each block of the table's changes, in order; blocks in the order of their first attempt.

    The worker writes what other tests left on the topic of the quarantine too, under tokens of their own.
    """
    found: dict[str, list[Insert]] = defaultdict(list)
    for insert in list(wire.inserts):
        if table.contract.changes_table in insert.statement:
            found[insert.token].append(insert)
    return found


@pytest.mark.long
def test_a_block_whose_answer_is_lost_is_sent_again_byte_for_byte_and_counts_once(table: Bench, wire: Relay) -> None:
    to_lose: dict[str, int] = {}

    def lose(insert: Insert) -> bool:
        if table.contract.changes_table not in insert.statement:
            return False  # what other tests left on the topic of the quarantine
        left = to_lose.setdefault(insert.token, LOST[len(to_lose) % len(LOST)])
        to_lose[insert.token] = left - 1
        return left > 0

    wire.lose = lose
    with group(table) as running:
        worker = running.start(wire.url)
        worker.wait_until_it_works()
        with Feed(table, life_cycles(2_500, seed=4), RATE) as feed:
            assert_exact(running, feed.finish())
        # The rows are right before the last answer has come through.
        table.wait(lambda: all(sent[-1].answered for sent in by_token(wire, table).values()), within_s=30)
        worker.stop()
    attempts = by_token(wire, table)
    assert sum(len(sent) == 2 for sent in attempts.values()) >= 1
    assert sum(len(sent) == 3 for sent in attempts.values()) >= 1
    for sent in attempts.values():
        assert len({(insert.line, insert.digest) for insert in sent}) == 1, sent
        assert [insert.answered for insert in sent] == [False] * (len(sent) - 1) + [True]
    # As many tokens as blocks have rows: no block was cut anew, none was given up.
    block = "if(joint = '', concat(partition::String, '-', `first`::String, '-', `last`::String), joint)"
    blocks = table.warehouse.rows(f"SELECT uniqExact({block}) FROM {table.contract.changes_table}")
    assert int(blocks[0][0]) == len(attempts)
