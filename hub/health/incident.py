"""Incidents: an abnormal state of a dataset from its beginning to its end, folded from judgements. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import orjson

from hub.health.states import ABNORMAL, BY_CODE
from hub.kept_json import read_kept

CLEAR_AFTER = 2
"""Judgements in a row without the state before its incident ends."""
KEPT = timedelta(days=400)
"""A year's report and the weeks in which it is written."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is found of a dataset at one time. `evidence`: codes, counts and times, never a record's content."""

    dataset: str
    department: str
    entity: str
    state: str
    at: datetime
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Incident:
    """`ended` None: it is open. `evidence` is that of its beginning."""

    id: str
    dataset: str
    department: str
    entity: str
    state: str
    began: datetime
    ended: datetime | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)

    def lasted(self, now: datetime, since: datetime | None = None) -> timedelta:
        """Until its end or `now`, whichever is first; only the part from `since` on."""
        begun = self.began if since is None else max(self.began, since)
        return max(timedelta(0), min(self.ended or now, now) - begun)

    def to_json(self) -> bytes:
        return orjson.dumps(asdict(self))

    @classmethod
    def from_json(cls, value: bytes) -> Incident:
        """Raises ValueError for what is none."""
        return read_kept(cls, value)


@dataclass(frozen=True, slots=True)
class Coming:
    """A dataset's abnormal state that is not an incident yet, or no more: how often in a row, and since when."""

    state: str
    since: datetime
    times: int
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ledger:
    """What is open and what is coming, by dataset; `clear`: judgements in a row that speak against the open one."""

    open: Mapping[str, Incident] = field(default_factory=dict)
    coming: Mapping[str, Coming] = field(default_factory=dict)
    clear: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, incidents: Iterable[Incident]) -> Ledger:
        """The ledger of one who begins: incidents that are open go on."""
        return cls({one.dataset: one for one in incidents if one.ended is None})


def fold(ledger: Ledger, judgements: Sequence[Judgement], now: datetime) -> tuple[Ledger, list[Incident]]:
    """The ledger after one more round, and the incidents that began or ended in it. A dataset that is no longer judged
    has none any more."""
    opened, coming, clear = dict(ledger.open), dict(ledger.coming), dict(ledger.clear)
    changed: list[Incident] = []
    judged = {one.dataset for one in judgements}
    for dataset in [name for name in opened if name not in judged]:
        changed.append(replace(opened.pop(dataset), ended=now))
    for one in judgements:
        before = opened.get(one.dataset)
        if before is not None:
            clear[one.dataset] = 0 if one.state == before.state else clear.get(one.dataset, 0) + 1
            if clear[one.dataset] >= CLEAR_AFTER:
                changed.append(replace(opened.pop(one.dataset), ended=now))
        found = _coming(coming.get(one.dataset), one)
        if found is None:
            coming.pop(one.dataset, None)
            continue
        coming[one.dataset] = found
        if one.dataset not in opened and _ripe(found, now):
            incident = Incident(
                f"{one.dataset}@{found.since:%Y%m%dT%H%M%S.%f}",
                *(one.dataset, one.department, one.entity, found.state, found.since, None, found.evidence),
            )
            opened[one.dataset], clear[one.dataset] = incident, 0
            changed.append(incident)
    kept = {name: item for name, item in coming.items() if name in judged}
    return Ledger(opened, kept, {name: clear.get(name, 0) for name in opened}), changed


def _coming(before: Coming | None, judgement: Judgement) -> Coming | None:
    if judgement.state not in ABNORMAL:
        return None
    if before is None or before.state != judgement.state:
        return Coming(judgement.state, judgement.at, 1, judgement.evidence)
    return replace(before, times=before.times + 1)


def _ripe(coming: Coming, now: datetime) -> bool:
    state = BY_CODE[coming.state]
    return state.after is not None and coming.times >= state.evaluations and now - coming.since >= state.after
