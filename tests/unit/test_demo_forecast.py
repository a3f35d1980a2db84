"""The on-time forecast as the ledgers make it, by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from hub.demo_figures import differences
from hub.demo_forecast import in_time_at

AT = datetime(2026, 3, 10, 9, 30, 20, tzinfo=UTC)
MINUTE = int(AT.timestamp()) // 60
TODAY = MINUTE // (24 * 60)
DAY = 24 * 60


def _done(count: int, on_time: bool, left_days: int, procedure: str = "p", unit: str = "u", day: int = TODAY) -> Any:
    return [[day, on_time, left_days, procedure, unit]] * count


def _expected(due: int, done: list[Any], procedure: str = "p", unit: str = "u") -> float:
    return in_time_at({"open": [[due, procedure, unit]], "done": done}, AT.isoformat())


@pytest.mark.parametrize(
    ("due", "expected"),
    [
        (MINUTE - 1, 0.0),  # past its due time
        (MINUTE, 4 / 12),  # those done early are not like one with an hour left
        (MINUTE + DAY, 4 / 12),
        (MINUTE + DAY + 1, 8 / 16),  # two or three days left
        (MINUTE + 3 * DAY + 1, 10 / 18),
        (MINUTE + 7 * DAY + 1, 14 / 22),
    ],
)
def test_a_dossier_is_judged_by_those_still_open_with_as_little_time_left(due: int, expected: float) -> None:
    done = _done(8, False, -1) + _done(4, True, 0) + _done(4, True, 2) + _done(2, True, 5) + _done(4, True, 9)
    assert _expected(due, done) == pytest.approx(expected)


def test_with_fewer_than_ten_alike_less_is_asked_to_be_alike_and_at_last_any_will_do() -> None:
    done = _done(9, True, 9) + _done(3, False, 9, unit="v") + _done(8, False, 9, procedure="q")
    due = MINUTE + 30 * DAY
    assert _expected(due, done) == pytest.approx(9 / 12)
    assert _expected(due, done + _done(1, False, 9)) == pytest.approx(9 / 10)
    assert _expected(due, done, procedure="r") == pytest.approx(9 / 20)
    assert _expected(due, []) == 0.0


def test_what_was_done_more_than_ninety_days_ago_is_not_looked_at() -> None:
    old, new = _done(50, False, 9, day=TODAY - 91), _done(10, True, 9, day=TODAY - 90)
    assert _expected(MINUTE + 30 * DAY, old + new) == 1.0


def test_a_forecast_is_compared_at_the_moment_at_which_it_was_read() -> None:
    wanted = {"k": {"denominator": None, "forecast": {"open": [[MINUTE, "p", "u"]] * 2, "done": _done(10, True, 0)}}}
    found = {"value": 100.0, "numerator": 2, "denominator": 2, "read_at": AT.isoformat()}
    assert differences(wanted, {"k": found}) == []
    later = datetime(2026, 3, 10, 9, 31, tzinfo=UTC).isoformat()
    assert differences(wanted, {"k": found | {"read_at": later}}) == ["k: 100.0 (2/2) where the ledgers say 0.0/2"]
    assert differences(wanted, {"k": found | {"denominator": 3}}) == ["k: 100.0 (2/3) where the ledgers say 2.0/2"]
