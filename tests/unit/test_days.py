"""Events of any age, in any order, change the bucket of their own day in the province's zone."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tests.core_in_process import TIMEZONE, Core
from tests.dossiers import dossier

NOW = datetime(2026, 11, 20, 3, tzinfo=UTC)
ZONE = ZoneInfo(TIMEZONE)
BORDERS = [
    date(1975, 6, 13),  # the zone went from +08 to +07 in the night before
    date(1999, 12, 31),
    date(2000, 1, 1),
    date(2016, 2, 29),
    date(2016, 3, 1),
    date(2021, 7, 1),
    date(2022, 1, 1),
    date(2022, 10, 1),
    date(2026, 11, 20),
]


def ms(time: datetime) -> int:
    return (time - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def received(table: Core) -> dict[date, int]:
    rows = table.warehouse.rows(
        f"SELECT day, sum(received) AS n FROM {table.name}_by_received_at GROUP BY day HAVING n != 0"
    )
    return dict(rows)


def test_the_last_and_the_first_instant_of_a_day_fall_on_either_side_of_the_province_s_midnight(table: Core) -> None:
    instants = [
        datetime(day.year, day.month, day.day, tzinfo=ZONE).astimezone(UTC) + timedelta(milliseconds=shift)
        for day in BORDERS
        for shift in (-1, 0, 1)
    ]
    events = [dossier(n, 1, received_at=ms(time), event_time=ms(time)) for n, time in enumerate(instants)]
    random.Random(4).shuffle(events)
    for first in range(0, len(events), 9):
        table.feed(events[first : first + 9], at=ms(NOW))
    assert received(table) == Counter(time.astimezone(ZONE).date() for time in instants)


def test_a_record_years_late_moves_what_was_counted_years_ago(table: Core) -> None:
    old, older = datetime(2019, 12, 31, 16, 59, 59, tzinfo=UTC), datetime(2014, 5, 5, tzinfo=UTC)
    table.feed([dossier(1, 1, received_at=ms(old), event_time=ms(old))], at=ms(old))
    assert received(table) == {date(2019, 12, 31): 1}
    late = dossier(1, 2, received_at=ms(old) + 1000, event_time=ms(old))
    table.feed([dossier(2, 5, received_at=ms(older), event_time=ms(older)), late], at=ms(NOW))
    assert received(table) == {date(2020, 1, 1): 1, date(2014, 5, 5): 1}
    table.feed([dossier(1, 1, received_at=ms(old), event_time=ms(old))], at=ms(NOW))
    table.feed([dossier(2, 4, received_at=ms(NOW), event_time=ms(older))], at=ms(NOW))
    assert received(table) == {date(2020, 1, 1): 1, date(2014, 5, 5): 1}


@pytest.mark.parametrize(
    ("typed", "counted"), [(2202, date(2149, 6, 6)), (2200, date(2149, 6, 6)), (1950, date(1970, 1, 1))]
)
def test_a_mistyped_year_counts_at_the_end_of_the_calendar_never_in_a_year_of_ours(
    table: Core, typed: int, counted: date
) -> None:
    table.feed([dossier(1, 1, received_at=ms(datetime(typed, 7, 26, tzinfo=UTC)))], at=ms(NOW))
    assert received(table) == {counted: 1}
    table.feed([dossier(1, 2, received_at=ms(datetime(2022, 7, 26, tzinfo=UTC)))], at=ms(NOW))
    assert received(table) == {date(2022, 7, 26): 1}


def test_a_due_date_beyond_the_calendar_is_still_later_than_the_end(table: Core) -> None:
    end, due = datetime(2022, 7, 26, tzinfo=UTC), datetime(2202, 7, 26, tzinfo=UTC)
    table.feed([dossier(1, 1, 9, ended_at=ms(end), due_at=ms(due))], at=ms(NOW))
    assert table.warehouse.rows(f"SELECT sum(finished_on_time) FROM {table.name}_by_ended_at") == [(1,)]
