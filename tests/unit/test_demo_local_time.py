"""Times as the simulated systems write them."""

from __future__ import annotations

from datetime import datetime

from hypothesis import given
from hypothesis import strategies as st

from deploy.demo.local_time import iso
from deploy.demo.worktime import LOCAL


@given(st.integers(0, 4_000_000_000))
def test_a_second_is_written_as_its_local_time_with_the_offset(second: int) -> None:
    assert iso(second) == datetime.fromtimestamp(second, LOCAL).isoformat(timespec="seconds")
