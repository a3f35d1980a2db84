"""The monitor: judges every dataset again and again, keeps its incidents, and says what it sees to Prometheus."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog

from connectors.errors import ConnectorError
from hub.health.evidence import evidence
from hub.health.flow import Flow
from hub.health.incident import Incident, Judgement, Ledger, fold
from hub.health.observation import Observation, slot
from hub.health.states import ABNORMAL
from hub.incident_book import IncidentBook
from hub.kpi.errors import WarehouseAwayError
from hub.kpi.feed import Feed, Freshness, Status, Written
from hub.kpi.freshness import deadline, freshness
from hub.kpi.service import KpiService
from hub.observation_book import ObservationBook
from hub.turn import Alone, Turn
from schemas.promise import Due

EVERY_S = 2.5
"""Between two judgements: what must be named within 30 s has been judged a dozen times by then."""

log = structlog.get_logger("ioc.monitor")


@dataclass(frozen=True, slots=True)
class Judged:
    """One dataset in one round, with all it was judged by."""

    feed: Feed
    freshness: Freshness
    status: Status | None
    written: Written | None
    flow: Flow
    due: Due | None

    def observation(self, at: datetime) -> Observation:
        found, flow = self.freshness, self.flow
        return Observation(at, found.state, found.age_s, flow.waiting, flow.oldest_s)

    def judgement(self, at: datetime) -> Judgement:
        feed = self.feed
        state = self.freshness.state
        told = evidence(self.status, self.written, self.flow) if state in ABNORMAL else {}
        return Judgement(feed.connector, feed.org or feed.department, feed.entity, state, at, told)


@dataclass(frozen=True, slots=True)
class Round:
    """One judgement of all datasets. `warehouse`: it answered."""

    at: datetime
    judged: tuple[Judged, ...]
    warehouse: bool


def judge_all(service: KpiService) -> Round:
    """Judge every declared feed now; blocks on the warehouse for some seconds at most."""
    around = service.around
    try:
        found = {(item.entity, item.source_system): item for item in service.written()}
        away = False
    except WarehouseAwayError:
        found, away = {}, True
    now, statuses = around.clock(), around.statuses()
    flows: dict[str, Flow] = {}
    judged = []
    for feed in around.feeds:
        flow = flows.setdefault(feed.entity, around.flow(feed.entity))
        status, key = statuses.get(feed.connector), (feed.entity, feed.source_system)
        written = None if away else found.get(key) or Written.nothing(*key)
        state = freshness(feed, status, written, now, flow)
        judged.append(Judged(feed, state, status, written, flow, deadline(feed, status, now)))
    return Round(now, tuple(judged), not away)


class Monitor:
    """Keeps the last round. `waits_for`, `last` and `incidents` return at once, from any thread."""

    def __init__(
        self,
        service: KpiService,
        book: IncidentBook,
        observed: ObservationBook | None = None,
        turn: Turn | None = None,
        every_s: float = EVERY_S,
    ) -> None:
        self._service = service
        self._book = book
        self._observed = observed
        self.turn: Turn = turn or Alone()
        self._number: int | None = None
        self._observed_in: str | None = None
        self._every_s = every_s
        self._ledger: Ledger | None = None
        self._unwritten: list[Incident] = []
        self.last: Round | None = None
        self.waits_for: str | None = "starting"
        self.begun: dict[str, int] = {}
        """Incidents that began since this process did, by state."""

    async def run(self, stopping: asyncio.Event) -> None:
        """Judge until `stopping`; call it once the topics are followed."""
        while not stopping.is_set():
            round_ = await asyncio.to_thread(judge_all, self._service)
            self.last, self.waits_for = round_, None
            async with self.turn.work() as number:
                await self._in_turn(round_, number)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), self._every_s)

    async def _in_turn(self, round_: Round, number: int | None) -> None:
        """What follows from a round in the turn with this number. Without a turn another monitor sees to it, and this
        one forgets what it knew; while Kafka is away nobody can write, and whose turn it was goes on judging."""
        away = any(not one.flow.kafka for one in round_.judged)
        if number is None and not away:
            self._ledger, self._unwritten, self._number = None, [], None
        elif number is not None and number != self._number:
            try:
                await self._take_over(number)
            except ConnectorError as error:
                log.info("monitor_waits", cause=str(error))
                return
        if self._ledger is None:
            return
        self._ledger, changed = fold(self._ledger, [one.judgement(round_.at) for one in round_.judged], round_.at)
        await self._keep(changed, round_.at)
        await self._observe(round_)

    async def _take_over(self, number: int) -> None:
        """Go on from what is in the book, and from what could not be written into it yet."""
        await self._book.catch_up()
        known = {one.id: one for one in self._book.all()}
        busy = {one.dataset for one in known.values() if one.ended is None}
        self._unwritten = [one for one in self._unwritten if one.id in known or one.dataset not in busy]
        known |= {one.id: one for one in self._unwritten}
        self._ledger, self._number = Ledger.of(known.values()), number

    @property
    def in_turn(self) -> bool:
        """Whether it is this monitor that evaluates and tells; the series of a second one would alarm twice."""
        return self._ledger is not None

    def open_incidents(self) -> tuple[Incident, ...] | None:
        """Those that are open now, as judged last; None while it is not this monitor's turn."""
        return tuple(self._ledger.open.values()) if self._ledger is not None else None

    async def _observe(self, round_: Round) -> None:
        """Once in each minute what was seen is kept for the charts. A minute that cannot be written stays a gap."""
        if self._observed is None or slot(round_.at) == self._observed_in:
            return
        self._observed_in = slot(round_.at)
        seen = {one.feed.connector: one.observation(round_.at) for one in round_.judged}
        try:
            await asyncio.wait_for(self._observed.write(seen, round_.at), self._every_s)
        except (ConnectorError, OSError, TimeoutError) as error:
            log.info("observations_lost", reason=type(error).__name__, datasets=len(seen))

    async def _keep(self, changed: Sequence[Incident], now: datetime) -> None:
        for one in changed:
            if one.ended is None:
                self.begun[one.state] = self.begun.get(one.state, 0) + 1
                log.info("incident_began", dataset=one.dataset, state=one.state, incident=one.id)
            else:
                log.info("incident_ended", dataset=one.dataset, state=one.state, incident=one.id)
        self._unwritten = [*self._unwritten, *changed]
        if not self._unwritten:
            return
        try:
            await asyncio.wait_for(self._book.write(self._unwritten, now), self._every_s)
        except (ConnectorError, OSError, TimeoutError) as error:
            log.info("incidents_wait", reason=type(error).__name__, incidents=len(self._unwritten))
        else:
            self._unwritten = []
