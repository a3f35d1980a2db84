"""The alerts, their acts, silences and deliveries' marks, kept in one compacted topic.

Every act and every mark has a key of its own: the monitor, the API and the notifier write beside each other, and none
takes back what another wrote.

    alert/<id>                        written when it opens and when it ends
    act/<id>/<n>                      written once
    mark/<id>/<kind>/<channel>        the state of a delivery
    silence/<id>                      a silence window
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol, TypeVar

import structlog

from hub.alerts.alert import ENGINE, KEPT, Act, Alert
from hub.alerts.sending import Mark, MarkKey
from hub.alerts.silence import Silence

ALERTS_TOPIC = "ioc.alerts"

Key = TypeVar("Key")
Value = TypeVar("Value")

log = structlog.get_logger("ioc.alerts")


class Topic(Protocol):
    """What is asked of `connectors.compacted.CompactedTopic`."""

    def on_change(self, callback: Callable[[str, bytes | None], None]) -> None: ...

    async def put_all(self, records: Iterable[tuple[str, bytes | None]]) -> None: ...

    async def catch_up(self) -> None: ...


class AlertBook:
    """Make it before the topic is started. Reading returns at once; writing raises CompactedTopicError, and writing
    the same again is harmless."""

    def __init__(self, topic: Topic) -> None:
        self._topic = topic
        self._alerts: dict[str, Alert] = {}
        self._acts: dict[str, dict[str, Act]] = {}
        self._marks: dict[MarkKey, Mark] = {}
        self._silences: dict[str, Silence] = {}
        topic.on_change(self._changed)

    def all(self) -> tuple[Alert, ...]:
        """With their acts, the newest first."""
        found = (self._with_acts(one) for one in self._alerts.values())
        return tuple(sorted(found, key=lambda one: one.opened, reverse=True))

    def get(self, alert: str) -> Alert | None:
        found = self._alerts.get(alert)
        return self._with_acts(found) if found is not None else None

    def live(self) -> tuple[Alert, ...]:
        """Those that hold or that nobody has closed yet, and those that ended within the last days."""
        return tuple(one for one in self.all() if one.ended is None or one.state != "handled")

    def silences(self) -> tuple[Silence, ...]:
        return tuple(sorted(self._silences.values(), key=lambda one: one.start))

    def marks(self) -> Mapping[MarkKey, Mark]:
        """The state of deliveries by alert, kind and channel; not to be kept, it changes."""
        return self._marks

    async def catch_up(self) -> None:
        """Wait for everything that was written before by anybody. Raises TopicAwayError."""
        await self._topic.catch_up()

    async def write(self, alerts: Sequence[Alert]) -> None:
        """Write openings and ends."""
        if alerts:
            await self._topic.put_all([(f"alert/{one.id}", one.to_json()) for one in alerts])

    async def act(self, alert: str, act: Act) -> None:
        """Add an act; on return all replicas have it. The engine's own are the same however often they are written."""
        name = f"{act.act}-{act.level}" if act.by == ENGINE else uuid.uuid4().hex
        await self._topic.put_all([(f"act/{alert}/{name}", act.to_json())])

    async def mark(self, keys: Iterable[MarkKey], mark: Mark) -> None:
        """Set the state of deliveries."""
        await self._topic.put_all([("mark/" + "/".join(key), mark.to_json()) for key in keys])

    async def silence(self, silence: Silence) -> None:
        await self._topic.put_all([(f"silence/{silence.id}", silence.to_json())])

    async def forget(self, now: datetime) -> None:
        """Take out what is older than a year's report needs."""
        old = {one.id for one in self._alerts.values() if one.ended is not None and now - one.ended > KEPT}
        keys = [f"alert/{alert}" for alert in old]
        keys += [f"act/{alert}/{name}" for alert in old for name in self._acts.get(alert, ())]
        keys += ["mark/" + "/".join(key) for key in self._marks if key[0] in old]
        keys += [f"silence/{one.id}" for one in self._silences.values() if now - one.end > KEPT]
        if keys:
            await self._topic.put_all([(key, None) for key in keys])

    def _with_acts(self, alert: Alert) -> Alert:
        acts = self._acts.get(alert.id)
        return alert.with_acts(acts.values()) if acts else alert

    def _changed(self, key: str, value: bytes | None) -> None:
        kind, _, rest = key.partition("/")
        try:
            self._take(kind, rest, value)
        except (ValueError, TypeError, KeyError):
            log.warning("alert_unreadable", key=key[:120])

    def _take(self, kind: str, rest: str, value: bytes | None) -> None:
        if kind == "alert":
            _set(self._alerts, rest, Alert.from_json(value) if value is not None else None)
        elif kind == "act":
            alert, _, name = rest.partition("/")
            _set(self._acts.setdefault(alert, {}), name, Act.from_json(value) if value is not None else None)
        elif kind == "mark":
            alert, told, channel = rest.split("/", 2)
            _set(self._marks, (alert, told, channel), Mark.from_json(value) if value is not None else None)
        elif kind == "silence":
            _set(self._silences, rest, Silence.from_json(value) if value is not None else None)
        else:
            raise ValueError(kind)


def _set(known: dict[Key, Value], key: Key, value: Value | None) -> None:
    if value is None:
        known.pop(key, None)
    else:
        known[key] = value
