"""What is kept of the warehouse's answers is what it would answer again, whatever happened to its tables meanwhile."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hub.kpi.answer import Basis, Completeness
from hub.kpi.basis import SETTLED_AFTER, Foundations, Surroundings, at_most
from hub.kpi.errors import WarehouseAwayError
from hub.kpi.memo import (
    LIGHT_ROWS,
    LONGEST_S,
    OLDEST,
    SELECTS_AT_ONCE,
    VERSIONS,
    Known,
    Memo,
    Versions,
    is_light,
    sizes,
    versions,
)
from hub.kpi.reader import Reader
from hub.kpi.statement import Select, Statement, union_of
from tests.unit.kpi_tables import InProcess, add_ledger, tables

NOW = datetime(2026, 11, 20, 3, 0, 0, tzinfo=UTC)
SUM = Statement("SELECT sum(n) FROM kept WHERE n < {most:Int64}", {"most": "1000000"})


def _known(versions: Versions | None, at: datetime = NOW) -> Known | None:
    return None if versions is None else Known(at, dict(versions))


class Counting:
    """Answers with the number of times it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def rows(self, statement: Statement) -> Sequence[Sequence[Any]]:
        self.asked += 1
        return [(self.asked,)]


def test_an_answer_serves_until_one_of_its_tables_is_written_to() -> None:
    now: list[Versions | None] = [{"kept": 1, "other": 1}]
    reader = Counting()
    memo = Memo(reader, lambda: _known(now[0]))
    assert [memo.rows(SUM), memo.rows(SUM)] == [[(1,)], [(1,)]]
    assert memo.rows(Statement(SUM.sql, {"most": "5"})) == [(2,)], "another parameter is another question"
    now[0] = {"kept": 1, "other": 2}
    assert memo.rows(SUM) == [(1,)], "a table that it does not read"
    now[0] = {"kept": 2, "other": 2}
    assert memo.rows(SUM) == [(3,)]
    now[0] = {"other": 2}
    assert memo.rows(SUM) == [(4,)], "a table that was emptied"
    now[0] = None
    assert [memo.rows(SUM), memo.rows(SUM)] == [[(5,)], [(6,)]], "what cannot be told is asked"


