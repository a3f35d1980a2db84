"""Keys of facts: no key that was written is ever taken for new, and memory stays flat."""

from __future__ import annotations

import json
import tracemalloc
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.codec import ROW
from schemas.contract import MOST_REMEMBER_DAYS, REMEMBER_DAYS, Contract, load_contracts
from schemas.errors import ContractError
from streams.fact_times import moved_facts
from streams.recent_keys import NEVER, RecentKeys

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
TODAY = 20_454
"""`BEGIN` in days since 1970."""


def days(*numbers: int) -> np.ndarray:
    return np.array(numbers, dtype=np.int32)


def hashes(*numbers: int) -> np.ndarray:
    return np.array(numbers, dtype=np.uint64)


@settings(max_examples=100, deadline=None)
@given(st.data(), st.integers(1, 5), st.booleans())
def test_a_key_that_was_written_is_never_taken_for_new(data: st.DataObject, span: int, loads: bool) -> None:
    """Facts of any age arrive in any order; a key's day is its own for ever. With and without a load in between."""
    keys = RecentKeys(span, floor=NEVER) if loads else RecentKeys(span)
    written: dict[int, int] = {}
    today = TODAY
    for _ in range(data.draw(st.integers(1, 15))):
        today += data.draw(st.integers(-1, 3))
        fresh = data.draw(st.lists(st.integers(0, 8), max_size=4))
        # The key holds its day, as a fact's does its time.
        batch = {(today - age) * 10 + number % 10: today - age for number, age in enumerate(fresh)}
        again = data.draw(st.lists(st.sampled_from(sorted(written)), max_size=3)) if written else []
        asked = {**batch, **{key: written[key] for key in again}}
        if asked:
            exists = keys.may_exist(hashes(*asked), days(*asked.values()))
            assert all(seen for key, seen in zip(asked, exists, strict=True) if key in written)
            unneeded = [
                key
                for key, seen in zip(asked, exists, strict=True)
                if seen and key not in written and asked[key] >= keys.floor
            ]
            assert unneeded == [], "a new key within the span costs no query"
            keys.add(hashes(*asked), days(*asked.values()))
            written |= asked
        keys.arrived(today)
        if loads and keys.floor == NEVER and data.draw(st.booleans()):
            loaded = RecentKeys(span, floor=today - span + 1)
            loaded.add(hashes(*written), days(*written.values()))
            keys.complete_with(loaded)
        if keys.floor != NEVER:
            assert len(keys) == sum(day >= keys.floor for day in written.values())


def test_until_all_are_loaded_every_key_is_looked_up() -> None:
    keys = RecentKeys(3, floor=NEVER)
    assert keys.may_exist(hashes(1), days(TODAY)).all()
    keys.add(hashes(1, 2), days(TODAY, TODAY - 9))
    keys.arrived(TODAY)
    loaded = RecentKeys(3, floor=TODAY - 2)
    loaded.add(hashes(4), days(TODAY - 1))
    keys.complete_with(loaded)
    asked, when = hashes(1, 2, 3, 4), days(TODAY, TODAY - 9, TODAY, TODAY - 1)
    assert keys.may_exist(asked, when).tolist() == [True, True, False, True]
    assert len(keys) == 2


def test_the_floor_never_falls_when_an_old_partition_catches_up() -> None:
    keys = RecentKeys(3)
    keys.arrived(TODAY)
    keys.arrived(TODAY - 100)
    assert keys.floor == TODAY - 2


def test_who_asks_while_days_are_forgotten_never_misses_a_key() -> None:
    """The floor and its days are taken together: `_view` is read once."""
    keys = RecentKeys(1)
    keys.add(hashes(1), days(TODAY))

    class Forgetful:
        """Days go forward at the moment the floor has been looked at."""

        def __init__(self, view: object) -> None:
            self._was = view

        @property
        def floor(self) -> int:
            keys._view = self._was  # type: ignore[assignment]
            keys.arrived(TODAY + 5)
            return self._was.floor  # type: ignore[attr-defined, no-any-return]

        @property
        def days(self) -> object:
            return self._was.days  # type: ignore[attr-defined]

    keys._view = Forgetful(keys._view)  # type: ignore[assignment]
    assert keys.may_exist(hashes(1), days(TODAY)).all()
    assert keys.floor == TODAY + 5


