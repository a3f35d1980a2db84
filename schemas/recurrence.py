"""Times that come again by a cron expression in a zone. Home of `cronsim`. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator

from schemas.declaration import MisdeclaredError
from schemas.time import utc


def _checked(expression: str) -> str:
    """The expression; MisdeclaredError where it is none, or never comes."""
    example = "30 16 * * 1-5"
    try:
        next(CronSim(expression, datetime(2024, 1, 1)))  # noqa: DTZ001 - any time will do
    except CronSimError as error:
        raise MisdeclaredError(
            f"không phải biểu thức cron ({error}); ví dụ «{example}»: 16:30 từ thứ hai đến thứ sáu",
            f"is no cron expression ({error}); for example “{example}”: 16:30 from Monday to Friday",
        ) from None
    except StopIteration:
        raise MisdeclaredError("biểu thức cron không bao giờ đến", "the cron expression never comes") from None
    return expression


CronText = Annotated[str, AfterValidator(_checked)]
"""A cron expression that comes at some time, as a field of a declaration."""


def following(expression: str, after: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    """The times after `after`, ascending, in UTC; may have no end."""
    return (utc(found) for found in CronSim(expression, after.astimezone(zone)))


def preceding(expression: str, before: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    """The times before `before` (not at it), descending, in UTC."""
    return (utc(found) for found in CronSim(expression, before.astimezone(zone), reverse=True))
