"""Integration health as people ask for it: how fresh every data set is, why, and what goes stale. Blocks."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from hub.api.department import Refused, refusals
from hub.health.evidence import Stage, chain
from hub.health.incident import Incident
from hub.health.observation import Observation
from hub.health.states import ABNORMAL
from hub.incident_book import IncidentBook
from hub.kpi.cache import AnswerCache
from hub.kpi.errors import WarehouseAwayError
from hub.kpi.feed import Feed
from hub.kpi.reader import Reader
from hub.kpi.service import KpiService
from hub.monitor import EVERY_S, Judged, Round, judge_all
from hub.observation_book import ObservationBook
from hub.security.access import within
from hub.way import Way
from streams.plan import Kpi

RECENT = timedelta(seconds=1.6 * EVERY_S)
"""A monitor's judgement that is younger serves whoever asks: its next one is due, or just being made."""


class UnknownDatasetError(Exception):
    """There is none of this name, or the caller may not see it; `nearest`: names like it."""

    def __init__(self, dataset: str, nearest: tuple[str, ...]) -> None:
        super().__init__(dataset)
        self.dataset = dataset
        self.nearest = nearest


@dataclass(frozen=True, slots=True)
class Why:
    """A data set with its chain of stages, its refusals by reason, its incidents, and the KPIs that lean on it;
    `refused` None: the warehouse does not tell."""

    judged: Judged
    stages: tuple[Stage, ...]
    refused: tuple[Refused, ...] | None
    incidents: tuple[Incident, ...]
    kpis: tuple[Kpi, ...]

    @property
    def failing(self) -> str | None:
        return next((stage.stage for stage in self.stages if stage.ok is False), None)


class Datasets:
    """Asks as the monitor does. `org` bounds every answer to a unit and what is below it."""

    def __init__(
        self,
        service: KpiService,
        reader: Reader,
        book: IncidentBook | None,
        way: Way | None,
        observed: ObservationBook | None = None,
        kept: timedelta = timedelta(0),
        judged: Callable[[], Round | None] = lambda: None,
    ) -> None:
        """`kept`: how long a judgement serves all who ask; `judged`: the last one of a monitor in this process."""
        self._service = service
        self._rounds: AnswerCache[Round] = AnswerCache(service.around.clock, kept)
        self._reader = reader
        self._book = book
        self._way = way
        self._observed = observed
        self._judged = judged

    def all(self, org: str | None = None) -> tuple[Judged, ...]:
        """Every data set now, in the order declared."""
        last = self._judged()
        if last is None or self._service.around.clock() - last.at > RECENT:
            last = self._rounds.get("all", lambda: judge_all(self._service))
        judged = last.judged
        return tuple(one for one in judged if org is None or within(one.feed.org, org))

    def named(self, dataset: str, org: str | None = None) -> tuple[Judged, ...]:
        """Those of this connector or entity; UnknownDatasetError names the nearest."""
        seen = self.all(org)
        found = [one for one in seen if dataset in (one.feed.connector, one.feed.entity)]
        if not found:
            names = sorted({name for one in seen for name in (one.feed.connector, one.feed.entity)})
            raise UnknownDatasetError(dataset, tuple(difflib.get_close_matches(dataset, names, 3, 0.3)))
        return tuple(found)

    def why(self, dataset: str, org: str | None = None) -> tuple[Why, ...]:
        """As `named`, with the chain, refusals, incidents and what goes stale."""
        return tuple(self._why(one) for one in self.named(dataset, org))

    def incidents(self, since: datetime, org: str | None = None) -> tuple[Incident, ...]:
        """Those open at `since` or later, the open ones first."""
        found = self._book.since(since) if self._book is not None else ()
        orgs = {feed.connector: feed.org for feed in self._service.around.feeds}
        return tuple(one for one in found if org is None or within(orgs.get(one.dataset, one.department), org))

    def observed(self, feed: Feed) -> list[Observation]:
        """What the monitor saw of it in the last day, the oldest first."""
        return self._observed.of(feed.connector, self._service.around.clock()) if self._observed is not None else []

    def stale(self, feed: Feed) -> tuple[Kpi, ...]:
        """The KPIs that go stale with the feed's entity, those on tiles first."""
        return tuple(sorted((kpi for kpi in self._service.kpis if kpi.entity == feed.entity), key=_listed_last))

    def _why(self, judged: Judged) -> Why:
        feed = judged.feed
        partitions = self._way.partitions(feed.entity) if self._way is not None else {}
        try:
            refused: tuple[Refused, ...] | None = tuple(refusals(self._reader, [feed]))
        except WarehouseAwayError:
            refused = None
        stages = chain(feed, judged.freshness, judged.status, judged.written, judged.flow, partitions)
        mine = tuple(one for one in (self._book.all() if self._book else ()) if one.dataset == feed.connector)
        return Why(judged, stages, refused, mine[:20], self.stale(feed))


