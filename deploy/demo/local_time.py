"""Times as the simulated systems write them."""

from __future__ import annotations

from datetime import date, timedelta
from functools import cache

from deploy.demo.worktime import LOCAL_OFFSET_S

OFFSET = f"{LOCAL_OFFSET_S // 3600:+03}:00"


def iso(second: int) -> str:
    """Local time with its offset, of seconds since 1970."""
    days, rest = divmod(second + LOCAL_OFFSET_S, 86_400)
    return f"{_day(days)}T{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}{OFFSET}"


@cache
def _day(number: int) -> str:
    """The day so many after 1 January 1970: a history of 150,000 records has some hundreds of them."""
    return (date(1970, 1, 1) + timedelta(days=number)).isoformat()
