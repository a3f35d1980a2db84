"""What the monitor saw of a data set each minute of the last day: its state, its age, and what waits for it. Pure.

A minute of the day is one record, so that a compacted topic never holds more than a day of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import orjson

EVERY = timedelta(minutes=1)
KEPT = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Observation:
    """A data set at one time. `age_s`: of its youngest event; `waiting`: records in its topic that the warehouse does
    not have, `oldest_s`: how long the oldest of them waits. None: not known."""

    at: datetime
    state: str
    age_s: float | None
    waiting: int | None
    oldest_s: float | None


def slot(at: datetime) -> str:
    """The minute of the day, `0000` to `1439`, of UTC."""
    utc = at.astimezone(UTC)
    return f"{utc.hour * 60 + utc.minute:04d}"


def to_json(seen: Mapping[str, Observation], at: datetime) -> bytes:
    """One minute's observations, by data set."""
    sets = {name: [one.state, _short(one.age_s), one.waiting, _short(one.oldest_s)] for name, one in seen.items()}
    return orjson.dumps({"at": round(at.timestamp() * 1000), "sets": sets})


def observations(values: Iterable[bytes], dataset: str, now: datetime) -> list[Observation]:
    """Those of one data set in the last day, the oldest first; what cannot be read is left out."""
    found = []
    for value in values:
        try:
            raw = orjson.loads(value)
            told = raw["sets"].get(dataset)
            at = datetime.fromtimestamp(raw["at"] / 1000, UTC)
            if told is not None and now - KEPT < at <= now:
                state, age_s, waiting, oldest_s = told
                found.append(Observation(at, str(state), age_s, waiting, oldest_s))
        except (ValueError, TypeError, KeyError, AttributeError):
            continue
    return sorted(found, key=lambda one: one.at)


def _short(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)
