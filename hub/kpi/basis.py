"""What figures rest on: the ledger, the catalogue of rollups, the connectors' reports. Blocks; safe from threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from hub.health.flow import CALM, Flow
from hub.kpi import ledger
from hub.kpi.answer import Basis, Completeness
from hub.kpi.cache import TTL, AnswerCache
from hub.kpi.feed import Feed, Status, Written
from hub.kpi.freshness import freshness, newest
from hub.kpi.memo import VERSIONS, Known, Memo, Sizes, Versions, sizes, versions
from hub.kpi.reader import Reader
from hub.kpi.rollups import CATALOGUE, Served, definitions
from hub.kpi.statement import Statement
from streams.plan import EntityPlan
from streams.warehouse.catalogue import entries_of


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is known outside the warehouse. Callables must return at once.

    `feeds`: the connectors that are declared, at each iteration · `statuses`: their reports by id ·
    `topic_records`: records in the topic by entity (may be empty) · `flow`: the way to the warehouse by entity ·
    `one_server`: all tables are on the server that is asked, so that it can tell which of them were written to.
    """

    feeds: Iterable[Feed]
    statuses: Callable[[], Mapping[str, Status]]
    topic_records: Callable[[], Mapping[str, int]]
    clock: Callable[[], datetime]
    timezone: str
    flow: Callable[[str], Flow] = lambda entity: CALM
    one_server: bool = False


LOOK = Statement(
    f"{ledger.LEDGER.sql} UNION ALL"
    f" SELECT '' AS entity, table, toInt64(block), toInt64(modified), toInt64(held), {', '.join('0' * 5)}"
    f" FROM ({VERSIONS.sql})",
    {},
)
"""The ledger and the versions in one statement, which costs a question less; versions have no entity."""
SETTLED_AFTER = timedelta(milliseconds=500)
"""The warehouse derives the ledger and the figures of a batch side by side, and the ledger may be there some
milliseconds earlier: what is said to be in the figures is what was written so long before the look."""


@dataclass(frozen=True, slots=True)
class Look:
    """The ledger and the tables' versions, both read after the moment `at`: figures of these versions hold what the
    ledger tells of the time until `SETTLED_AFTER` before it."""

    at: datetime
    written: tuple[Written, ...]
    versions: Versions | None
    sizes: Sizes = field(default_factory=dict)


class Foundations:
    """Asked again after `ttl` at most."""

    def __init__(
        self, reader: Reader, plans: Mapping[str, EntityPlan], around: Surroundings, ttl: timedelta = TTL
    ) -> None:
        self._reader = reader
        self._plans = plans
        self._around = around
        self._definitions = definitions(plans, around.timezone)
        self._looks: AnswerCache[Look] = AnswerCache(around.clock, ttl)
        self._quarantined: AnswerCache[dict[str, int]] = AnswerCache(around.clock, ttl)
        self._served: AnswerCache[Served] = AnswerCache(around.clock, ttl)
        self.memo = Memo(reader, self._known)
        """Answers statements over tables that are written to now and then: rollups, codes, the catalogue."""

    def served(self) -> Served:
        """Which tables answer, and which KPIs cannot be answered yet; WarehouseAwayError."""
        return self._served.get(
            "catalogue", lambda: Served.of(entries_of(self.memo.rows(CATALOGUE)), self._definitions)
        )

    def look(self, since: datetime | None = None) -> Look:
        """The ledger and the versions, read at or after `since`; WarehouseAwayError."""
        return self._looks.get("ledger", self._look, since)

    def _look(self) -> Look:
        at = self._around.clock()
        if not self._around.one_server:
            return Look(at, ledger.written(self._reader.rows(ledger.LEDGER)), None)
        rows = self._reader.rows(LOOK)
        tables = [row[1:5] for row in rows if not row[0]]
        return Look(at, ledger.written(row for row in rows if row[0]), versions(tables), sizes(tables))

    def _known(self) -> Known | None:
        """The versions of all tables, as of the last look; None where they cannot be told; WarehouseAwayError."""
        if not self._around.one_server:
            return None
        look = self.look()
        return None if look.versions is None else Known(look.at, look.versions, look.sizes)

    def written(self) -> tuple[Written, ...]:
        """The ledger's totals by entity and source system; WarehouseAwayError."""
        return self.look().written

    def written_lately(self) -> tuple[Written, ...] | None:
        """As `written` where that was looked at a moment ago; None where it has to be asked. Does not block."""
        look = self._looks.held("ledger")
        return None if look is None else look.written

    def quarantined(self) -> dict[str, int]:
        """Quarantined records by connector; WarehouseAwayError."""
        return self._quarantined.get("all", lambda: ledger.quarantined(self.memo.rows(ledger.QUARANTINED)))

    def bases(self, look: Look | None, entities: Iterable[str] | None = None) -> dict[str, Basis]:
        """What the figures of each entity, or of these, rest on; `look` is None while the warehouse cannot be asked."""
        now = self._around.clock()
        written = look.written if look is not None else None
        statuses, in_topic = self._around.statuses(), self._around.topic_records()
        bases = {}
        for entity in self._plans if entities is None else entities:
            mine = {item.source_system: item for item in written or () if item.entity == entity}
            flow = self._around.flow(entity)
            known = written is not None
            bases[entity] = Basis(
                as_of=_settled(newest([item.written_at for item in mine.values()]), look),
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


def at_most(bases: Mapping[str, Basis], since: datetime | None) -> Mapping[str, Basis]:
    """The bases of figures some of which were read of a look at `since`; None: all of them of the last one."""
    if since is None:
        return bases
    latest = since - SETTLED_AFTER
    return {
        entity: basis if basis.as_of is None else replace(basis, as_of=min(basis.as_of, latest))
        for entity, basis in bases.items()
    }


def _settled(written_at: datetime | None, look: Look | None) -> datetime | None:
    if written_at is None or look is None:
        return written_at
    return min(written_at, look.at - SETTLED_AFTER)


def _of(mine: Mapping[str, Written], feed: Feed, known: bool) -> Written | None:
    return mine.get(feed.source_system) or (Written.nothing(feed.entity, feed.source_system) if known else None)
