"""What a REST source has given already: told apart by event id and change time, or by the whole content. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import orjson

from connectors.paths import value_at
from connectors.rest_config import TimeCursor
from connectors.rest_paging import Turn
from connectors.rest_times import TimeForm

FUTURE_TOLERANCE = timedelta(minutes=2)
"""A change time further ahead than this does not move the cursor, or one wrong clock would hide what follows."""

Given = dict[Any, datetime | None]
"""Identity → change time of records given."""


@dataclass(slots=True)
class Walk:
    """One read under way: from which change time, at which page, the newest change, what it has given."""

    begin: datetime | None
    turn: Turn
    newest: datetime | None
    given: set[Any] = field(default_factory=set)
    again: bool = False
    """Its time moved on and it asks from there: the first page may bring only ties that it has given."""
    asked: datetime | None = None
    """From which change time it asked first, as the request says it."""
    latest: datetime | None = None
    """The newest change time of all that was answered, repeats too."""
    strays: Given = field(default_factory=dict)
    """What was answered from before `asked`, though nobody asked for it."""

    def saw(self, identity: Any, at: datetime | None) -> None:
        """A record was answered."""
        if at is None:
            return
        self.latest = at if self.latest is None else max(self.latest, at)
        if self.asked is not None and at < self.asked:
            self.strays[identity] = at

    @property
    def outdated(self) -> datetime | None:
        """The newest answered, if all of it is older than what was asked for."""
        return self.latest if self.latest is not None and self.asked is not None and self.latest < self.asked else None


class Memory:
    """The identities of the records that the last reads gave, as far as the next read can give them again."""

    def __init__(self, cursor: TimeCursor | None, times: TimeForm) -> None:
        self._cursor = cursor
        self._times = times
        self._seen: Given = {}
        self._strays: Given = {}

    def forget(self) -> None:
        self._seen, self._strays = {}, {}

    def unseen(self, walk: Walk, records: list[Any]) -> tuple[list[Any], Given, bool]:
        """The records not given before, with what tells them apart; whether this walk saw any for the first time."""
        fresh: list[Any] = []
        given: Given = {}
        news = False
        for record in records:
            identity, moment = self._identity(record)
            walk.saw(identity, moment)
            if identity not in walk.given:
                walk.given.add(identity)
                news = True
                if identity not in self._seen and identity not in self._strays:
                    fresh.append(record)
                    given[identity] = moment
        return fresh, given, news

    def remember(self, walk: Walk, given: Given, *, done: bool) -> None:
        """Add what is stored now; forget what the next read cannot give again."""
        cursor, newest = self._cursor, walk.newest
        if cursor is None or newest is None or not cursor.sorted:
            if done:
                self._seen = dict.fromkeys(walk.given)
            return
        floor = newest - timedelta(seconds=cursor.lookback_s)
        known = {**self._seen, **given}
        self._seen = {key: at or newest for key, at in known.items() if (at or newest) >= floor}
        if done:
            self._strays = walk.strays

    def _identity(self, record: Any) -> tuple[Any, datetime | None]:
        cursor = self._cursor
        if cursor is None or not isinstance(record, dict):
            return _digest(record), None
        identity, at = value_at(record, cursor.id), value_at(record, cursor.field)
        if isinstance(identity, str | int) and isinstance(at, str | int | float):
            return (identity, at), self._times.read(at)
        return _digest(record), None


def advanced(newest: datetime | None, given: Given, now: datetime) -> datetime | None:
    """The newest change time, never ahead of our clock; a lone time far ahead does not count at all."""
    moments = [at for at in given.values() if at is not None]
    if newest is None or not moments:
        return newest
    most = max(moments)
    if most > now + FUTURE_TOLERANCE:
        most = max((at for at in moments if at <= now + FUTURE_TOLERANCE), default=newest)
    return max(newest, min(most, now))


def _digest(record: Any) -> bytes:
    return hashlib.blake2b(orjson.dumps(record, option=orjson.OPT_SORT_KEYS), digest_size=12).digest()
