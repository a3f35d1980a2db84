"""What makes a count wrong, trap by trap; what each rests on is held at length elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from connectors.manifest import load_manifests
from connectors.mapping import Mapper, compile_mapping
from connectors.pseudonym import Pseudonymiser
from connectors.station_file import read_station_file
from deploy.demo import station_files
from hub.kpi.answer import share
from schemas.calendar_files import package_calendars
from schemas.contract import load_contracts
from streams.plan import load_plans
from tests.core_in_process import Core, core
from tests.dossiers import dossier
from tests.portal_server import record

MANIFESTS = load_manifests(Path(__file__).parents[2] / "deploy" / "departments")
CONTRACTS = load_contracts()
PLANS = load_plans(CONTRACTS)


def mapper(connector: str) -> Mapper:
    manifest = MANIFESTS[connector]
    return compile_mapping(manifest, CONTRACTS[manifest.entity], Pseudonymiser(b"k" * 32))


@pytest.fixture(scope="module")
def table() -> Iterator[Core]:
    with core() as ready:
        yield ready


def test_trap_1_two_denominators_are_two_figures_and_nothing_to_divide_by_is_no_data() -> None:
    assert (share(275, 380), share(275, 493)) == (72.37, 55.78)
    assert share(0, 0) is None
    for entity, of in (("feedback", ("processed", "received")), ("question", ("answered", "asked"))):
        kpis = {kpi.id: kpi for kpi in PLANS[entity].kpis}
        names = [kpis[f"{entity}.on_time_of_{part}"].name["vi"] for part in of]
        assert len(set(names)) == 2


def test_trap_2_a_late_correction_takes_back_an_on_time_dossier(table: Core) -> None:
    table.empty()
    due = datetime(2022, 9, 20, 9, tzinfo=UTC)
    in_time = {"due_at": due, "ended_at": due, "received_at": due}
    at = round(datetime(2022, 9, 25, tzinfo=UTC).timestamp() * 1000)
    table.feed([dossier(1, 1, 9, **_millis(in_time))], at)
    assert _on_time(table) == 1
    table.feed([dossier(1, 1, 9, "CORRECT", **_millis(in_time | {"ended_at": due.replace(day=22)}))], at)
    assert _on_time(table) == 0


def _millis(fields: dict[str, datetime]) -> dict[str, int]:
    return {name: round(value.timestamp() * 1000) for name, value in fields.items()}


def _on_time(table: Core) -> int:
    name = next(rollup.table for rollup in table.plan.rollups if rollup.time == "ended_at")
    return int(table.warehouse.rows(f"SELECT sum(finished_on_time) FROM {name}")[0][0])


def test_trap_3_before_the_code_set_switch_history_keeps_the_old_commune() -> None:
    run = mapper("environment-stations")
    lines = ["PM10\t40\tµg/Nm3\t20250630230000\t00", "PM10\t40\tµg/Nm3\t20250701000000\t00"]
    read = read_station_file("\r\n".join([*lines, ""]).encode(), "f", ("TNI_KK001", "20250701000500"), 0)
    before, after = run(read.readings, 0).rows
    assert (before["admin_codeset"], after["admin_codeset"]) == ("2022", "2025")
    assert before["admin_code"] != after["admin_code"]


def test_trap_4_readings_of_calibration_and_error_are_no_exceedance_but_count_in_validity() -> None:
    at = "20220919070500"
    lines = [f"PM2,5\t{value}\tµg/Nm3\t{at[:-1]}{n}\t{status}" for n, (value, status) in enumerate(
        (("28,5", "00"), ("120", "00"), ("999", "01"), ("999", "02"))
    )]  # fmt: skip
    read = read_station_file("\r\n".join([*lines, ""]).encode(), "f", ("TNI_KK001", at), 0)
    rows = mapper("environment-stations")(read.readings, 0).rows
    assert [(row["param"], row["device_status"]) for row in rows[1:]] == [
        ("PM2,5", "MEASURING"), ("PM2,5", "CALIBRATING"), ("PM2,5", "ERROR"),
    ]  # fmt: skip
    assert str(rows[0]["limit_high"]).startswith("50") and rows[0]["limit_ref"].startswith("QCVN 05:2013")
    measures = PLANS["station_reading"].measures
    assert "device_status = 'MEASURING'" in measures["exceeded"].sql
    assert measures["received"].sql == "1"


def test_trap_5_a_backlog_in_any_order_with_files_sent_twice_counts_each_reading_once() -> None:
    """Whatever the order, the revision is the stamp in the file's name; the key is station, parameter and time."""
    station = station_files.stations()[0]
    lines = [["COD", "40", "mg/L", "20220919070500", "00"]]
    first = station_files.file_of(station, 1_663_545_900, lines)
    again = station_files.file_of(station, 1_663_546_200, lines, again=True)
    later = station_files.file_of(station, 1_663_549_500, [["COD", "55", "mg/L", "20220919070500", "00"]])

    def states(*files: dict[str, Any]) -> dict[str, float]:
        found: dict[str, tuple[int, float]] = {}
        for raw in files:
            named = (station.code, raw["sent"])
            for row in read_station_file(station_files.content(raw), raw["path"], named, 0).readings:
                found[row["id"]] = max(found.get(row["id"], (0, 0.0)), (row["sent"], row["value"]))
        return {key: value for key, (_, value) in found.items()}

    assert states(first, again, later) == states(later, first, again) == states(again, later, first)
    assert list(states(first, again, later).values()) == [55.0]


@pytest.mark.parametrize("code", ["H53.14-240823-0001", "000.14.22.H53-210531-0001"])
def test_trap_6_both_forms_of_a_dossier_code_and_local_procedure_codes_are_taken(code: str) -> None:
    raw = record(1)
    rows = mapper("portal")([raw | {"maHoSo": code, "maTTHC": "1.002835.000.00.00.H53"}], 0).rows
    assert (rows[0]["entity_key"], rows[0]["procedure_code"]) == (code, "1.002835")


def test_trap_7_tet_and_a_swapped_saturday_lie_inside_a_due_date() -> None:
    office = package_calendars()["office"]
    assert [office.is_working_day(date(2022, 1, day)) for day in (28, 31)] == [True, False]
    # Ten working days from 21 January 2022 end after Tết; the Saturday was swapped for the Friday after.
    assert office.working_day(date(2022, 1, 21), 10) == date(2022, 2, 11)
    assert (office.is_working_day(date(2025, 4, 26)), office.is_working_day(date(2025, 5, 2))) == (True, False)


def test_trap_8_plan_gaps_are_told_in_points() -> None:
    kpis = {kpi.id: kpi for kpi in PLANS["dossier"].kpis}
    used, online = kpis["procedure.online_with_dossier_share"], kpis["dossier.online_share"]
    period = date(2022, 1, 1), date(2022, 9, 30)
    assert round(28.61 - (used.target_on(*period) or 0), 2) == -51.39
    assert round(22 - (online.target_on(*period) or 0), 2) == -28


def test_trap_9_shares_of_units_are_summed_never_averaged() -> None:
    communes = ((1, 10), (90, 100))
    assert share(sum(n for n, _ in communes), sum(d for _, d in communes)) == 82.73
    for plan in PLANS.values():
        for kpi in plan.kpis:
            if kpi.kind == "ratio":
                assert set(kpi.terms) == {"numerator", "denominator"}, kpi.id
