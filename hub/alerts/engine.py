"""The engine: judges the rules again and again, keeps the alerts, escalates, and lets the notifier tell."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from connectors.errors import ConnectorError, place_of
from hub.alerts.alert import Alert
from hub.alerts.book import AlertBook
from hub.alerts.figures import Figures
from hub.alerts.finding import Finding
from hub.alerts.fold import Watched, closing, escalations, fold
from hub.alerts.judge import judge_health, judge_kpi, judged_now
from hub.alerts.notifier import Notifier
from hub.alerts.rule import Rule
from hub.alerts.rule_files import AlertRules
from hub.health.incident import Incident
from hub.kpi.errors import WarehouseAwayError
from hub.kpi.feed import Feed
from hub.turn import Alone, Turn

EVERY_S = 2.5
"""Between two evaluations of states; incidents are found as often."""
KPIS_EVERY = timedelta(seconds=60)
"""Between two evaluations of KPIs, each some queries of the warehouse."""
FORGET_EVERY = timedelta(hours=6)

log = structlog.get_logger("ioc.alerts")


@dataclass(frozen=True, slots=True)
class Seen:
    """What rules are judged by. `incidents`: those open now, None while they are not known; `figures`: as of a time,
    asked while judging."""

    feeds: Callable[[], Iterable[Feed]]
    incidents: Callable[[], Iterable[Incident] | None]
    figures: Callable[[datetime], Figures]
    clock: Callable[[], datetime]


class AlertEngine:
    """For one event loop. `opened`: alerts that began since the start, by severity."""

    def __init__(
        self, rules: AlertRules, book: AlertBook, notifier: Notifier, seen: Seen, turn: Turn | None = None
    ) -> None:
        self.rules = rules
        self.book = book
        self.notifier = notifier
        self._seen = seen
        self._turn: Turn = turn or Alone()
        self._number: int | None = None
        self._watched: Watched | None = None
        self._unwritten: list[Alert] = []
        self._kpis_at: datetime | None = None
        self._forgot_at: datetime | None = None
        self.opened: dict[str, int] = {}
        self.evaluated_at: datetime | None = None

    async def run(self, stopping: asyncio.Event) -> None:
        """Evaluate until `stopping`; call it once the book's topic is followed."""
        while not stopping.is_set():
            try:
                async with self._turn.work() as number:
                    await self.round(number)
            except Exception as error:
                # A rule that breaks must not take the judgement of health with it.
                log.exception("alert_round_failed", reason=type(error).__name__, place=place_of(error), exc_info=False)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), EVERY_S)

    async def round(self, number: int | None = 1) -> None:
        """One evaluation in the turn with this number, and what follows from it. While Kafka is away nothing is told
        and nothing is lost; while it is another's turn nothing is done."""
        now, incidents = self._seen.clock(), self._seen.incidents()
        if incidents is None:  # the monitor beside this engine forgets when the turn goes to another
            self._watched, self._unwritten, self._number = None, [], None
            return
        if number is not None and number != self._number:
            try:
                await self.book.catch_up()
            except ConnectorError as error:
                log.info("alerts_wait", reason=type(error).__name__, alerts=len(self._unwritten))
                return
            known = {one.id: one for one in self.book.all()} | {one.id: one for one in self._unwritten}
            self._watched, self._number = Watched.of(known.values()), number
        if self._watched is None:
            return
        findings, judged = self._states(now, incidents)
        more, more_judged = await asyncio.to_thread(self._figures, now)
        watched, changed = fold(self._watched, [*findings, *more], {*judged, *more_judged}, self.rules, now)
        self._watched, self.evaluated_at = watched, now
        self._say(changed)
        self._unwritten = [*self._unwritten, *changed]
        try:
            await self._keep(now)
            await self.notifier.tell(lambda: self._turn.held)
        except (ConnectorError, OSError, TimeoutError) as error:
            log.info("alerts_wait", reason=type(error).__name__, alerts=len(self._unwritten))

    def _states(self, now: datetime, open_now: Iterable[Incident]) -> tuple[list[Finding], set[str]]:
        feeds = {feed.connector: feed for feed in self._seen.feeds()}
        incidents = tuple(open_now)
        found: list[Finding] = []
        judged: set[str] = set()
        for rule in self._judged(now):
            if rule.when.health is not None:
                found += judge_health(rule, rule.when.health, incidents, feeds)
                judged.add(rule.id)
        return found, judged

    def _figures(self, now: datetime) -> tuple[list[Finding], set[str]]:
        """Those of KPIs, when their time has come; a rule that cannot be judged now changes nothing."""
        if self._kpis_at is not None and now - self._kpis_at < KPIS_EVERY:
            return [], set()
        self._kpis_at = now
        figures = self._seen.figures(now)
        open_keys = self._watched.open.keys() if self._watched is not None else ()
        found: list[Finding] = []
        judged: set[str] = set()
        for rule in self._judged(now):
            if rule.when.health is not None:
                continue
            try:
                found += judge_kpi(rule, figures, self.rules.calendars[rule.calendar], open_keys)
            except WarehouseAwayError:
                break
            judged.add(rule.id)
        return found, judged

    def _judged(self, now: datetime) -> Sequence[Rule]:
        rules, calendars = self.rules.rules.values(), self.rules.calendars
        return [rule for rule in rules if judged_now(rule, calendars[rule.calendar], now)]

    def _say(self, changed: Iterable[Alert]) -> None:
        for one in changed:
            if one.ended is None:
                self.opened[one.severity] = self.opened.get(one.severity, 0) + 1
                log.info("alert_opened", alert=one.id, rule=one.rule)
            else:
                log.info("alert_ended", alert=one.id, rule=one.rule)

    async def _keep(self, now: datetime) -> None:
        await self.book.write(self._unwritten)
        self._unwritten = []
        for alert in self.book.live():
            for act in escalations(alert, self.rules, self.rules.calendars, now):
                log.info("alert_escalated", alert=alert.id, rule=alert.rule, level=act.level)
                await self.book.act(alert.id, act)
            end = closing(alert, now)
            if end is not None:
                await self.book.act(alert.id, end)
        if self._forgot_at is None or now - self._forgot_at >= FORGET_EVERY:
            self._forgot_at = now
            await self.book.forget(now)
