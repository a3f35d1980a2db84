"""Processes that are killed or stopped at any point: afterwards the books are the ledgers', nothing lost or double."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from tests import books
from tests.books import Books
from tests.faults import units
from tests.stack import ioc, start_stack

SCALE = 0.05
"""About 5,000 dossiers and 30,000 events."""
LIVE_RATE = 30
"""Live events per second of each system: there is always a batch on its way."""

ROUNDS = (("stream",), ("warehouse",), ("stream", "connect"), ("hub",), ("stream", "kafka"))


@pytest.fixture(scope="module")
def loading(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Books]:
    """A stack that loads its history and gets many live events meanwhile."""
    with (
        start_stack(tmp_path_factory.mktemp("killed"), SCALE, LIVE_RATE) as stack,
        books.opened(stack) as opened,
    ):
        yield opened


@pytest.mark.long
@pytest.mark.timeout(900)
async def test_killed_processes_lose_nothing_and_count_nothing_twice(loading: Books) -> None:
    await units.kill_in_rounds(loading, ROUNDS)


@pytest.mark.long
@pytest.mark.timeout(900)
async def test_a_stack_stopped_and_started_again_goes_on_where_it_was(loading: Books) -> None:
    units.resume_emitting(loading.stack)
    units.wait_for_more(loading, 50)
    ioc(loading.stack.environment, "down")
    ioc(loading.stack.environment, "up", "--wait", "--timeout", "120", timeout_s=180)
    units.wait_for_more(loading, 50)
    await units.settle_and_check(loading)


@pytest.mark.long
@pytest.mark.timeout(1500)
async def test_a_stream_worker_killed_twenty_times_under_threefold_shuffled_load(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    tricks = {"IOC_DEMO_EACH": "3", "IOC_DEMO_SHUFFLE_MINUTES": "10"}
    chance = random.Random(20)
    with (
        start_stack(tmp_path_factory.mktemp("twenty"), 0.1, LIVE_RATE, tricks) as stack,
        books.opened(stack) as opened,
    ):
        for _ in range(20):
            units.wait_for_more(opened, chance.randrange(1, 60))
            units.kill(stack, "stream")
        await units.settle_and_check(opened)
        sent_again = opened.warehouse.rows(
            f"SELECT count(), uniqExact(event_id) FROM feedback_changes WHERE {books.PRIMARY}"
        )[0]
        assert sent_again[0] >= 3 * sent_again[1]
