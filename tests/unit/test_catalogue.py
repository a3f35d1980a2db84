"""The catalogue on the real engine: writes that meet, and what is forgotten."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

import streams.warehouse.catalogue
from streams.generations import Definition, Entry, State, serving
from streams.warehouse.catalogue import TABLE, Catalogue
from tests.unit.kpi_tables import tables

ENTRY = Entry("x_by_y", "x", 0, "x_by_y", State.FILLING, Definition("SELECT 'a\\'b'"))


@pytest.fixture
def queries() -> Iterator[Any]:
    with tables() as (found, _):
        yield found


def test_of_two_writes_that_meet_both_are_made_one_after_the_other(queries: Any) -> None:
    mine, other = Catalogue(queries), Catalogue(queries)
    mine.change(lambda _: [ENTRY])
    asked: list[int] = []

    def one_more(entries: list[Entry]) -> list[Entry]:
        known = next(entry for entry in entries if entry.rollup == ENTRY.rollup)
        asked.append(known.done)
        if len(asked) == 1:
            other.change(lambda _: [replace(known, done=known.done + 1)])
        return [replace(known, done=known.done + 1)]

    mine.change(one_more)
    assert asked == [0, 1], "the second look sees what the other wrote"
    assert next(entry.done for entry in mine.entries() if entry.rollup == ENTRY.rollup) == 2


def test_old_progress_is_forgotten_and_what_counts_is_kept(queries: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = 20
    monkeypatch.setattr(streams.warehouse.catalogue, "KEPT_WRITES", kept)
    catalogue = Catalogue(queries)
    before = len(catalogue.entries())
    catalogue.change(lambda _: [replace(ENTRY, generation=1, state=State.LIVE)])
    for done in range(kept + 10):
        catalogue.change(lambda _, done=done: [replace(ENTRY, done=done)])  # type: ignore[misc]
    catalogue.forget()
    assert queries.rows(f"SELECT count() FROM {TABLE}")[0][0] <= kept + before + 2
    assert len(catalogue.entries()) == before + 2
    live = serving(catalogue.entries(), ENTRY.rollup)
    assert live is not None and live.generation == 1
    assert catalogue.change(lambda _: [ENTRY]) == [ENTRY]
