"""What figures rest on: the ledger, the catalogue of rollups, the connectors' reports. Blocks; safe from threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from hub.health.flow import CALM, Flow
from hub.kpi import ledger
from hub.kpi.answer import Basis, Completeness
from hub.kpi.cache import TTL, AnswerCache
from hub.kpi.feed import Feed, Status, Written
from hub.kpi.freshness import freshness, newest
from hub.kpi.reader import Reader
from hub.kpi.rollups import CATALOGUE, Served, definitions
from streams.plan import EntityPlan
from streams.warehouse.catalogue import entries_of


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is known outside the warehouse. Callables must return at once.

    `feeds`: the connectors that are declared, at each iteration · `statuses`: their reports by id ·
    `topic_records`: records in the topic by entity (may be empty) · `flow`: the way to the warehouse by entity.
    """

    feeds: Iterable[Feed]
    statuses: Callable[[], Mapping[str, Status]]
    topic_records: Callable[[], Mapping[str, int]]
    clock: Callable[[], datetime]
    timezone: str
    flow: Callable[[str], Flow] = lambda entity: CALM


class Foundations:
    """Asked again after `ttl` at most."""

    def __init__(
        self, reader: Reader, plans: Mapping[str, EntityPlan], around: Surroundings, ttl: timedelta = TTL
    ) -> None:
        self._reader = reader
        self._plans = plans
        self._around = around
        self._definitions = definitions(plans, around.timezone)
        self._ledger: AnswerCache[tuple[Written, ...]] = AnswerCache(around.clock, ttl)
        self._quarantined: AnswerCache[dict[str, int]] = AnswerCache(around.clock, ttl)
        self._served: AnswerCache[Served] = AnswerCache(around.clock, ttl)

    def served(self) -> Served:
        """Which tables answer, and which KPIs cannot be answered yet; WarehouseAwayError."""
        return self._served.get(
            "catalogue", lambda: Served.of(entries_of(self._reader.rows(CATALOGUE)), self._definitions)
        )

    def written(self) -> tuple[Written, ...]:
        """The ledger's totals by entity and source system; WarehouseAwayError."""
        return self._ledger.get("ledger", lambda: ledger.written(self._reader.rows(ledger.LEDGER)))

    def quarantined(self) -> dict[str, int]:
        """Quarantined records by connector; WarehouseAwayError."""
        return self._quarantined.get("all", lambda: ledger.quarantined(self._reader.rows(ledger.QUARANTINED)))

    def bases(self, written: Sequence[Written] | None) -> dict[str, Basis]:
        """What each entity's figures rest on; `written` is None while the warehouse cannot be asked."""
        now = self._around.clock()
        statuses, in_topic = self._around.statuses(), self._around.topic_records()
        bases = {}
        for entity in self._plans:
            mine = {item.source_system: item for item in written or () if item.entity == entity}
            flow = self._around.flow(entity)
            known = written is not None
            bases[entity] = Basis(
                as_of=newest([item.written_at for item in mine.values()]),
                read_at=now,
                freshness=tuple(
                    freshness(feed, statuses.get(feed.connector), _of(mine, feed, known), now, flow)
                    for feed in self._around.feeds
                    if feed.entity == entity
                ),
                completeness=Completeness(
                    in_topic.get(entity),
                    sum(item.records for item in mine.values()) if known else None,
                    sum(item.quarantined for item in mine.values()) if known else None,
                ),
            )
        return bases


def _of(mine: Mapping[str, Written], feed: Feed, known: bool) -> Written | None:
    return mine.get(feed.source_system) or (Written.nothing(feed.entity, feed.source_system) if known else None)