def _listed_last(kpi: Kpi) -> bool:
    return not kpi.tile


def dataset_json(one: Judged, language: str) -> dict[str, Any]:
    """One line of the list."""
    feed, event, due = one.feed, one.freshness.last_event_time, one.due
    return {
        "dataset": feed.connector,
        "name": (feed.name or {}).get(language) or feed.connector,
        "department": feed.department,
        "org": feed.org,
        "contact": feed.owner,
        "entity": feed.entity,
        "state": one.freshness.state,
        "abnormal": one.freshness.state in ABNORMAL,
        "last_event": event.isoformat() if event else None,
        "age_s": None if one.freshness.age_s is None else round(one.freshness.age_s, 1),
        "due_soon_at": due.warn_at.isoformat() if due else None,
        "late_at": due.error_at.isoformat() if due else None,
    }


def why_json(why: Why, language: str) -> dict[str, Any]:
    """The chain with the failing stage, and what goes stale."""
    return dataset_json(why.judged, language) | {
        "failing": why.failing,
        "stages": [{"stage": one.stage, "ok": one.ok, **_told(one.facts, language)} for one in why.stages],
        "refused": None if why.refused is None else [_refused(one, language) for one in why.refused],
        "stale": [{"kpi": kpi.id, "name": kpi.name.get(language, kpi.id), "tile": kpi.tile} for kpi in why.kpis],
        "incidents": [incident_json(one) for one in why.incidents],
    }


def incident_json(one: Incident, now: datetime | None = None) -> dict[str, Any]:
    until = one.ended or now
    return {
        "incident": one.id,
        "dataset": one.dataset,
        "department": one.department,
        "entity": one.entity,
        "state": one.state,
        "began": one.began.isoformat(),
        "ended": one.ended.isoformat() if one.ended else None,
        "lasted_s": round((until - one.began).total_seconds(), 1) if until else None,
        "evidence": dict(one.evidence),
    }


def observation_json(feed: Feed, one: Observation) -> dict[str, Any]:
    """One minute."""
    return {
        "dataset": feed.connector,
        "at": one.at.isoformat(),
        "state": one.state,
        "age_s": one.age_s,
        "waiting": one.waiting,
        "oldest_s": one.oldest_s,
    }


def _told(facts: Mapping[str, Any], language: str) -> dict[str, Any]:
    """The facts with the error in the reader's language only."""
    told = {key: value for key, value in facts.items() if key not in ("error_text_vi", "error_text_en")}
    text = facts.get(f"error_text_{language}")
    return told | ({"error_text": text} if text else {})


def _refused(one: Refused, language: str) -> dict[str, Any]:
    return {
        "code": one.reason_code,
        "reason": one.reason(language),
        "records": one.count,
        "newest": one.newest.isoformat(),
    }


def by_department(
    incidents: Sequence[Incident], names: Mapping[str, str], now: datetime, since: datetime | None = None
) -> list[dict[str, Any]]:
    """The monthly report: incidents and how long they lasted together, by department and state; of one that began
    before `since` the part from then on. `names`: of the departments, by code."""
    sums: dict[tuple[str, str], tuple[int, float]] = {}
    for one in incidents:
        count, seconds = sums.get((one.department, one.state), (0, 0.0))
        sums[one.department, one.state] = count + 1, seconds + one.lasted(now, since).total_seconds()
    return [
        {
            "department": department,
            "name": names.get(department, department),
            "state": state,
            "incidents": count,
            "lasted_s": round(seconds, 1),
        }
        for (department, state), (count, seconds) in sorted(sums.items())
    ]
