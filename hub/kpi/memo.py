"""Answers of statements over tables that did not change: kept until one of the tables is written to. Blocks.

What is kept is exactly what the warehouse would answer again: an answer is held with the versions of the tables its
statement reads, taken before it was asked, and serves as long as they are the same. Each select of a union is kept by
itself, so that a write to one table costs the questions about this table alone. A version is the number of the last
block of a table, which the warehouse's own merges leave as it is, and the time of its last part, which another table
put in its place changes.

While all tables change faster than a busy warehouse answers, whoever asks for it gets answers that are somewhat older,
and of which moment they are (`rows_since`): figures of a known moment are worth more than none.
"""

from __future__ import annotations

import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Protocol

from hub.kpi.by_day import ByDay, DailySums
from hub.kpi.daily_memo import DailyMemo
from hub.kpi.errors import WarehouseAwayError
from hub.kpi.statement import Select, Statement, Value, union_of

ENTRIES = 4_096
MOST_ROWS = 5_000
"""An answer with more is not a figure's."""
SELECTS_AT_ONCE = 8
"""A select costs the warehouse 3 to 10 ms of planning, however little its table holds, and a statement 2 of its own.
The figures of a province are a hundred selects: one statement of them all ran out of its time on a busy server, and
where one of 32 still did, one of 8 did not."""

VERSIONS = Statement(
    "SELECT table, max(max_block_number) AS block, max(toUnixTimestamp(modification_time)) AS modified,"
    " sum(rows) AS held"
    " FROM system.parts WHERE active AND database = currentDatabase() GROUP BY table",
    {},
)

LIGHT_ROWS = 50_000
"""So many rows are read in about the time in which the warehouse finds out whether a projection holds fewer: a month of
330,000 rows a year took 5.3 ms, and 6.2 with looking for one."""
DAYS_OF_A_TABLE = 365
"""A rollup's rows are taken to be of a year: of more than one it is read less than thought."""

LONGEST_S = 5.0
"""Somebody waits: the next one to ask goes on from what is known by then."""
SLOW = "TIMEOUT_EXCEEDED"
"""The warehouse's own name for it."""
NEVER = datetime.min.replace(tzinfo=UTC)
OLDEST = timedelta(minutes=1)
"""What is older is not given for a figure of today."""

Versions = Mapping[str, Hashable]
"""By table, of those that hold anything."""


Sizes = Mapping[str, int]
"""Rows by table."""


def versions(rows: Iterable[Sequence[Any]]) -> Versions:
    """From the answer to `VERSIONS`."""
    return {str(table): (block, modified) for table, block, modified, _ in rows}


def sizes(rows: Iterable[Sequence[Any]]) -> Sizes:
    """From the answer to `VERSIONS`. No part of a version: the warehouse's own merges change them."""
    return {str(table): int(held) for table, _, _, held in rows}


Answer = Sequence[Sequence[Any]]


@dataclass(frozen=True, slots=True)
class Known:
    """The versions of the tables, and a moment before they were read."""

    at: datetime
    versions: Versions
    sizes: Sizes = field(default_factory=dict)


class Rows(Protocol):
    """What is asked of `hub.kpi.reader.Reader`."""

    def rows(self, statement: Statement) -> Answer: ...


@dataclass(frozen=True, slots=True)
class _Question:
    """What is asked, and of which versions of the tables that it reads."""

    key: Hashable
    stamp: Hashable

    @classmethod
    def of(cls, sql: str, parameters: Mapping[str, Value], known: Versions) -> _Question:
        named = tuple((name, repr(parameters[name])) for name in _parameters(sql) if name in parameters)
        return cls((sql, named), tuple((name, known[name]) for name in _words(sql) if name in known))

    @classmethod
    def by_day(cls, asked: ByDay, parameters: Mapping[str, Value], known: Versions) -> _Question:
        return cls.of(asked.sql, {**parameters, **asked.parameters}, known)


@dataclass(frozen=True, slots=True)
class _Kept:
    """An answer, of which versions and of which moment."""

    stamp: Hashable
    at: datetime
    rows: Answer


