"""Healing the changes: inserting puts right whatever was doubled, lost or wrongly judged, and only what is needed."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest

from schemas.codec import dtype, empty_frame
from schemas.contract import load_contracts
from streams.block import Bounds, finish
from streams.change import compute
from streams.compensation import assertions, compensation, last_states, moved, right_rows
from tests.dossiers import final_states, life_cycles

CONTRACT = load_contracts()["dossier"]
PAYLOAD = [field.name for field in CONTRACT.fields]
BATCH = 40


def frame_of(events: list[dict[str, Any]]) -> pl.DataFrame:
    columns = {}
    for field in CONTRACT.fields:
        values = [event[field.name] for event in events]
        kind = pl.Int64() if field.base == "timestamp" else dtype(field)
        columns[field.name] = pl.Series(field.name, values, dtype=kind).cast(dtype(field))
    return pl.DataFrame(columns)


def changes_of(events: list[dict[str, Any]], skipped: frozenset[int] = frozenset()) -> pl.DataFrame:
    """The rows of `_changes` after the flow, without the batches `skipped`, which it never saw."""
    states = empty_frame(CONTRACT).select(PAYLOAD)
    states = states.with_columns(pl.lit(0, pl.Int64).alias("state_offset"), pl.lit(value=False).alias("deleted"))
    blocks = []
    for number, start in enumerate(range(0, len(events), BATCH)):
        if number in skipped:
            continue
        part = events[start : start + BATCH]
        offsets = list(range(start, start + len(part)))
        batch = frame_of(part).with_columns(pl.Series("offset", offsets, dtype=pl.Int64))
        touched = states.filter(pl.col("entity_key").is_in(batch["entity_key"]))
        changes = compute(batch, touched, CONTRACT)
        untouched = states.filter(~pl.col("entity_key").is_in(changes.states["entity_key"]))
        states = pl.concat([untouched, changes.states.select(states.columns)])
        times = pl.DataFrame({"offset": offsets, "kafka_time": [datetime(2026, 1, 1, tzinfo=UTC)] * len(part)})
        times = times.with_columns(pl.col("kafka_time").cast(pl.Datetime("ms", "UTC")))
        bounds = Bounds("t", "id", 0, 0, start, offsets[-1], 1)
        blocks.append(finish(changes.rows, times, bounds))
    return pl.concat(blocks)


def block(rows: pl.DataFrame, number: int) -> pl.DataFrame:
    return rows.filter(pl.col("first") == number * BATCH)


def healed(damaged: pl.DataFrame, lost: pl.DataFrame | None = None) -> pl.DataFrame:
    """The damaged rows and what healing adds."""
    again = [assertions(lost.with_columns(pl.lit(0, pl.UInt8).alias("heal")))] if lost is not None else []
    history = pl.concat([assertions(damaged), *again], how="diagonal_relaxed").sort("life", "partition", "offset")
    added = compensation(damaged, right_rows(history, CONTRACT), CONTRACT)
    return pl.concat([damaged, added.with_columns(pl.lit(1, pl.Int64).alias("epoch"))], how="diagonal_relaxed")


def living(rows: pl.DataFrame) -> dict[tuple[Any, ...], int]:
    """What the signs leave: content of living states and how often they count."""
    left = rows.group_by("entity_key", "state_offset", "status", "channel").agg(pl.col("sign").sum())
    return {row[:4]: row[4] for row in left.rows() if row[4]}


def primary(rows: pl.DataFrame) -> dict[tuple[int, str], int]:
    """Primary rows by offset and kind, less those taken back."""
    count: Counter[tuple[int, str]] = Counter()
    for offset, kind, heal, reason in rows.select("offset", "kind", "heal", "reason").rows():
        if kind != "retracted":
            count[offset, kind] += 1
        elif heal == 1 and reason not in ("", "retracted"):
            count[offset, reason] -= 1
    return {place: number for place, number in count.items() if number}


EVENTS = life_cycles(150, seed=3)
RIGHT = changes_of(EVENTS)


def assert_right(rows: pl.DataFrame) -> None:
    assert living(rows) == living(RIGHT)
    assert primary(rows) == primary(RIGHT)


def test_the_signs_of_the_flow_itself_leave_the_last_states() -> None:
    assert {key[0] for key in living(RIGHT)} == set(final_states(EVENTS))
    assert set(living(RIGHT).values()) == {1}


def test_what_is_right_needs_nothing() -> None:
    assert compensation(RIGHT, right_rows(assertions(RIGHT), CONTRACT), CONTRACT).height == 0


@pytest.mark.parametrize("seed", range(8))
def test_doubled_lost_and_tripled_rows_are_put_right(seed: int) -> None:
    dice = random.Random(seed)
    count = RIGHT["first"].n_unique()
    twice, thrice, gone = dice.sample(range(count), 3)
    damaged = pl.concat(
        [
            RIGHT.filter(pl.col("first") != gone * BATCH),
            block(RIGHT, twice),
            block(RIGHT, thrice),
            block(RIGHT, thrice),
        ]
    )
    assert living(damaged) != living(RIGHT)
    assert_right(healed(damaged, block(RIGHT, gone).filter(pl.col("kind") != "retracted")))


def test_a_batch_that_the_flow_never_saw_is_counted_with_all_that_followed_from_it() -> None:
    skipped = 1
    damaged = changes_of(EVENTS, frozenset([skipped]))
    mended = healed(damaged, block(RIGHT, skipped).filter(pl.col("kind") != "retracted"))
    assert_right(mended)
    wrong = living(damaged)
    assert wrong != living(RIGHT)


def test_healing_twice_changes_nothing_more_and_damage_after_it_is_healed_again() -> None:
    once = healed(pl.concat([RIGHT, block(RIGHT, 0)]))
    assert healed(once).height == once.height
    again = healed(pl.concat([once, block(RIGHT, 0)], how="diagonal_relaxed"))
    assert_right(again)


def test_every_row_that_heals_is_marked_and_says_what_it_takes_back() -> None:
    mended = healed(pl.concat([RIGHT, block(RIGHT, 0)]))
    added = mended.slice(RIGHT.height + block(RIGHT, 0).height)
    assert added.height == block(RIGHT, 0).height
    assert set(added["heal"]) == {1}
    assert set(added["kind"]) == {"retracted"}
    assert sorted(added["reason"]) == sorted(block(RIGHT, 0)["kind"])
    assert sorted(added["sign"]) == sorted(-block(RIGHT, 0)["sign"])


def test_the_states_to_show_are_the_last_ones_with_their_versions() -> None:
    shown = last_states(right_rows(assertions(RIGHT), CONTRACT), CONTRACT)
    final = final_states(EVENTS)
    assert {row["entity_key"]: row["status"] for row in shown.filter(pl.col("deleted") == 0).to_dicts()} == {
        key: event["status"] for key, event in final.items()
    }
    assert (shown["version"].cast(pl.Int64) == shown["state_offset"]).all()


def test_entities_whose_records_lie_in_two_partitions_of_one_life_are_named() -> None:
    wandering = RIGHT["entity_key"][0]
    other = RIGHT.filter(pl.col("entity_key") == wandering).with_columns(pl.lit(1, pl.Int32).alias("partition"))
    assert moved(RIGHT) == []
    assert moved(pl.concat([RIGHT, other])) == [wandering]
