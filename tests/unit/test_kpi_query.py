"""KPIs from rollup rows, computed by the real engine inside the process."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from hub.health.consumer import Status as Consumer
from hub.health.flow import Flow
from hub.kpi.errors import UnknownDimensionError, UnknownKpiError, WarehouseAwayError
from hub.kpi.feed import Feed
from hub.kpi.freshness import freshness
from hub.kpi.period import REFERENCE_2022, Period, preset, trend_of
from hub.kpi.query import totals, trends, union
from hub.kpi.reader import Reader
from hub.kpi.rollups import Unserved
from hub.kpi.service import KpiService, Surroundings
from streams.errors import WarehouseUnavailableError
from streams.generations import Chunk, Definition, State
from streams.warehouse.catalogue import Catalogue
from tests.unit.kpi_tables import ZONE, add_ledger, add_row, enter, tables

NOW = datetime(2026, 11, 20, 3, 0, 0, tzinfo=UTC)
PROCEDURE_COLUMNS = ("code", "name_vi", "field", "level", "online", "org_code", "valid_from", "valid_to")


class World:
    """A service over empty tables, a clock that is set by hand, and short ways to fill the tables."""

    def __init__(self, queries: Any, plans: Any) -> None:
        self.queries, self.plans = queries, plans
        self.now = NOW
        self.statuses: dict[str, Any] = {}
        self.down = False
        around = Surroundings(
            feeds=(Feed("feedback-1022", "webhook", "Sở TT&TT", "", "feedback", "1022"),),
            statuses=lambda: self.statuses,
            topic_records=lambda: {"feedback": 500},
            clock=lambda: self.now,
            timezone="Asia/Ho_Chi_Minh",
            one_server=True,
        )
        self.service = KpiService(Reader(self, lambda: self.now), plans, {"procedure": PROCEDURE_COLUMNS}, around)

    def rows(self, sql: str, parameters: Any = None, **settings: Any) -> Any:
        if self.down:
            raise WarehouseUnavailableError("the warehouse does not answer: connection refused")
        return self.queries.rows(sql, parameters)

    def add(self, table: str, day: str, **values: Any) -> None:
        add_row(self.queries.command, self.plans, table, day, **values)

    def ledger(self, entity: str = "feedback", source: str = "1022", applied: int = 10, **more: Any) -> None:
        add_ledger(self.queries.command, entity, source, applied, more.pop("written_at", "2026-11-20 02:59:59.500"))

    def procedure(self, code: str, online: int = 1, valid: str = "'2020-01-01', NULL", org: str = "H53.14") -> None:
        self.queries.command(
            f"INSERT INTO code_procedure VALUES ('{code}', '', 'Đất đai', '4', {online}, '{org}', {valid})"
        )

    def value(self, kpi_id: str, start: str = "2022-01-01", end: str = "2022-09-30") -> Any:
        self.now += timedelta(seconds=1)  # past the cache
        return self.service.answer(kpi_id, Period(date.fromisoformat(start), date.fromisoformat(end))).figures


@pytest.fixture
def world() -> Iterator[World]:
    with tables() as (queries, plans):
        yield World(queries, plans)


def test_the_meetings_feedback_shares_come_out_with_both_denominators(world: World) -> None:
    world.ledger()
    world.add("feedback_by_received_at", "2022-03-05", received=400, processed=300, processed_on_time=200)
    world.add("feedback_by_received_at", "2022-09-30", received=93, processed=80, processed_on_time=75)
    world.add("feedback_by_received_at", "2022-10-01", received=7, processed=7, processed_on_time=7)
    processed = world.value("feedback.processed_share")
    assert (processed.value, processed.numerator, processed.denominator) == (77.08, 380, 493)
    of_processed = world.value("feedback.on_time_of_processed")
    assert (of_processed.value, of_processed.numerator, of_processed.denominator) == (72.37, 275, 380)
    of_received = world.value("feedback.on_time_of_received")
    assert (of_received.value, of_received.numerator, of_received.denominator) == (55.78, 275, 493)


def test_a_zero_denominator_is_no_data_and_never_zero_percent(world: World) -> None:
    world.ledger()
    figures = world.value("feedback.processed_share")
    assert figures.value is None
    assert figures.status == "no_data"
    assert figures.denominator == 0


def test_a_count_of_nothing_is_zero_once_the_entity_had_data_and_no_data_before(world: World) -> None:
    assert world.value("feedback.received").status == "no_data"
    world.ledger()
    assert world.value("feedback.received").value == 0


def test_a_stock_is_cumulative_to_the_end_of_the_period(world: World) -> None:
    world.ledger()
    world.add("feedback_by_received_at", "2021-12-31", received=5)
    world.add("feedback_by_received_at", "2022-09-30", received=8)
    world.add("feedback_by_received_at", "2022-10-01", received=100)
    world.add("feedback_by_resolved_at", "2022-09-30", processed=4)
    world.add("feedback_by_resolved_at", "2022-10-01", processed=50)
    assert world.value("feedback.open").value == 9


def test_a_recalled_dossier_takes_back_what_it_had_counted(world: World) -> None:
    world.ledger("dossier", "portal")
    world.add("dossier_by_ended_at", "2022-05-02", finished=1, finished_on_time=1)
    world.add("dossier_by_ended_at", "2022-05-03", finished=1)
    assert world.value("dossier.on_time_share").value == 50
    world.add("dossier_by_ended_at", "2022-05-02", finished=-1, finished_on_time=-1)
    assert world.value("dossier.on_time_share").value == 0
    assert world.value("dossier.on_time_share").denominator == 1


def test_members_are_counted_once_and_only_if_their_code_was_in_force(world: World) -> None:
    world.ledger("dossier", "portal")
    for code in ("1.000001", "1.000002", "1.000003"):
        world.procedure(code)
    world.procedure("1.000004", online=0)
    world.procedure("1.000005", valid="'2020-01-01', '2022-09-29'")
    world.procedure("1.000006", valid="'2022-10-01', NULL")
    world.procedure("1.000007", valid="'2020-01-01', '2022-09-30'")
    for code in ("1.000001", "1.000001", "1.000004", "1.000005", "1.000006", "9.999999"):
        world.add("dossier_by_received_at", "2022-02-01", procedure_code=code, received_online=1)
    world.add("dossier_by_received_at", "2022-02-02", procedure_code="1.000002", received_online=1)
    world.add("dossier_by_received_at", "2022-02-02", procedure_code="1.000002", received_online=-1)
    figures = world.value("procedure.online_with_dossier_share")
    assert (figures.numerator, figures.denominator, figures.value) == (1, 4, 25)


def test_a_breakdown_by_a_dimension_sums_to_the_whole(world: World) -> None:
    world.ledger("dossier", "portal")
    world.add(
        "dossier_by_received_at", "2022-02-01", org_code="H53.14", channel="ONLINE", received=2, received_online=2
    )
    world.add("dossier_by_received_at", "2022-02-01", org_code="H53.14", channel="COUNTER", received=6)
    world.add("dossier_by_received_at", "2022-02-01", org_code="H53.20", received=2, received_online=1)
    rows = world.service.rows("dossier.online_share", REFERENCE_2022, "org_code")
    assert [(row.key, row.figures.value, row.figures.denominator) for row in rows] == [
        ("H53.14", 25.0, 8),
        ("H53.20", 50.0, 2),
    ]


def test_a_share_of_members_is_divided_by_an_attribute_of_the_members(world: World) -> None:
    world.ledger("dossier", "portal")
    world.procedure("1.000001", org="H53.14")
    world.procedure("1.000002", org="H53.14")
    world.procedure("1.000003", org="H53.20")
    world.add("dossier_by_received_at", "2022-02-01", procedure_code="1.000001", received_online=1)
    rows = world.service.rows("procedure.online_with_dossier_share", REFERENCE_2022, "org_code")
    assert {row.key: row.figures.value for row in rows} == {"H53.14": 50.0, "H53.20": 0.0}


def test_an_unknown_dimension_is_refused_with_the_allowed_ones(world: World) -> None:
    with pytest.raises(UnknownDimensionError) as caught:
        world.service.rows("feedback.received", REFERENCE_2022, "colour")
    assert caught.value.allowed == ("org_code", "field", "channel", "urgency", "admin_code")


def test_an_unknown_kpi_is_refused_with_the_nearest_ids(world: World) -> None:
    with pytest.raises(UnknownKpiError) as caught:
        world.service.kpi("feedback.recieved")
    assert caught.value.nearest[0] == "feedback.received"


def test_a_board_agrees_with_the_single_answers_and_draws_each_month(world: World) -> None:
    world.ledger("dossier", "portal")
    world.ledger()
    world.procedure("1.000001")
    world.procedure("1.000002")
    world.add("dossier_by_received_at", "2022-02-01", procedure_code="1.000001", received=1, received_online=1)
    world.add("dossier_by_received_at", "2022-05-01", procedure_code="1.000002", received=3, received_online=1)
    world.add("feedback_by_received_at", "2021-12-01", received=4)
    world.add("feedback_by_received_at", "2022-03-01", received=2, processed=1)
    world.add("feedback_by_resolved_at", "2022-03-02", processed=1)
    board = world.service.board(REFERENCE_2022)
    assert [tile.answer for tile in board.tiles] == list(world.service.answers(REFERENCE_2022))
    tiles = {tile.answer.kpi.id: tile for tile in board.tiles}
    online = [point.figures.value for point in tiles["dossier.online_share"].trend]
    assert online == [None, 100.0, None, None, 33.33, None, None, None, None]
    stock = [point.figures.value for point in tiles["feedback.open"].trend]
    assert stock == [4, 4, 5, 5, 5, 5, 5, 5, 5]
    members = [point.figures.value for point in tiles["procedure.online_with_dossier_share"].trend]
    assert members == [0, 50, 50, 50, 100, 100, 100, 100, 100]


def test_the_board_of_this_year_holds_todays_figures_in_the_provinces_day(world: World) -> None:
    world.now = datetime(2026, 11, 20, 18, 30, tzinfo=UTC)  # already the 21st in the province
    world.ledger()
    world.add("feedback_by_received_at", "2026-11-21", received=3)
    world.add("feedback_by_received_at", "2026-11-20", received=5)
    board = world.service.board(preset("year", date(2026, 11, 21)))
    tile = next(tile for tile in board.tiles if tile.answer.kpi.id == "feedback.received")
    assert tile.today is not None
    assert (tile.answer.figures.value, tile.today.value) == (8, 3)


def test_a_short_period_is_drawn_by_the_thirty_days_that_end_with_it() -> None:
    trend = trend_of(Period(date(2026, 11, 20), date(2026, 11, 20)))
    assert (trend.grain, len(trend.buckets())) == ("day", 30)
    assert len(trend_of(REFERENCE_2022).buckets()) == 9


def test_an_answer_says_what_it_rests_on(world: World) -> None:
    world.ledger(applied=490)
    millis = int(NOW.timestamp() * 1000)
    world.statuses = {
        "feedback-1022": _status(at=millis - 1000, last_ingest=millis - 2000, last_event_time=millis - 9000)
    }
    basis = world.service.answer("feedback.received", REFERENCE_2022).basis
    assert basis.as_of == datetime(2026, 11, 20, 2, 59, 59, 500000, tzinfo=UTC)
    assert (basis.completeness.in_topic, basis.completeness.in_warehouse, basis.completeness.missing) == (500, 490, 10)
    assert (basis.freshness[0].age_s, basis.freshness[0].state) == (9.0, "on_time")
    assert basis.stale is None


def test_targets_and_gaps_are_in_points(world: World) -> None:
    world.ledger("dossier", "portal")
    world.add("dossier_by_received_at", "2022-02-01", received=100, received_online=22)
    answer = world.service.answer("dossier.online_share", REFERENCE_2022)
    assert (answer.figures.value, answer.target, answer.gap, answer.missed) == (22.0, 50.0, -28.0, True)


def test_a_board_outlives_the_warehouse_and_says_so(world: World) -> None:
    world.ledger()
    world.add("feedback_by_received_at", "2022-03-01", received=2)
    assert world.service.board(REFERENCE_2022).outage is None
    world.down, world.now = True, NOW + timedelta(seconds=5)
    board = world.service.board(REFERENCE_2022)
    received = next(tile.answer for tile in board.tiles if tile.answer.kpi.id == "feedback.received")
    assert received.figures.value == 2
    assert received.basis.stale == "warehouse_away"
    assert board.outage is not None
    assert board.outage.since == world.now
    with pytest.raises(WarehouseAwayError):
        world.service.answer("feedback.received", REFERENCE_2022)
    world.down, world.now = False, world.now + timedelta(seconds=5)
    assert world.service.board(REFERENCE_2022).outage is None


def test_a_burst_of_viewers_costs_one_query_and_is_never_older_than_the_cache(world: World) -> None:
    world.ledger()
    first = world.service.answers(REFERENCE_2022)
    world.add("feedback_by_received_at", "2022-03-01", received=2)
    assert world.service.answers(REFERENCE_2022) is first
    world.now += timedelta(milliseconds=401)
    assert world.service.answers(REFERENCE_2022) is not first


def test_a_dashboard_is_one_statement_with_every_value_bound() -> None:
    with tables() as (_, plans):
        kpis = [kpi for plan in plans.values() for kpi in plan.kpis]
        trend = trend_of(REFERENCE_2022)
        statement = union(totals(kpis, REFERENCE_2022), trends(kpis, REFERENCE_2022, trend))
    assert "2022-" not in statement.sql
    assert set(statement.parameters.values()) == {"2022-01-01", "2022-09-30"}


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({}, "on_time"),
        ({"at": -23_000}, "stuck_connector"),
        ({"at": -21_000}, "on_time"),
        ({"last_error": {"code": "kafka_unavailable", "at": 0}}, "stuck_connector"),
        ({"last_refused": -1000, "last_published": -5000}, "rejected"),
        ({"last_refused": -5000, "last_published": -1000}, "on_time"),
        ({"last_refused": -1000}, "rejected"),
        ({"last_lag": 86_400_000, "lag_steady_since": -40_000}, "clock_skew"),
        ({"last_lag": 86_400_000, "lag_steady_since": -3_000}, "on_time"),
        ({"last_lag": 60_000, "lag_steady_since": -40_000}, "on_time"),
        ({"last_lag": -3_600_000}, "clock_skew"),
        ({"last_lag": -60_000}, "on_time"),
        ({"last_event_time": -86_400_000, "last_advance": -400_000, "last_lag": 86_400_000}, "late"),
        ({"last_event_time": -86_400_000, "last_advance": -400_000}, "on_time"),
        # Nothing but rows from before what was asked for: the same again, or newer ones of a clock that is behind.
        ({"outdated": 2, "outdated_from": -86_400_000, "outdated_to": -86_400_000, "last_ingest": -999_000}, "late"),
        ({"outdated": 1, "outdated_from": -86_400_000, "outdated_to": -86_400_000}, "on_time"),
        (
            {
                "outdated": 2,
                "outdated_from": -86_405_000,
                "outdated_to": -86_400_000,
                "last_lag": 86_400_000,
                "lag_steady_since": -6_000,
            },
            "clock_skew",
        ),
        ({"last_event_time": -86_400_000, "last_advance": -40_000}, "on_time"),
        ({"state": "paused"}, "paused"),
        ({"state": "failed"}, "source_down"),
        ({"state": "failed", "last_error": {"code": "source_unauthorized", "at": 0}}, "credentials"),
        ({"last_error": {"code": "source_unreachable", "at": 0}}, "source_down"),
        ({"last_event_time": 200_000}, "clock_skew"),
        ({"last_poll_ok": -301_000, "last_ingest": -302_000}, "late"),
        ({"last_poll_ok": -250_000, "last_ingest": -255_000}, "due_soon"),
        ({"last_ingest": -400_000}, "quiet"),
    ],
)
def test_a_connector_shows_the_first_state_that_holds(changes: dict[str, Any], state: str) -> None:
    offsets = {"at": -1000, "last_poll_ok": -1000, "last_ingest": -2000, "last_event_time": -3000} | changes
    millis = int(NOW.timestamp() * 1000)
    shifted = {
        key: value + millis if isinstance(value, int) and key != "outdated" else value for key, value in offsets.items()
    }
    if "last_lag" in changes:
        shifted["last_lag_ms"] = changes["last_lag"]
        del shifted["last_lag"]
    if isinstance(shifted.get("last_error"), dict):
        shifted["last_error"] = shifted["last_error"] | {"at": millis + shifted["last_error"]["at"]}
    written = SimpleNamespace(max_ingest_time=NOW, max_event_time=NOW)
    feed = Feed("portal", "rest", "VP UBND", "", "dossier", "portal")
    assert freshness(feed, _status(**shifted), written, NOW).state == state  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "gone_s", "state"), [("rest", 6, "stuck_connector"), ("rest", 4, "on_time"), ("webhook", 60, "on_time")]
)
def test_connectors_that_no_worker_runs_any_more_are_stuck_before_their_silence_tells(
    kind: str, gone_s: int, state: str
) -> None:
    millis = int(NOW.timestamp() * 1000)
    status = _status(at=millis, last_poll_ok=millis, last_ingest=millis, last_event_time=millis, kind=kind)
    written = SimpleNamespace(max_ingest_time=NOW, max_event_time=NOW)
    feed = Feed("portal", kind, "VP UBND", "", "dossier", "portal")
    flow = Flow(connect_gone_since=NOW - timedelta(seconds=gone_s))
    assert freshness(feed, status, written, NOW, flow).state == state  # type: ignore[arg-type]


def test_what_was_published_and_is_not_written_is_stuck_in_the_stream() -> None:
    millis = int(NOW.timestamp() * 1000)
    status = _status(
        at=millis,
        last_poll_ok=millis,
        last_ingest=millis - 90_000,
        last_event_time=millis - 90_000,
        last_published=millis - 90_000,
    )
    written = SimpleNamespace(max_ingest_time=NOW - timedelta(minutes=10), max_event_time=NOW)
    feed = Feed("portal", "rest", "VP UBND", "", "dossier", "portal")
    assert freshness(feed, status, written, NOW).state == "stuck_stream"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("oldest_s", "state"), [(2.0, "on_time"), (0.0, "on_time"), (61.0, "stuck_stream"), (None, "stuck_stream")]
)
def test_a_record_that_comes_now_and_then_is_not_stuck_the_moment_it_comes(oldest_s: float | None, state: str) -> None:
    millis = int(NOW.timestamp() * 1000)
    status = _status(at=millis, last_poll_ok=millis, last_ingest=millis, last_event_time=millis, last_published=millis)
    written = SimpleNamespace(max_ingest_time=NOW - timedelta(minutes=4), max_event_time=NOW)
    feed = Feed("portal", "rest", "VP UBND", "", "dossier", "portal")
    assert freshness(feed, status, written, NOW, Flow(oldest_s=oldest_s)).state == state  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("flow", "state"),
    [
        (Flow(kafka=False), "unknown"),
        (Flow(stream=Consumer.STOP), "stuck_stream"),
        (Flow(warehouse="slow"), "stuck_warehouse"),
        (Flow(stream=Consumer.STALL, warehouse="away"), "stuck_warehouse"),
        (Flow(), "on_time"),
    ],
)
def test_the_way_to_the_warehouse_is_part_of_the_state(flow: Flow, state: str) -> None:
    millis = int(NOW.timestamp() * 1000)
    status = _status(at=millis, last_poll_ok=millis, last_ingest=millis, last_event_time=millis)
    feed = Feed("portal", "rest", "VP UBND", "", "dossier", "portal")
    assert freshness(feed, status, None, NOW, flow).state == state


def _status(**values: Any) -> Any:
    base = {
        "state": "running",
        "last_poll_ok": None,
        "last_event_time": None,
        "last_ingest": None,
        "received": 0,
        "published": 0,
        "quarantined": 0,
        "errors": 0,
        "last_error": None,
        "last_published": None,
        "last_refused": None,
        "last_advance": None,
        "lag_steady_since": None,
        "counted_since": None,
        "last_lag_ms": None,
        "outdated": 0,
        "outdated_from": None,
        "outdated_to": None,
        "at": 0,
    }
    return SimpleNamespace(**(base | values))


def test_a_department_sees_its_own_unit_and_what_is_below_it_only(world: World) -> None:
    world.ledger("dossier", "portal")
    for code, org in (("1.000001", "H53.14"), ("1.000002", "H53.14.2"), ("1.000003", "H53.140")):
        world.procedure(code, org=org)
        world.add(
            "dossier_by_received_at", "2022-02-01", org_code=org, procedure_code=code, received=5, received_online=1
        )
    online = world.service.answer("dossier.online_share", REFERENCE_2022, "H53.14").figures
    assert (online.numerator, online.denominator) == (2, 10)
    members = world.service.answer("procedure.online_with_dossier_share", REFERENCE_2022, "H53.14").figures
    assert (members.numerator, members.denominator) == (2, 2)
    board = world.service.board(REFERENCE_2022, "H53.14")
    assert [tile.answer for tile in board.tiles] == list(world.service.answers(REFERENCE_2022, "H53.14"))
    received = next(tile for tile in board.tiles if tile.answer.kpi.id == "dossier.received")
    assert sum(point.figures.value or 0 for point in received.trend) == 10
    rows = world.service.rows("dossier.received", REFERENCE_2022, "org_code", "H53.14")
    assert {row.key for row in rows} == {"H53.14", "H53.14.2"}


def test_a_kpi_whose_column_is_not_computed_says_so_and_what_to_run_and_the_others_go_on(world: World) -> None:
    world.ledger()
    world.add("feedback_by_received_at", "2022-03-05", received=4, processed=3)
    older = Definition("", ZONE, ("org_code",), (("received", "status NOT IN ('DUPLICATE', 'REJECTED')"),))
    enter(world.queries, world.plans, definition=older)
    missing = world.value("feedback.processed_share")
    assert (missing.value, missing.status) == (None, "not_computed")
    assert missing.unserved == Unserved("not_computed", "ioc kpi backfill feedback.processed_share")
    assert world.value("feedback.received").value == 4
    year = Period(date(2022, 1, 1), date(2022, 12, 31))
    assert [row.figures.value for row in world.service.rows("feedback.received", year, "org_code")] == [4]
    assert world.service.rows("feedback.received", year, "urgency") == (), "this dimension is not computed yet"
    assert world.service.unserved("feedback.received", "urgency") is not None


def test_a_new_generation_answers_as_soon_as_the_catalogue_names_it(world: World) -> None:
    world.ledger()
    world.add("feedback_by_received_at", "2022-03-05", received=4)
    world.queries.command("CREATE OR REPLACE TABLE next AS feedback_by_received_at")
    world.queries.command("INSERT INTO next SELECT * REPLACE (received + 1 AS received) FROM feedback_by_received_at")
    assert world.value("feedback.received").value == 4
    Catalogue(world.queries).change(
        lambda entries: [
            replace(entry, table="next", generation=1) for entry in entries if entry.rollup == "feedback_by_received_at"
        ]
    )
    assert world.value("feedback.received").value == 5


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"state": State.BROKEN, "reason": "throwIf"}, ("broken", "throwIf", None)),
        ({"state": State.FILLING, "chunks": (Chunk(0, 0, 0, 9),) * 4, "done": 1}, ("computing", "", 25)),
        ({"state": State.CUTTING}, ("computing", "", 0)),
        ({"state": State.DROPPED}, ("not_computed", "", None)),
    ],
)
def test_no_state_of_a_rollup_makes_a_board_fail(world: World, changes: Any, expected: Any) -> None:
    world.ledger()
    enter(world.queries, world.plans, **changes)
    board = world.service.board(Period(date(2026, 1, 1), date(2026, 12, 31)))
    found = {tile.answer.figures.unserved for tile in board.tiles}
    assert {(item.state, item.reason, item.percent) for item in found if item} == {expected}
    assert None not in found


def test_what_is_due_is_compared_with_the_clock_and_not_with_the_period(world: World) -> None:
    world.ledger("dossier", "portal")
    for minute, count in (
        ("2026-11-20 02:59", 2),
        ("2026-11-20 03:00", 5),
        ("2026-11-21 02:59", 7),
        ("2026-11-21 03:00", 9),
    ):
        world.add("dossier_by_due_at", "2026-11-20", due_minute=f"{minute}:00.000", org_code="H53.14", open=count)
    assert world.value("dossier.overdue", "2022-01-01", "2022-09-30").value == 2
    assert world.value("dossier.due_in_24h").value == 12
    rows = world.service.rows("dossier.overdue", REFERENCE_2022, "org_code")
    assert [(row.key, row.figures.value) for row in rows] == [("H53.14", 2)]
    assert "due_minute" not in world.service.dimensions(world.service.kpi("dossier.overdue"))


LIKE = {"procedure_code": "1.000001", "org_code": "H53.14"}
FORECAST = "dossier.on_time_forecast"


def test_an_open_dossier_is_as_likely_to_be_in_time_as_its_like_and_what_is_overdue_is_late(world: World) -> None:
    world.ledger("dossier", "portal")
    # 40 of 60 ended more than a day before their due time: they tell nothing of one that is still open on its last day.
    done = {"finished_due": 60, "finished_by_due": 45, "finished_1_day_left": 40}
    world.add("dossier_by_ended_at", "2026-11-01", **LIKE, **done)
    world.add("dossier_by_ended_at", "2026-06-01", **LIKE, finished_due=1_000)
    for minute, count in (("2026-11-19 03:00", 2), ("2026-11-21 02:00", 8)):
        world.add("dossier_by_due_at", minute[:10], due_minute=f"{minute}:00.000", **LIKE, open=count)
    figures = world.value(FORECAST)
    assert (figures.numerator, figures.denominator, figures.value) == (8 * 5 // 20, 10, 20.0)
    world.add("dossier_by_due_at", "2026-12-20", due_minute="2026-12-20 03:00:00.000", **LIKE, open=10)
    assert world.value(FORECAST).numerator == round(2 + 10 * 45 / 60)
    rows = world.service.rows(FORECAST, REFERENCE_2022, "org_code")
    assert [(row.key, row.figures.numerator) for row in rows] == [("H53.14", 10)]


def test_with_too_few_of_its_like_a_dossier_is_judged_by_its_procedure_and_then_by_all(world: World) -> None:
    world.ledger("dossier", "portal")
    assert world.value(FORECAST).value is None
    for other in ({}, {"procedure_code": "9.000009"}):
        world.add("dossier_by_due_at", "2026-11-22", due_minute="2026-11-22 03:00:00.000", **{**LIKE, **other}, open=10)
    # Nothing was ever done: nothing is expected.
    assert (world.value(FORECAST).numerator, world.value(FORECAST).denominator) == (0, 20)
    world.add("dossier_by_ended_at", "2026-11-02", **LIKE, finished_due=3)
    elsewhere = {**LIKE, "org_code": "H53.20"}
    world.add("dossier_by_ended_at", "2026-11-02", **elsewhere, finished_due=12, finished_by_due=12)
    assert world.value(FORECAST).numerator == 2 * 10 * 12 // 15


def test_a_score_adds_the_points_of_its_parts_and_names_those_without_data(world: World) -> None:
    world.ledger("dossier", "portal")
    world.add("dossier_by_received_at", "2022-02-01", org_code="H53.14", received=4, with_due_date=2, base_of_766=2)
    world.add(
        "dossier_by_ended_at", "2022-02-03", org_code="H53.14", finished=4, finished_on_time=3, ended=4, digitised=4
    )
    figures = world.value("dossier.score_766")
    points = {part.part.kpi: part.points for part in figures.parts}
    assert points == {
        "dossier.transparent_share": 9.0,
        "dossier.on_time_share": 15.0,
        "dossier.online_766_share": 0.0,
        "dossier.online_payment_share": None,
        "dossier.satisfaction_share": None,
        "dossier.digitised_share": 22.0,
    }
    assert (figures.value, figures.status) == (46.0, "partial")
    assert sum(part.part.weight for part in figures.parts) == 100
    rows = world.service.rows("dossier.score_766", REFERENCE_2022, "org_code")
    assert [(row.key, row.figures.value) for row in rows] == [("H53.14", 46.0)]
