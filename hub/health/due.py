"""What a cut-off or cron asks for now, remembered until the next is due: working it out anew costs a millisecond."""

from __future__ import annotations

from datetime import datetime

from schemas.promise import Expectation, Promise
from schemas.time import utc

MOST_REMEMBERED = 4_096

_known: dict[int, tuple[Promise, datetime, Expectation]] = {}


def expected(rule: Promise, now: datetime) -> Expectation:
    """As `rule.expectation`, for a promise by periods: between two due times it does not change, but for the open
    maintenance window, which is not to be read from here."""
    found = _known.get(id(rule))
    if found is not None and found[0] is rule and found[1] <= now < found[2].next.due_at:
        return found[2]
    fresh = rule.expectation(now, now)
    if len(_known) >= MOST_REMEMBERED:
        _known.clear()
    _known[id(rule)] = rule, utc(now), fresh
    return fresh
