"""Rows of a batch get their bookkeeping, in one order whatever the order they come in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl

from streams.block import Bounds, finish

BOUNDS = Bounds("topic", "id", 2, 3, 10, 13, 7)
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
TIMES = pl.DataFrame(
    {"offset": range(10, 14), "kafka_time": [BEGAN + timedelta(seconds=number) for number in range(4)]},
    schema={"offset": pl.Int64, "kafka_time": pl.Datetime("ms", "UTC")},
)


def rows(*offsets_and_signs: tuple[int, int]) -> pl.DataFrame:
    schema = {"offset": pl.Int64, "sign": pl.Int8}
    return pl.DataFrame(offsets_and_signs, schema=schema, orient="row")


def test_rows_in_the_order_of_their_records_are_finished_as_the_same_in_any_order() -> None:
    one_each = rows((10, 1), (11, 0), (12, 1), (13, 1))
    assert finish(one_each, TIMES, BOUNDS).equals(finish(one_each.reverse(), TIMES, BOUNDS))


def test_each_row_has_the_time_of_its_record_and_what_replaces_comes_before_what_is_taken_back() -> None:
    finished = finish(rows((12, -1), (12, 1), (10, 1)), TIMES, BOUNDS)
    assert finished.select("offset", "sign", "kafka_time").rows() == [
        (10, 1, BEGAN),
        (12, 1, BEGAN + timedelta(seconds=2)),
        (12, -1, BEGAN + timedelta(seconds=2)),
    ]
    assert finished["batch_time"].unique().to_list() == [BEGAN]


def test_a_batch_of_which_some_records_have_no_row_keeps_the_times_of_the_others() -> None:
    finished = finish(rows((11, 1), (13, 1)), TIMES, BOUNDS)
    assert finished["kafka_time"].to_list() == [BEGAN + timedelta(seconds=1), BEGAN + timedelta(seconds=3)]