def test_memory_is_flat_over_a_year() -> None:
    """5,000 readings a day, some of them of last week or last year, half of them twice; 40 days are remembered."""
    keys = RecentKeys(REMEMBER_DAYS)
    dice = np.random.default_rng(7)
    a_day, sizes, counts = 5_000, [], []
    tracemalloc.start()
    try:
        for today in range(TODAY, TODAY + 365):
            ages = dice.choice([0, 1, 7, 300], size=a_day, p=[0.9, 0.06, 0.03, 0.01])
            when = (today - ages).astype(np.int32)
            ids = dice.integers(0, 2**63, size=a_day, dtype=np.uint64)
            for _ in range(2):
                keys.add(ids, when)
            keys.arrived(today)
            if today - TODAY >= REMEMBER_DAYS:
                sizes.append(tracemalloc.get_traced_memory()[0])
                counts.append(len(keys))
    finally:
        tracemalloc.stop()
    first_month = sum(sizes[:30]) / 30
    assert max(sizes) <= 1.1 * first_month
    assert min(sizes) >= 0.8 * first_month
    assert max(counts) <= REMEMBER_DAYS * a_day
    # 8 bytes a key, and what is left of merges.
    assert max(sizes) < 12 * REMEMBER_DAYS * a_day


def records(*rows: tuple[str, datetime, str]) -> pl.DataFrame:
    schema = {"entity_key": pl.String, "event_time": pl.Datetime("ms", "UTC"), "op": pl.String}
    return pl.DataFrame(list(rows), schema=schema, orient="row").with_row_index(ROW)


def test_a_correction_or_a_deletion_of_an_unknown_fact_is_looked_up() -> None:
    keys = RecentKeys(3)
    keys.arrived(TODAY)
    old = BEGIN - timedelta(days=30)
    batch = records(
        ("new", BEGIN, "UPSERT"), ("corrected", BEGIN, "CORRECT"), ("gone", BEGIN, "DELETE"), ("old", old, "UPSERT")
    )
    assert keys.to_look_up(batch).to_list() == ["corrected", "gone", "old"]
    keys.written(batch, TODAY)
    assert keys.to_look_up(batch).to_list() == ["new", "corrected", "gone", "old"]


def test_a_record_that_moves_a_known_fact_is_refused_whatever_batch_it_comes_in() -> None:
    later = BEGIN + timedelta(days=2)
    sent = records(
        ("a", BEGIN, "UPSERT"),
        ("a", later, "DELETE"),
        ("b", later, "UPSERT"),
        ("a", BEGIN, "CORRECT"),
        ("b", BEGIN, "UPSERT"),
    )
    assert [bad.row for bad in moved_facts(sent, sent.clear())] == [1, 4]
    for cut in range(1, 5):
        before = sent.head(cut)
        refused = [bad.row for bad in moved_facts(before, sent.clear())]
        states = before.filter(~pl.col(ROW).is_in(refused)).unique("entity_key", keep="last")
        assert refused + [bad.row for bad in moved_facts(sent.slice(cut), states)] == [1, 4]


@pytest.fixture
def dossier() -> Contract:
    return load_contracts()["dossier"]


def test_only_facts_are_forgotten(dossier: Contract) -> None:
    assert dossier.remember_days is None
    assert replace(dossier, kind="fact").remember_days == REMEMBER_DAYS
    assert replace(dossier, kind="fact", schema={**dossier.schema, "remember_days": 7}).remember_days == 7


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ({"kind": "facts"}, "kind: 'facts' is not one of entity, fact"),
        ({"kind": "fact", "remember_days": 0}, f"0 is no number of days from 1 to {MOST_REMEMBER_DAYS}"),
        ({"kind": "fact", "remember_days": "a week"}, "'a week' is no number of days"),
        ({"kind": "entity", "remember_days": 7}, "only the keys of facts are forgotten"),
    ],
)
def test_a_contract_says_how_long_plainly(
    dossier: Contract, tmp_path: Path, declared: dict[str, object], message: str
) -> None:
    (tmp_path / "environment").mkdir()
    path = tmp_path / "environment" / "reading.avsc"
    path.write_text(json.dumps({**dossier.schema, **declared}), encoding="utf-8")
    with pytest.raises(ContractError, match=message) as caught:
        load_contracts(tmp_path)
    assert "reading.avsc" in str(caught.value)
