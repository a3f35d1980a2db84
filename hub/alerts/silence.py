"""Silence windows: alerts that match open all the same, and nobody is told. Pure."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

import orjson

from hub.alerts.alert import Alert
from hub.kept_json import read_kept

LONGEST = timedelta(days=31)
"""Longer than this and the rule is wrong, not the moment."""


@dataclass(frozen=True, slots=True)
class Silence:
    """`rule`, `subject` and `owner` are patterns (`*`); all three must match. From `start` until before `end`."""

    id: str
    rule: str
    subject: str
    owner: str
    start: datetime
    end: datetime
    by: str
    reason: str

    def covers(self, alert: Alert, now: datetime) -> bool:
        """Whether nobody is to be told of the alert now."""
        return (
            self.start <= now < self.end
            and fnmatch.fnmatchcase(alert.rule, self.rule)
            and fnmatch.fnmatchcase(alert.subject, self.subject)
            and (fnmatch.fnmatchcase(alert.owner, self.owner) or fnmatch.fnmatchcase(alert.org, self.owner))
        )

    def to_json(self) -> bytes:
        return orjson.dumps(asdict(self))

    @classmethod
    def from_json(cls, value: bytes) -> Silence:
        """Raises ValueError for what is none."""
        return read_kept(cls, value)


def silenced(alert: Alert, silences: Iterable[Silence], now: datetime) -> Silence | None:
    """The silence that covers the alert now."""
    return next((one for one in silences if one.covers(alert, now)), None)
