"""Control totals: what is missing is a loss, what is waiting is not, what was sent twice is no harm."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.status import ConnectorStatus
from hub.control import Published, compare_source, compare_topic, published

DAY = date(2026, 3, 2)
counts = st.integers(0, 1000)


def status(total: int, by_day: dict[str, int], since: datetime | None) -> ConnectorStatus:
    """A connector that published `total` in all, and what it counted by day since some time."""
    return ConnectorStatus(
        connector="portal",
        kind="rest",
        department="",
        owner="",
        state="running",
        last_poll_ok=None,
        last_event_time=None,
        last_ingest=None,
        received=total,
        published=total,
        quarantined=0,
        errors=0,
        last_error=None,
        source_lag_s=None,
        worker="w",
        at=0,
        published_by_day=by_day,
        counted_since=None if since is None else int(since.timestamp() * 1000),
    )


def test_a_status_written_and_read_again_keeps_the_days() -> None:
    told = status(3, {"2026-03-02": 3}, datetime(2026, 3, 2, tzinfo=UTC))
    assert ConnectorStatus.from_json(told.to_json()) == told


def test_a_status_of_an_older_worker_counts_no_day() -> None:
    assert published([status(3, {}, None)]).by_day == {}


def test_days_of_all_connectors_are_added() -> None:
    one = status(3, {"2026-03-02": 3}, datetime(2026, 3, 2, 8, tzinfo=UTC))
    other = status(5, {"2026-03-02": 4, "2026-03-03": 1}, datetime(2026, 3, 2, 9, tzinfo=UTC))
    assert published([one, other]).by_day == {DAY: 7, date(2026, 3, 3): 1}


def test_a_day_on_which_the_counting_began_late_is_left_out() -> None:
    late = status(10, {"2026-03-02": 2, "2026-03-03": 4}, datetime(2026, 3, 2, 12, tzinfo=UTC))
    assert published([late]).by_day == {date(2026, 3, 3): 4}


@pytest.mark.parametrize(
    ("before", "written", "after", "waiting", "code", "rows"),
    [
        (10, 10, 10, 0, "equal", 0),
        (10, 12, 13, 0, "equal", 0),
        (10, 8, 10, 2, "waiting", 2),
        (10, 8, 10, 1, "lost", 2),
        (10, 15, 12, 0, "surplus", 3),
    ],
)
def test_the_source_and_the_warehouse_are_told_apart(
    before: int, written: int, after: int, waiting: int, code: str, rows: int
) -> None:
    (finding,) = compare_source("dossier", Published({DAY: before}), {DAY: written}, Published({DAY: after}), waiting)
    assert (finding.code, finding.rows, finding.noted) == (code, rows, code != "lost")


@given(sent=counts, resent=counts, waiting=counts, later=counts)
def test_a_source_that_delivers_at_least_once_never_looks_like_a_loss(
    sent: int, resent: int, waiting: int, later: int
) -> None:
    written = max(0, sent + resent - waiting)
    (finding,) = compare_source(
        "dossier", Published({DAY: sent}), {DAY: written}, Published({DAY: sent + later}), waiting
    )
    assert finding.noted


def test_a_topic_that_differs_by_one_record_is_found() -> None:
    equal, differs = compare_topic("dossier", {"a": 5, "b": 6}, {"a": 5, "b": 5})
    assert equal.noted
    assert (differs.code, differs.rows, differs.expected, differs.found, differs.noted) == ("differs", 1, 6, 5, False)
