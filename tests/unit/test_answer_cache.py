"""Many viewers cost one question, however long it takes, and what they see is never older than the cache says."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier

from hub.kpi.cache import LONGEST, TTL, AnswerCache

START = datetime(2026, 11, 20, 3, 0, 0, tzinfo=UTC)


class Warehouse:
    """A clock, and a question that takes its time by it."""

    def __init__(self, takes: timedelta) -> None:
        self.now, self.takes, self.asked = START, takes, 0
        self.cache: AnswerCache[int] = AnswerCache(lambda: self.now)

    def answer(self) -> int:
        self.asked += 1
        self.now += self.takes
        return self.asked

    def get(self, since: datetime | None = None) -> int:
        return self.cache.get("board", self.answer, since)


def test_a_quick_answer_is_kept_for_its_time_from_the_asking_on() -> None:
    quick = Warehouse(TTL / 2)
    quick.get()
    quick.now = START + TTL - timedelta(milliseconds=1)
    assert quick.get() == 1
    quick.now = START + TTL
    assert quick.get() == 2


def test_a_slow_answer_is_kept_as_long_as_it_took_so_that_askers_do_not_queue_for_it() -> None:
    slow = Warehouse(timedelta(seconds=2))
    assert [slow.get(), slow.get()] == [1, 1], "the next asker waited with the first one: it is given what came"
    slow.now = START + timedelta(seconds=4)
    assert slow.get() == 2


def test_whoever_asks_for_an_answer_since_a_moment_gets_none_whose_asking_began_before() -> None:
    slow = Warehouse(timedelta(seconds=2))
    slow.get()
    assert slow.get(since=START) == 1
    assert slow.get(since=START + timedelta(seconds=1)) == 2, "still kept for others, and begun too early for this one"
    assert slow.get() == 2, "the newer one is everybody's"


def test_nothing_is_kept_longer_than_the_longest_however_slow_it_was() -> None:
    stuck = Warehouse(timedelta(minutes=1))
    stuck.get()
    stuck.now += LONGEST
    assert stuck.get() == 2


def test_askers_at_once_wait_for_one_computation_even_if_it_takes_longer_than_an_answer_is_kept() -> None:
    slow = Warehouse(timedelta(seconds=1))
    start = Barrier(8)

    def ask(_: int) -> int:
        start.wait(60)
        return slow.get()

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(ask, range(8))) == {1}
    assert slow.asked == 1


def test_what_is_held_is_told_without_asking_as_long_as_it_is_fresh() -> None:
    quick = Warehouse(timedelta(0))
    assert quick.cache.held("board") is None
    quick.get()
    assert quick.cache.held("board") == 1
    quick.now = START + TTL
    assert quick.cache.held("board") is None
    assert quick.asked == 1
