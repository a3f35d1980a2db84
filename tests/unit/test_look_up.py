"""Partitions that miss states ask the warehouse together."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import polars as pl
import pytest

from streams.block import Bounds
from streams.errors import WarehouseUnavailableError
from streams.look_up import LONGEST_S, WORTH_COMPANY, SharedLookUp
from streams.store import ALL_GRANULES, MANY_KEYS
from tests.core_in_process import Core
from tests.dossiers import dossier


class Pass:
    """Answers when it is let to, and notes what each question was for."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.begun = threading.Semaphore(0)
        self.go = threading.Semaphore(0)
        self.error: Exception | None = None

    def __call__(self, keys: list[str]) -> pl.DataFrame:
        self.asked.append(sorted(keys))
        self.begun.release()
        assert self.go.acquire(timeout=20)
        if self.error is not None:
            raise self.error
        return pl.DataFrame({"entity_key": keys, "state": [f"state of {key}" for key in keys]})


def waiting_for(look_up: SharedLookUp, count: int) -> None:
    deadline = time.monotonic() + 20
    with look_up._changed:
        assert look_up._changed.wait_for(lambda: len(look_up._waiting) >= count, deadline - time.monotonic())


def test_who_asks_while_a_question_is_answered_is_in_the_next_one_and_gets_his_own_states() -> None:
    answers = Pass()
    look_up = SharedLookUp(answers)
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(look_up.states, 0, ["a"])
        assert answers.begun.acquire(timeout=20)
        others = [pool.submit(look_up.states, number, [key, "same"]) for number, key in ((1, "b"), (2, "c"))]
        waiting_for(look_up, 2)
        answers.go.release(2)
        assert first.result(20)["state"].to_list() == ["state of a"]
        for other, key in zip(others, "bc", strict=True):
            assert set(other.result(20)["entity_key"]) == {key, "same"}
    assert answers.asked == [["a"], ["b", "c", "same", "same"]]


def test_a_failure_is_told_to_all_who_asked_and_the_next_question_is_asked_anew() -> None:
    answers = Pass()
    answers.error = WarehouseUnavailableError("away")
    look_up = SharedLookUp(answers)
    with ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(look_up.states, number, ["a"]) for number in (0, 1)]
        answers.go.release(2)
        for one in asked:
            with pytest.raises(WarehouseUnavailableError, match="away"):
                one.result(20)
    answers.error = None
    answers.go.release()
    assert look_up.states(0, ["a"]).height == 1


def test_a_question_of_few_keys_waits_for_nobody() -> None:
    look_up = SharedLookUp(lambda keys: pl.DataFrame({"entity_key": keys}))
    look_up._lately, look_up._took_s = (frozenset({0}), frozenset({1})), 1000.0
    began = time.monotonic()
    look_up.states(0, ["a"] * (WORTH_COMPANY - 1))
    assert time.monotonic() - began < LONGEST_S


def test_it_waits_for_as_many_as_asked_lately_and_not_longer_than_its_share_of_the_last_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("streams.look_up.WORTH_COMPANY", 1)
    now = [0.0]

    def slow(keys: list[str]) -> pl.DataFrame:
        asked.append(sorted(keys))
        now[0] += took[0]
        return pl.DataFrame({"entity_key": keys})

    asked: list[list[str]] = []
    took = [1000.0]
    look_up = SharedLookUp(slow, lambda: now[0])
    began = time.monotonic()
    look_up.states(0, ["a"])
    look_up.states(0, ["a"])
    assert time.monotonic() - began < LONGEST_S, "nobody else has asked: nothing is waited for"
    look_up._lately = (frozenset({0}), frozenset({1}))
    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(look_up.states, 0, ["a"])
        deadline = time.monotonic() + 20
        while not look_up._turn.locked():
            assert time.monotonic() < deadline
        assert not one.done()
        two = pool.submit(look_up.states, 1, ["b"])
        one.result(20)
        two.result(20)
    assert asked == [["a"], ["a"], ["a", "b"]]
    took[0] = 0.01
    look_up._took_s = 0.01
    began = time.monotonic()
    look_up.states(0, ["a"])
    assert time.monotonic() - began < LONGEST_S, "the other one did not come, and the last answer took no time"


ODD = ["it's", "back\\slash", "\\'", "tab\tkey", "đ/01", "%s", "{x:Int}"]
"""Keys that a statement could mistake for something else."""


@pytest.mark.parametrize("also", [[], ["two\nlines"]], ids=["", "a key of two lines"])
@pytest.mark.parametrize("strangers", [0, MANY_KEYS, ALL_GRANULES])
def test_states_are_found_whatever_the_keys_are_and_however_many(table: Core, also: list[str], strangers: int) -> None:
    known = [*ODD, *also]
    table.feed([{**dossier(number, 1), "entity_key": key} for number, key in enumerate(known)], at=1_750_000_000_000)
    asked = [f"unknown-{number}" for number in range(strangers)] + known
    found = table.sink.store.current_states(asked)
    assert sorted(found["entity_key"]) == sorted(known)
    before = table.sink.store.states_before(asked, Bounds("t", table.name, 0, 0, 10**6, 10**6, 1))
    assert sorted(before["entity_key"]) == sorted(known)
