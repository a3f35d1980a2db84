"""An alert: one opening of one rule for one subject, what became of it, and who did what. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal

import orjson

from hub.kept_json import read_kept

State = Literal["open", "assigned", "handled"]
STATES: tuple[State, ...] = ("open", "assigned", "handled")

ActKind = Literal["assigned", "noted", "handled", "escalated"]
ACTS: tuple[ActKind, ...] = ("assigned", "noted", "handled", "escalated")

ENGINE = "ioc"
"""Who acts where nobody did."""
CLOSED_AFTER = timedelta(days=1)
"""An alert whose cause is gone and that nobody took up is closed so long after its end."""
KEPT = timedelta(days=400)
"""A year's report and the weeks in which it is written."""


@dataclass(frozen=True, slots=True)
class Act:
    """Something that was done about an alert. `by`: a key's name, or `ENGINE`; `to`: to whom it was given or
    escalated; `level` of an escalation, from 1."""

    act: ActKind
    at: datetime
    by: str
    text: str = ""
    to: str = ""
    level: int = 0
    channels: tuple[str, ...] = ()

    def to_json(self) -> bytes:
        return orjson.dumps(asdict(self))

    @classmethod
    def from_json(cls, value: bytes) -> Act:
        """Raises ValueError for what is none."""
        return read_kept(cls, value)


@dataclass(frozen=True, slots=True)
class Alert:
    """`opened`: since when the condition was found; `ended` None: it still holds. `channels`: who is told of it.

    `acts`, the oldest first, are kept beside it in the topic, each under a key of its own: whoever writes one
    overwrites nobody's.
    """

    id: str
    rule: str
    subject: str
    name: Mapping[str, str]
    severity: str
    owner: str
    contact: str
    org: str
    opened: datetime
    ended: datetime | None = None
    value: float | None = None
    limit: float | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    kpi: str | None = None
    dataset: str | None = None
    channels: tuple[str, ...] = ()
    acts: tuple[Act, ...] = ()

    @property
    def state(self) -> State:
        """By the last act that changes it."""
        for act in reversed(self.acts):
            if act.act == "handled":
                return "handled"
            if act.act == "assigned":
                return "assigned"
        return "open"

    @property
    def assignee(self) -> str | None:
        return next((act.to for act in reversed(self.acts) if act.act == "assigned"), None)

    @property
    def handled_at(self) -> datetime | None:
        return next((act.at for act in reversed(self.acts) if act.act == "handled"), None)

    @property
    def escalated(self) -> int:
        """The highest level that it was escalated to."""
        return max((act.level for act in self.acts if act.act == "escalated"), default=0)

    def with_acts(self, acts: Iterable[Act]) -> Alert:
        return replace(self, acts=tuple(sorted(acts, key=lambda act: act.at)))

    def to_json(self) -> bytes:
        """Without the acts."""
        body = asdict(self)
        del body["acts"]
        return orjson.dumps(body)

    @classmethod
    def from_json(cls, value: bytes) -> Alert:
        """Raises ValueError for what is none."""
        return read_kept(cls, value)


def alert_id(rule: str, subject: str, opened: datetime) -> str:
    """Short, sortable by time, and the same for the same opening."""
    mark = hashlib.blake2b(f"{rule}\n{subject}\n{opened.isoformat()}".encode(), digest_size=4).hexdigest()
    return f"{opened:%Y%m%d-%H%M%S}-{mark}"
