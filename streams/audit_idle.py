"""The audit beside the flow: slice by slice, in a share of the time, for ever.

A round looks at every slice of confirmed offsets and at every derived table of an entity once. The sums over the
changes are kept between rounds and taken further by the new offsets only; where a table then differs they are made
anew before anything is told. Changes that are altered long after their batch are found by the slices: each has to
hold every offset once.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import structlog

from schemas.contract import Contract
from streams import audit_sql as sql
from streams import metrics
from streams.audit import UNSETTLED, Finding, Verdict, Window, whole
from streams.audit_checks import EntityAudit, Faults
from streams.audit_readings import AuditStoppedError, Confirmed, Extent
from streams.audit_sql import Derived
from streams.errors import StreamError
from streams.topic_log import KafkaTopicLog
from streams.warehouse.client import Warehouse

log = structlog.get_logger()

BUSY_SHARE, IDLE_SHARE = 0.04, 0.1
"""Of one core's time, spent in statements of one thread while records arrive, and while none do: on two cores 2%."""

TURN_S = 1.0
"""Cost of one turn; after it the audit pauses."""

PAUSE_LEAST_S, PAUSE_MOST_S = 1.0, 8.0
"""After a turn. The longest is for a round that is done in one turn while nothing arrives, as that of a million changes
is: such tables are looked at several times a minute, at a cost of half a second. Larger ones, and all while records
arrive, get their share and no more: with eight seconds there too one event in a hundred at 20,000 a second was visible
after 0.37 s with the audit and 0.28 s without (three pairs)."""

BEGIN_S = 5.0
"""After a worker's start: its first batches have the warehouse for themselves."""

AWAY_S = 5.0
"""Pause while Kafka or the warehouse is away."""

FIRST_LOOK, FEW_READINGS = 2, 8
"""Readings of one derived table: too few to make a difference of, enough to see that there is none; and those of a
table that has to be looked at closely. What they do not settle, the next round does."""


def pause_after(spent_s: float, *, moved: bool, round_done: bool) -> float:
    """Seconds to pause after a turn that cost `spent_s` of statements. `moved`: records arrived since the last turn;
    `round_done`: the turn came to the end of a round."""
    pause = spent_s / (BUSY_SHARE if moved else IDLE_SHARE)
    return max(PAUSE_LEAST_S, min(PAUSE_MOST_S, pause) if round_done and not moved else pause)


Steps = Generator[None, None, None]
"""Work that gives back control after each statement or few."""


@dataclass(slots=True)
class Watch:
    """What is kept of one entity between rounds."""

    audit: EntityAudit
    confirmed: dict[str, Confirmed] = field(default_factory=dict)
    explained: dict[tuple[Extent, int], Window] = field(default_factory=dict)
    """Windows that are not whole because Kafka has the same gaps, by extent and first offset."""
    rounds: int = 0
    urgent: bool = False
    """Something looks wrong: looked at closely without long pauses."""
    told: dict[str, int] = field(default_factory=dict)
    """Rows that differ, by table, as last told."""

    def tell(self, table: str, findings: Sequence[Finding]) -> bool:
        """Show what was found of a table, and log what has changed since; whether all is right and settled."""
        rows = sum(finding.rows for finding in findings if not finding.noted)
        metrics.ROLLUP_DRIFT.labels(table).set(rows)
        if rows and rows != self.told.get(table):
            for finding in findings[:5]:
                log.error("audit_found", entity=finding.entity, table=table, check=finding.check, code=finding.code,
                          place=finding.place, rows=finding.rows)  # fmt: skip
            log.error("audit_drift", entity=self.audit.contract.entity, table=table, rows=rows, cure="ioc audit --heal")
        elif not rows and self.told.get(table):
            log.info("audit_right_again", entity=self.audit.contract.entity, table=table)
        self.told[table] = rows
        return not any(not finding.noted for finding in findings)


def one_round(watch: Watch) -> Generator[None, None, bool]:
    """Every check once; whether all is right."""
    audit, contract = watch.audit, watch.audit.contract
    audit.faults, audit.gaps = Faults(), []
    audit.reader.forget_places()
    good = yield from _offsets(watch)
    for rollup in audit.rollups():
        verdict = yield from _verdict(watch, sql.rollup_days(rollup), trusted=good)
        good &= watch.tell(rollup.table, audit.days_of(rollup, verdict))
        yield
    verdict = yield from _verdict(watch, sql.current(contract, deep=False), trusted=good)
    good &= watch.tell(contract.current_table, audit.entities(verdict))
    verdict = yield from _verdict(watch, sql.ledger(contract), trusted=good)
    good &= watch.tell(f"{contract.entity}_ledger", audit.ledger_rows(verdict))
    return good


def _offsets(watch: Watch) -> Generator[None, None, bool]:
    audit = watch.audit
    found: list[Finding] = []
    explained: dict[tuple[Extent, int], Window] = {}
    for extent, window in audit.reader.windows(audit.reader.extents(audit.reader.cuts())):
        place = (extent, window.first)
        if not whole(window):
            faults = [] if watch.explained.get(place) == window else audit.explain(extent, window)
            found += faults
            if not any(not finding.noted for finding in faults):
                explained[place] = window
        yield
    watch.explained = explained
    return watch.tell(audit.contract.changes_table, found)


