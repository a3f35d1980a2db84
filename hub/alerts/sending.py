"""Who is still to be told of what: deliveries that are due, from alerts and from the marks of earlier ones. Pure.

A delivery is never made twice for one opening: a mark `sending` is written before the first byte goes out and another
when the outcome is known. After a kill between the two nobody knows whether it arrived. A webhook is then called again
with the same delivery id, by which the receiver drops the second; a mail is not sent again: its mark becomes
`uncertain`, which the desk shows, and who was not reached is reached by the escalation.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Literal

import orjson

from hub.alerts.alert import Act, Alert
from hub.alerts.rule import Channel, is_address
from hub.alerts.silence import Silence, silenced
from hub.kept_json import read_kept

GATHER = timedelta(seconds=5)
"""Alerts that open within so long of each other go out as one message."""
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=5), timedelta(minutes=5)
GIVE_UP = timedelta(days=1)
"""After so long a delivery helps nobody."""
MOST_TOGETHER = 50
"""Alerts of one message."""

Outcome = Literal["sending", "sent", "failed", "uncertain"]
OUTCOMES: tuple[Outcome, ...] = ("sending", "sent", "failed", "uncertain")
MarkKey = tuple[str, str, str]
"""Alert, kind, channel."""


@dataclass(frozen=True, slots=True)
class Mark:
    """The state of one alert's delivery on one channel. `run`: the process that wrote it; `reason`: a code."""

    outcome: Outcome
    delivery: str
    attempt: int
    at: datetime
    run: str
    reason: str = ""

    def to_json(self) -> bytes:
        return orjson.dumps(asdict(self))

    @classmethod
    def from_json(cls, value: bytes) -> Mark:
        """Raises ValueError for what is none."""
        return read_kept(cls, value)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message. `kind`: opened, ended, or escalated-<level>; `attempt` from 1; `to`: addresses for mail."""

    id: str
    channel: str
    kind: str
    alerts: tuple[Alert, ...]
    attempt: int
    to: tuple[str, ...] = ()
    uncertain: bool = False

    @property
    def keys(self) -> list[MarkKey]:
        return [(alert.id, self.kind, self.channel) for alert in self.alerts]


@dataclass(frozen=True, slots=True)
class _Wanted:
    alert: Alert
    kind: str
    channel: Channel
    since: datetime
    to: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Known:
    """What deliveries lean on. `run`: this process."""

    marks: Mapping[MarkKey, Mark]
    silences: Collection[Silence]
    channels: Mapping[str, Channel]
    run: str
    gather: timedelta = GATHER
    first_wait: timedelta = field(default=FIRST_WAIT)


def due(alerts: Iterable[Alert], known: Known, now: datetime) -> list[Delivery]:
    """The deliveries to be made now, and those whose outcome nobody knows (`uncertain`).

    New ones are gathered by channel, kind and addressees; a repeated one has the same alerts and the same id.
    """
    repeated: dict[str, list[_Wanted]] = {}
    fresh: dict[tuple[str, str, tuple[str, ...]], list[_Wanted]] = {}
    for one in _wanted(alerts, known, now):
        mark = known.marks.get((one.alert.id, one.kind, one.channel.id))
        if mark is None:
            fresh.setdefault((one.channel.id, one.kind, one.to), []).append(one)
        elif _is_due_again(mark, known, now):
            repeated.setdefault(mark.delivery, []).append(one)
    found = [_repeat(delivery, wanted, known) for delivery, wanted in repeated.items()]
    for (channel, kind, to), wanted in fresh.items():
        if now - min(one.since for one in wanted) < known.gather:
            continue
        for begin in range(0, len(wanted), MOST_TOGETHER):
            together = tuple(one.alert for one in wanted[begin : begin + MOST_TOGETHER])
            found.append(Delivery(_delivery_id(channel, kind, together), channel, kind, together, 1, to))
    return found


def wait(attempt: int, first: timedelta = FIRST_WAIT) -> timedelta:
    """How long after the `attempt`-th the next one is made."""
    return min(LONGEST_WAIT, first * (1 << min(attempt - 1, 10)))


def _is_due_again(mark: Mark, known: Known, now: datetime) -> bool:
    if mark.outcome == "failed":
        return now - mark.at >= wait(mark.attempt, known.first_wait)
    return mark.outcome == "sending" and mark.run != known.run


def _repeat(delivery: str, wanted: list[_Wanted], known: Known) -> Delivery:
    first = wanted[0]
    mark = known.marks[first.alert.id, first.kind, first.channel.id]
    alerts = tuple(one.alert for one in sorted(wanted, key=lambda one: one.alert.id))
    lost = mark.outcome == "sending" and first.channel.mail is not None
    return Delivery(delivery, first.channel.id, first.kind, alerts, mark.attempt + 1, first.to, lost)


def _wanted(alerts: Iterable[Alert], known: Known, now: datetime) -> Iterable[_Wanted]:
    for alert in alerts:
        if alert.ended is not None and now - alert.ended > GIVE_UP:
            continue
        quiet = silenced(alert, known.silences, min(now, alert.ended or now)) is not None
        if quiet or alert.state == "handled":
            continue
        if now - alert.opened <= GIVE_UP or _begun(alert, "opened", known):
            yield from _on_channels(alert, "opened", alert.channels, alert.opened, None, known)
        for act in alert.acts:
            if act.act == "escalated" and alert.ended is None:
                yield from _on_channels(alert, f"escalated-{act.level}", act.channels, act.at, act, known)
        if alert.ended is not None:
            told = tuple(
                name
                for name in alert.channels
                if name in known.channels and known.channels[name].tell_end and _was_told(alert, name, known)
            )
            yield from _on_channels(alert, "ended", told, alert.ended, None, known)


def _on_channels(
    alert: Alert, kind: str, channels: Iterable[str], since: datetime, act: Act | None, known: Known
) -> Iterable[_Wanted]:
    for name in channels:
        channel = known.channels.get(name)
        if channel is not None:
            yield _Wanted(alert, kind, channel, since, _addresses(channel, alert, act))


def _addresses(channel: Channel, alert: Alert, act: Act | None) -> tuple[str, ...]:
    if channel.mail is None:
        return ()
    person = act.to if act is not None else alert.contact
    own = (person,) if channel.mail.to_owner and is_address(person) else ()
    return tuple(dict.fromkeys((*channel.mail.to, *own)))


def _begun(alert: Alert, kind: str, known: Known) -> bool:
    return any((alert.id, kind, channel) in known.marks for channel in alert.channels)


def _was_told(alert: Alert, channel: str, known: Known) -> bool:
    mark = known.marks.get((alert.id, "opened", channel))
    return mark is not None and mark.outcome in ("sent", "uncertain")


def _delivery_id(channel: str, kind: str, alerts: Iterable[Alert]) -> str:
    named = "\n".join([channel, kind, *sorted(alert.id for alert in alerts)])
    return hashlib.blake2b(named.encode(), digest_size=12).hexdigest()
