"""Time that counts: half-open intervals of UTC instants, and clocks that add and measure only what counts. Pure.

Every instant is an aware datetime; results are in UTC. Naive ones are refused by the arithmetic itself (TypeError).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from schemas.declaration import MisdeclaredError

NOTHING = timedelta(0)


@dataclass(frozen=True, slots=True, order=True)
class Interval:
    """From `start` (within) to `end` (not within), both UTC, start before end."""

    start: datetime
    end: datetime

    def __contains__(self, instant: datetime) -> bool:
        return self.start <= instant < self.end


class Clock(Protocol):
    """Counts some of the time: all of it, that of an office, or that outside of pauses."""

    def elapsed(self, start: datetime, end: datetime) -> timedelta:
        """What counts between two instants; negative where `end` is before `start`."""
        ...

    def add(self, start: datetime, amount: timedelta) -> datetime:
        """The earliest instant at which `amount` has counted since `start`; nothing added leaves `start`.

        A negative `amount` goes back: the latest instant from which `amount` counts up to `start`.
        """
        ...


class WallClock:
    """Every second counts."""

    def elapsed(self, start: datetime, end: datetime) -> timedelta:
        return utc(end) - utc(start)

    def add(self, start: datetime, amount: timedelta) -> datetime:
        return utc(start) + amount


class Pauses(Protocol):
    """Intervals in which a clock stands still."""

    def after(self, instant: datetime) -> Iterator[Interval]:
        """Those that end after `instant`, in order, none overlapping another; may have no end."""
        ...


@dataclass(frozen=True, slots=True)
class ListedPauses:
    """Pauses known one by one; overlapping ones count once."""

    intervals: tuple[Interval, ...] = ()

    @classmethod
    def of(cls, intervals: Iterable[Interval]) -> ListedPauses:
        return cls(merged(intervals))

    def after(self, instant: datetime) -> Iterator[Interval]:
        return (interval for interval in self.intervals if interval.end > instant)


@dataclass(frozen=True, slots=True)
class PausingClock:
    """`clock` outside of `pauses`. Only forward: a pause is known from its beginning on."""

    clock: Clock
    pauses: Pauses

    def elapsed(self, start: datetime, end: datetime) -> timedelta:
        """What counts between two instants; nothing where `end` is before `start`."""
        begin, finish, counted = utc(start), utc(end), NOTHING
        for pause in self.pauses.after(begin):
            if pause.start >= finish:
                break
            counted += self.clock.elapsed(begin, max(begin, pause.start))
            begin = pause.end
        return counted + (self.clock.elapsed(begin, finish) if begin < finish else NOTHING)

    def add(self, start: datetime, amount: timedelta) -> datetime:
        begin, rest = utc(start), amount
        if rest <= NOTHING:
            return begin
        for pause in self.pauses.after(begin):
            free = self.clock.elapsed(begin, max(begin, pause.start))
            if free >= rest:
                break
            rest -= free
            begin = pause.end
        return self.clock.add(begin, rest)


def merged(intervals: Iterable[Interval]) -> tuple[Interval, ...]:
    """The same time covered, in order, by intervals that neither overlap nor touch."""
    found: list[Interval] = []
    for interval in sorted(intervals):
        if found and interval.start <= found[-1].end:
            found[-1] = Interval(found[-1].start, max(found[-1].end, interval.end))
        else:
            found.append(interval)
    return tuple(found)


def utc(instant: datetime) -> datetime:
    """The instant in UTC; TypeError for one without a zone."""
    if instant.tzinfo is None:
        raise TypeError("an instant needs its zone")
    return instant.astimezone(UTC)


def local_date(instant: datetime, zone: ZoneInfo) -> date:
    """The day on which an instant falls in `zone`."""
    return instant.astimezone(zone).date()


def at_local(day: date, minute: int, zone: ZoneInfo) -> datetime:
    """The instant of a minute of a local day: 0 is its midnight, 1440 that of the next day."""
    begin, rest = day + timedelta(minute // 1440), minute % 1440
    return datetime.combine(begin, time(rest // 60, rest % 60), zone).astimezone(UTC)


def local_day(day: date, zone: ZoneInfo) -> Interval:
    """A local day, from midnight to midnight."""
    return Interval(at_local(day, 0, zone), at_local(day, 1440, zone))


def zone_called(name: str) -> ZoneInfo:
    """The zone of that name; MisdeclaredError if there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise MisdeclaredError(
            f"không phải múi giờ: {name!r}; ở Việt Nam là Asia/Ho_Chi_Minh",
            f"is no time zone: {name!r}; Vietnam's is Asia/Ho_Chi_Minh",
        ) from None


def minute_of(text: str) -> int:
    """The minute of the day of `HH:MM`, 00:00 to 24:00; MisdeclaredError otherwise."""
    hour, colon, minute = text.strip().partition(":")
    if colon and len(minute) == 2 and hour.isdecimal() and minute.isdecimal() and len(hour) <= 2:
        found = int(hour) * 60 + int(minute)
        if int(minute) < 60 and found <= 1440:
            return found
    raise MisdeclaredError(f"không phải giờ dạng HH:MM: {text!r}", f"is no time of day HH:MM: {text!r}")