def _verdict(watch: Watch, derived: Derived, *, trusted: bool) -> Generator[None, None, Verdict]:
    """Right or not. `trusted`: nothing wrong was found before in this round, so the sums kept may still hold."""
    reader = watch.audit.reader
    kept = watch.confirmed.get(derived.name)
    if kept is None or kept.derived != derived:
        kept = watch.confirmed[derived.name] = Confirmed(derived)
    verdict = UNSETTLED
    if trusted:
        yield from _caught_up(watch, kept)
        verdict = reader.verdict(derived, kept, FIRST_LOOK)
    if not verdict.clean:
        watch.urgent = True
        if trusted:
            # What makes a rollup wrong may lie in the changes, since this round looked at them.
            yield from _offsets(watch)
        kept = watch.confirmed[derived.name] = Confirmed(derived)
        yield from _caught_up(watch, kept)
        drift = metrics.ROLLUP_DRIFT.labels(derived.name)
        # One at once; the exact number of rows follows.
        verdict = reader.verdict(derived, kept, FEW_READINGS, wrong=lambda: drift.set(1))
        watch.urgent = False
    yield
    return verdict


def _caught_up(watch: Watch, confirmed: Confirmed) -> Steps:
    reader = watch.audit.reader
    while not confirmed.advance(reader, reader.extents(reader.cuts()), slices=1):
        yield


def for_ever(watch: Watch) -> Steps:
    """Round after round."""
    entity = watch.audit.contract.entity
    while True:
        if (yield from one_round(watch)):
            metrics.AUDIT_SUCCESS.labels(entity).set_to_current_time()
        watch.rounds += 1
        yield


class IdleAudit:
    """Audits the entities that are this worker's to audit, until cancelled."""

    def __init__(
        self,
        warehouse: Warehouse,
        contracts: Iterable[Contract],
        bootstrap: str,
        group: str,
        ours: Callable[[str], bool],
    ) -> None:
        """`ours`: whether this worker is the one that audits a topic; asked on the event loop."""
        self._warehouse = warehouse
        self._contracts = tuple(contracts)
        self._bootstrap = bootstrap
        self._group = group
        self._ours = ours
        self._stopped = threading.Event()
        self._logs: dict[str, KafkaTopicLog] = {}
        self._watches: dict[str, tuple[Watch, Steps]] = {}
        self._committed: dict[str, int] = {}
        self._number = 0

    async def run(self) -> None:
        """Turn after turn; ends by being cancelled, when its statement at hand has."""
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[float] | None = None
        try:
            await asyncio.sleep(BEGIN_S)
            while True:
                ours = [contract for contract in self._contracts if self._ours(contract.topic)]
                turn = loop.run_in_executor(None, self._turn, ours, loop)
                await asyncio.sleep(await self._outcome(turn))
        finally:
            self._stopped.set()
            if turn is not None:
                with suppress(Exception):
                    await turn
            for topic_log in self._logs.values():
                await topic_log.close()

    async def _outcome(self, turn: asyncio.Future[float]) -> float:
        try:
            return await asyncio.shield(turn)
        except Exception:
            log.exception("audit_failed")
            self._watches.clear()
            return AWAY_S

    def _turn(self, ours: Sequence[Contract], loop: asyncio.AbstractEventLoop) -> float:
        """Some work on the next of our entities; the seconds to pause after it."""
        entities = {contract.entity for contract in ours}
        self._watches = {entity: watch for entity, watch in self._watches.items() if entity in entities}
        if not ours:
            return PAUSE_LEAST_S
        self._number += 1
        contract = ours[self._number % len(ours)]
        try:
            return self._work(contract, loop)
        except AuditStoppedError:
            raise
        except StreamError as error:
            # What was kept may be of a table that is no more.
            self._watches.pop(contract.entity, None)
            log.warning("audit_waits", entity=contract.entity, error=str(error)[:300])
            return AWAY_S

    def _work(self, contract: Contract, loop: asyncio.AbstractEventLoop) -> float:
        entity = contract.entity
        if entity not in self._logs:
            self._logs[entity] = KafkaTopicLog(self._bootstrap, contract.topic, self._group, loop)
        if entity not in self._watches:
            audit = EntityAudit(self._warehouse, contract, self._logs[entity], stopped=self._stopped)
            watch = Watch(audit)
            self._watches[entity] = (watch, for_ever(watch))
        watch, steps = self._watches[entity]
        reader = watch.audit.reader
        rounds, before = watch.rounds, reader.spent_s
        while reader.spent_s - before < TURN_S and watch.rounds == rounds:
            next(steps)
        spent = reader.spent_s - before
        metrics.AUDIT_SECONDS.labels(entity).inc(spent)
        if watch.urgent:
            return PAUSE_LEAST_S
        moved = self._moved(entity, sum(self._logs[entity].committed().values()))
        return pause_after(spent, moved=moved, round_done=watch.rounds != rounds)

    def _moved(self, entity: str, committed: int) -> bool:
        """Whether the partitions have moved on since the last turn."""
        before, self._committed[entity] = self._committed.get(entity), committed
        return before != committed