class Told:
    """Answers each select of a union with a row that names it; keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.fails_after: int | None = None
        self.cause = "TIMEOUT_EXCEEDED"

    def rows(self, statement: Statement) -> Sequence[Sequence[Any]]:
        if self.fails_after is not None and len(self.asked) >= self.fails_after:
            raise WarehouseAwayError(self.cause)
        self.asked.append([select.source for select in statement.selects])
        return [(select.source, "", [len(self.asked)]) for select in statement.selects]


def _union(*tables: str) -> Statement:
    selects = [Select(f"of_{table}", f"SELECT 'of_{table}', '', [sum(n)] FROM {table}") for table in tables]
    return union_of(selects, {})


def test_of_a_union_only_the_selects_are_asked_whose_tables_were_written_to() -> None:
    now: dict[str, int] = {"one": 1, "two": 1, "three": 1}
    reader = Told()
    memo = Memo(reader, lambda: _known(now))
    every = _union("one", "two", "three")
    assert memo.rows(every) == memo.rows(every)
    now["two"] = 2
    assert memo.rows(every) == [("of_one", "", [1]), ("of_two", "", [2]), ("of_three", "", [1])]
    assert memo.rows(_union("three", "two")) == [("of_three", "", [1]), ("of_two", "", [2])], "another union of them"
    assert reader.asked == [["of_one", "of_two", "of_three"], ["of_two"]]


def test_what_was_answered_before_the_warehouse_ran_out_of_time_is_not_asked_again() -> None:
    names = [f"t{number}" for number in range(SELECTS_AT_ONCE + 5)]
    reader = Told()
    reader.fails_after = 1
    memo = Memo(reader, lambda: _known(dict.fromkeys(names, 1)))
    with pytest.raises(WarehouseAwayError):
        memo.rows(_union(*names))
    reader.fails_after = None
    assert [row[0] for row in memo.rows(_union(*names))] == [f"of_{name}" for name in names]
    assert [len(asked) for asked in reader.asked] == [SELECTS_AT_ONCE, 5]


def test_who_waits_for_many_slow_selects_is_told_and_the_next_one_goes_on_from_there() -> None:
    names = [f"t{number}" for number in range(SELECTS_AT_ONCE * 4)]
    reader = Told()
    memo = Memo(reader, lambda: _known(dict.fromkeys(names, 1)), seconds=lambda: len(reader.asked) * LONGEST_S * 0.6)
    with pytest.raises(WarehouseAwayError, match="TIMEOUT_EXCEEDED"):
        memo.rows(_union(*names))
    assert len(reader.asked) == 2
    assert len(memo.rows(_union(*names))) == len(names)
    assert len(reader.asked) == 4


def test_what_was_never_answered_is_asked_before_what_changed_again() -> None:
    names = [f"t{number}" for number in range(SELECTS_AT_ONCE * 3)]
    now = dict.fromkeys(names, 1)
    reader = Told()
    memo = Memo(reader, lambda: _known(now), seconds=lambda: len(reader.asked) * LONGEST_S * 1.1)
    for turn in (1, 2):
        with pytest.raises(WarehouseAwayError):
            memo.rows(_union(*names))
        now |= dict.fromkeys(names[:SELECTS_AT_ONCE], turn + 1)
    with pytest.raises(WarehouseAwayError):
        memo.rows(_union(*names))
    assert {source for asked in reader.asked for source in asked} == {f"of_{name}" for name in names}
    assert len(memo.rows(_union(*names))) == len(names)


class Slow:
    """A memo over a warehouse that answers one statement in the time that an asker has, while every table changes."""

    def __init__(self) -> None:
        self.names = [f"table{number:02}" for number in range(2 * SELECTS_AT_ONCE)]
        self.reader = Told()
        self.at = NOW
        self.version = 1
        self.seconds = 0.0
        self.memo = Memo(self.reader, self._now, seconds=self._later)

    def _now(self) -> Known | None:
        return _known(dict.fromkeys(self.names, self.version), self.at)

    def _later(self) -> float:
        self.seconds += LONGEST_S * 0.6
        return self.seconds

    @classmethod
    def that_answered_once(cls) -> Slow:
        """Of every table, in two goes."""
        slow = cls()
        for _ in range(2):
            slow.pass_by(timedelta(seconds=1))
            with suppress(WarehouseAwayError):
                slow.memo.rows_since(_union(*slow.names))
        return slow

    def pass_by(self, time: timedelta) -> None:
        """Every table is written to."""
        self.at += time
        self.version += 1


def test_while_all_tables_change_some_answers_are_of_a_known_moment_before() -> None:
    slow = Slow()
    with pytest.raises(WarehouseAwayError):
        slow.memo.rows_since(_union(*slow.names))
    moments = []
    for _ in range(4):
        slow.pass_by(timedelta(seconds=6))
        rows, since = slow.memo.rows_since(_union(*slow.names))
        assert [row[0] for row in rows] == [f"of_{name}" for name in slow.names]
        moments.append(since)
    assert moments == [NOW + timedelta(seconds=seconds) for seconds in (0, 6, 12, 18)], "the oldest are asked first"
    halves = slow.names[:SELECTS_AT_ONCE], slow.names[SELECTS_AT_ONCE:]
    assert slow.reader.asked == [[f"of_{name}" for name in halves[number % 2]] for number in range(5)]


def test_answers_older_than_a_minute_are_not_given_nor_any_to_who_asks_for_the_newest() -> None:
    slow = Slow.that_answered_once()
    slow.pass_by(timedelta(seconds=1))
    with pytest.raises(WarehouseAwayError):
        slow.memo.rows(_union(*slow.names))
    slow.pass_by(OLDEST + timedelta(seconds=1))
    with pytest.raises(WarehouseAwayError):
        slow.memo.rows_since(_union(*slow.names))


def test_figures_of_an_earlier_moment_say_so() -> None:
    nothing = Completeness(None, None, None)
    bases = {"fed": Basis(NOW, NOW, (), nothing), "old": Basis(NOW - OLDEST, NOW, (), nothing)}
    bases["never"] = Basis(None, NOW, (), nothing)
    assert at_most(bases, None) == bases
    limited = at_most(bases, NOW - timedelta(seconds=10))
    assert [limited[name].as_of for name in ("fed", "old", "never")] == [
        NOW - timedelta(seconds=10) - SETTLED_AFTER,
        NOW - OLDEST,
        None,
    ]


def test_a_warehouse_that_went_away_between_two_statements_is_not_covered_up() -> None:
    slow = Slow.that_answered_once()
    slow.reader.fails_after = len(slow.reader.asked)
    slow.reader.cause = "no_connection"
    slow.pass_by(timedelta(seconds=1))
    with pytest.raises(WarehouseAwayError):
        slow.memo.rows_since(_union(*slow.names))


def test_a_warehouse_that_is_away_is_not_covered_up_by_what_is_kept() -> None:
    away = [False]

    def now() -> Known | None:
        if away[0]:
            raise WarehouseAwayError("no_connection")
        return _known({"kept": 1})

    memo = Memo(Counting(), now)
    memo.rows(SUM)
    away[0] = True
    with pytest.raises(WarehouseAwayError):
        memo.rows(SUM)


def _deeds(queries: InProcess) -> list[Callable[[int], None]]:
    """What happens to tables: rows, merges, emptying, another table in their place."""

    def put(number: int) -> None:
        queries.command(f"INSERT INTO kept VALUES ({number})")

    def exchange(number: int) -> None:
        queries.command("CREATE OR REPLACE TABLE kept_g1 (n Int64) ENGINE = MergeTree ORDER BY n")
        queries.command(f"INSERT INTO kept_g1 VALUES ({number})")
        queries.command("EXCHANGE TABLES kept AND kept_g1")

    return [
        put,
        put,
        lambda _: queries.command("OPTIMIZE TABLE kept FINAL"),
        lambda _: queries.command("TRUNCATE TABLE kept"),
        exchange,
        lambda number: queries.command(f"INSERT INTO beside VALUES ({number})"),
    ]


def test_a_select_is_light_if_its_table_is_small_or_it_reads_few_of_its_days() -> None:
    held = {"rollup": LIGHT_ROWS * 10, "code_org": 20}
    for days, table, light in (
        (None, "code_org", True),
        (None, "rollup", False),
        (365, "rollup", False),
        (36, "rollup", True),
        (37, "rollup", False),
        (3650, "code_org", True),
        (None, "never_written", True),
    ):
        assert is_light(Select("s", f"SELECT sum(n) FROM {table}", days), held) is light, (days, table)


def test_only_what_is_light_in_all_its_parts_is_asked_lightly() -> None:
    asked: list[tuple[tuple[str, ...], bool]] = []

    class Noting(Told):
        def rows(self, statement: Statement) -> Sequence[Sequence[Any]]:
            asked.append((tuple(select.source for select in statement.selects), statement.light))
            return super().rows(statement)

    known = Known(NOW, {"small": 1, "large": 1}, {"small": 1, "large": LIGHT_ROWS + 1})
    memo = Memo(Noting(), lambda: known)
    memo.rows(_union("small"))
    memo.rows(_union("small", "large"))
    memo.rows(_union("other", "small", "large"))
    assert asked == [(("of_small",), True), (("of_large",), False), (("of_other",), True)]


def test_the_warehouse_tells_how_many_rows_its_tables_hold() -> None:
    with tables() as (queries, _):
        queries.command("DROP TABLE IF EXISTS kept")
        queries.command("CREATE TABLE kept (n Int64) ENGINE = MergeTree ORDER BY n")
        queries.command("INSERT INTO kept SELECT number FROM numbers(7)")
        queries.command("INSERT INTO kept SELECT number FROM numbers(4)")
        answer = Reader(queries, lambda: NOW).rows(VERSIONS)
        assert sizes(answer)["kept"] == 11
        assert set(sizes(answer)) == set(versions(answer))
        queries.command("DROP TABLE kept")


def test_what_is_kept_is_what_the_engine_would_answer() -> None:
    dice = random.Random(8)
    with tables() as (queries, _):
        queries.command("DROP TABLE IF EXISTS kept")
        queries.command("DROP TABLE IF EXISTS beside")
        for name in ("kept", "beside"):
            queries.command(f"CREATE TABLE {name} (n Int64) ENGINE = MergeTree ORDER BY n")
        reader = Reader(queries, lambda: NOW)
        memo = Memo(reader, lambda: _known(versions(reader.rows(VERSIONS))))
        for number in range(60):
            dice.choice(_deeds(queries))(number)
            for _ in range(2):
                assert memo.rows(SUM) == reader.rows(SUM), number
        for name in ("kept", "beside", "kept_g1"):
            queries.command(f"DROP TABLE IF EXISTS {name}")


def test_what_was_just_written_is_said_to_be_in_the_figures_once_it_is_settled() -> None:
    with tables() as (queries, plans):
        now = [NOW]
        around = Surroundings((), dict, dict, lambda: now[0], "Asia/Ho_Chi_Minh", one_server=True)
        found = Foundations(Reader(queries, lambda: now[0]), plans, around, timedelta(0))
        add_ledger(queries.command, "feedback", "1022", 10, "2026-11-20 03:00:00.000")
        assert found.bases(found.look())["feedback"].as_of == NOW - SETTLED_AFTER
        now[0] += SETTLED_AFTER
        assert found.bases(found.look())["feedback"].as_of == NOW
        now[0] += timedelta(hours=1)
        assert found.bases(found.look())["feedback"].as_of == NOW