class Memo:
    """Asks `reader` what it does not hold. `now`: the versions of the tables, None where they cannot be told; it may
    raise WarehouseAwayError. `seconds`: a clock that only goes forward. Safe from several threads."""

    def __init__(
        self, reader: Rows, now: Callable[[], Known | None], seconds: Callable[[], float] = time.monotonic
    ) -> None:
        self._reader = reader
        self._now = now
        self._seconds = seconds
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, _Kept] = OrderedDict()
        self._daily = DailyMemo()

    def rows(self, statement: Statement) -> Answer:
        """All rows of the answer; the errors of `Reader.rows`.

        Of a union only those selects are asked of which a table changed, `SELECTS_AT_ONCE` in one statement: what was
        answered is known if the warehouse fails at the next ones, or all together take longer than `LONGEST_S`.
        """
        return self._asked(statement, older=False)[0]

    def rows_since(self, statement: Statement) -> tuple[Answer, datetime | None]:
        """As `rows`, but of a union some selects may be answered as they were at most `OLDEST` ago, if the warehouse
        does not answer them all in `LONGEST_S`. Then the moment of which the oldest of them is; else None."""
        return self._asked(statement, older=True)

    def _asked(self, statement: Statement, older: bool) -> tuple[Answer, datetime | None]:
        known = self._now()
        if known is None:
            return self._reader.rows(statement), None
        if not statement.selects:
            return self._of_one(statement, known), None
        questions = {
            select: _Question.of(select.sql, statement.parameters, known.versions) for select in statement.selects
        }
        found = {select: self._recall(question) for select, question in questions.items()}
        for select in [select for select, rows in found.items() if rows is None]:
            found[select] = self._recall_days(select, statement, known)
        # What was never answered comes first, then the oldest: what changes all the time must not use up the time of
        # every asker.
        missing = sorted(
            (select for select, rows in found.items() if rows is None), key=lambda select: self._of(questions[select])
        )
        since: datetime | None = None
        try:
            self._ask(missing, statement, questions, found, known)
        except WarehouseAwayError as error:
            if not older or error.cause != SLOW:
                raise
            for select in [select for select, rows in found.items() if rows is None]:
                kept = self._kept_of(questions[select])
                if kept is None or kept.at < known.at - OLDEST:
                    raise
                found[select] = kept.rows
                since = kept.at if since is None else min(since, kept.at)
        return [row for rows in found.values() for row in rows or ()], since

    def _ask(
        self,
        missing: Sequence[Select],
        statement: Statement,
        questions: Mapping[Select, _Question],
        found: dict[Select, Answer | None],
        known: Known,
    ) -> None:
        """Puts the answers into `found`; WarehouseAwayError with those known by then in it."""
        until = self._seconds() + LONGEST_S
        missing = [select for select in missing if not self._asked_by_day(select, statement, found, known)]
        for at in range(0, len(missing), SELECTS_AT_ONCE):
            if self._seconds() > until:
                raise WarehouseAwayError(SLOW)
            some = missing[at : at + SELECTS_AT_ONCE]
            light = all(is_light(select, known.sizes) for select in some)
            rows = self._reader.rows(union_of(some, statement.parameters, light))
            for select in some:
                answer = found[select] = [row for row in rows if row[0] == select.source]
                self._keep(questions[select], known.at, answer)

    def _recall_days(self, select: Select, statement: Statement, known: Known) -> Answer | None:
        if select.by_day is None:
            return None
        question = _Question.by_day(select.by_day, statement.parameters, known.versions)
        return self._daily.recall(question.key, question.stamp, select.source, select.by_day)

    def _asked_by_day(
        self, select: Select, statement: Statement, found: dict[Select, Answer | None], known: Known
    ) -> bool:
        """Puts the answer into `found` if it pays to ask for all days of its years, and these are not too many."""
        asked = select.by_day
        if asked is None:
            return False
        question = _Question.by_day(asked, statement.parameters, known.versions)
        if not self._daily.pays(question.key, question.stamp, asked):
            return False
        sums = self._days_of(asked, statement)
        self._daily.keep(question.key, question.stamp, sums)
        if sums is None:
            return False
        found[select] = list(sums.rows(select.source, asked))
        return True

    def _days_of(self, asked: ByDay, statement: Statement) -> DailySums | None:
        """None if they are too many to be told, or to be told in time."""
        try:
            rows = self._reader.rows(Statement(asked.sql, {**statement.parameters, **asked.parameters}))
        except WarehouseAwayError as error:
            if error.cause != SLOW:
                raise
            return None
        sums = DailySums(rows)
        return None if sums.too_many else sums

    def _of_one(self, statement: Statement, known: Known) -> Answer:
        question = _Question.of(statement.sql, statement.parameters, known.versions)
        rows = self._recall(question)
        if rows is None:
            rows = self._reader.rows(statement)
            self._keep(question, known.at, rows)
        return rows

    def _of(self, question: _Question) -> datetime:
        """Of which moment the kept answer is."""
        kept = self._kept_of(question)
        return NEVER if kept is None else kept.at

    def _kept_of(self, question: _Question) -> _Kept | None:
        """What was answered last, of whatever versions."""
        with self._lock:
            return self._kept.get(question.key)

    def _recall(self, question: _Question) -> Answer | None:
        with self._lock:
            kept = self._kept.get(question.key)
            if kept is None or kept.stamp != question.stamp:
                return None
            self._kept.move_to_end(question.key)
            return kept.rows

    def _keep(self, question: _Question, at: datetime, rows: Answer) -> None:
        if len(rows) > MOST_ROWS:
            return
        with self._lock:
            self._kept[question.key] = _Kept(question.stamp, at, rows)
            self._kept.move_to_end(question.key)
            while len(self._kept) > ENTRIES:
                self._kept.popitem(last=False)


def is_light(select: Select, held: Sizes) -> bool:
    """Whether a select reads `LIGHT_ROWS` at most: pure."""
    most = max((held.get(name, 0) for name in _words(select.sql)), default=0)
    return most * min(1.0, (select.days or DAYS_OF_A_TABLE) / DAYS_OF_A_TABLE) <= LIGHT_ROWS


@lru_cache(maxsize=4_096)
def _words(sql: str) -> tuple[str, ...]:
    """Every word of a statement: its tables are among them. A column that has a table's name does no harm: the answer
    is asked again sooner."""
    return tuple(sorted(set(re.findall(r"[A-Za-z_]\w*", sql))))


@lru_cache(maxsize=4_096)
def _parameters(sql: str) -> tuple[str, ...]:
    """The names of a statement's parameters: others do not make it another question."""
    return tuple(sorted(set(re.findall(r"\{(\w+):", sql))))
