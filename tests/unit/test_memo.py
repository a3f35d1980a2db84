"""What is kept of the warehouse's answers is what it would answer again, whatever happened to its tables meanwhile."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hub.kpi.basis import SETTLED_AFTER, Foundations, Surroundings
from hub.kpi.errors import WarehouseAwayError
from hub.kpi.memo import VERSIONS, Memo, Versions, versions
from hub.kpi.reader import Reader
from hub.kpi.statement import Statement
from tests.unit.kpi_tables import InProcess, add_ledger, tables

NOW = datetime(2026, 11, 20, 3, 0, 0, tzinfo=UTC)
SUM = Statement("SELECT sum(n) FROM kept WHERE n < {most:Int64}", {"most": "1000000"})


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
    memo = Memo(reader, lambda: now[0])
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


def test_a_warehouse_that_is_away_is_not_covered_up_by_what_is_kept() -> None:
    away = [False]

    def now() -> Versions:
        if away[0]:
            raise WarehouseAwayError("no_connection")
        return {"kept": 1}

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


def test_what_is_kept_is_what_the_engine_would_answer() -> None:
    dice = random.Random(8)
    with tables() as (queries, _):
        queries.command("DROP TABLE IF EXISTS kept")
        queries.command("DROP TABLE IF EXISTS beside")
        for name in ("kept", "beside"):
            queries.command(f"CREATE TABLE {name} (n Int64) ENGINE = MergeTree ORDER BY n")
        reader = Reader(queries, lambda: NOW)
        memo = Memo(reader, lambda: versions(reader.rows(VERSIONS)))
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
