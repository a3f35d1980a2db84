"""What must be right of a system in particular, through its own connector: corrected workbooks, steps in any order."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from deploy.demo import crops, indicators, investment
from deploy.demo.simulation import Stage, System
from hub.kpi.period import Period
from tests.core_in_process import InProcessWarehouse
from tests.counted import ANCHOR, PLANS, Published, mapped, publish, shown, stage_of, system_database, tables_of

SEPTEMBER = Period(date(2022, 9, 1), date(2022, 9, 30))


@pytest.fixture
def database() -> Iterator[InProcessWarehouse]:
    with system_database() as made:
        yield made


def put(stage: Stage, connector: str, name: str, data: bytes, at: int) -> None:
    """A workbook that was handed in at a time; one of the same name takes the place of the older."""
    inbox = stage.site.folder / "inbox" / connector
    inbox.mkdir(parents=True, exist_ok=True)
    (inbox / name).write_bytes(data)
    os.utime(inbox / name, (at, at))


def hand_in(system: System, stage: Stage, before: Published | None = None) -> Published:
    connector = next(iter(system.connectors))
    return asyncio.run(publish(connector, system, stage, cursor=before.cursor if before else None))


def project(number: int, capital: int, **fields: Any) -> dict[str, Any]:
    made = investment._project(random.Random(number), f"DA-2022-{number:04d}", date(2022, 9, 2), date(2022, 9, 28))
    licensed = {"Giai đoạn": "Cấp phép", "Ngày cấp phép": "2022-09-20", "Hạn giải quyết": "2022-09-23"}
    return made | licensed | {"Ngày kết thúc": None, "Vốn đăng ký (đồng)": capital} | fields


def test_a_corrected_workbook_uploaded_again_takes_back_what_it_corrects(
    tmp_path: Path, database: InProcessWarehouse
) -> None:
    stage, core = stage_of(investment.INVESTMENT, tmp_path), tables_of("investment", database)

    def book(*projects: dict[str, Any]) -> bytes:
        return investment.content({"dong": list(projects)})

    def told() -> list[Any]:
        figures = shown(database, "investment", SEPTEMBER)
        return [figures[f"investment.{name}"] for name in ("filed", "capital_licensed", "on_time_share")]

    try:
        name = "so-du-an-2022-09.xlsx"
        put(
            stage, "investment-support", name, book(project(1, 5_000), project(2, 7_000), project(3, 11_000)), 1_700_000
        )
        first = hand_in(investment.INVESTMENT, stage)
        core.take(first.messages, ANCHOR * 1000)
        assert told() == [(3, None, None), (23_000, None, None), (100.0, 3, 3)]
        # The same name again: a capital corrected, a licence that came late, a project taken back, one of them broken.
        late = project(2, 7_000, **{"Ngày cấp phép": "2022-09-26"})
        gone, broken = project(3, 11_000, **{"Thao tác": "Xóa"}), project(4, -1)
        put(stage, "investment-support", name, book(project(1, 6_000), late, gone, broken), 1_700_100)
        second = hand_in(investment.INVESTMENT, stage, first)
        assert (len(second.messages), second.refused) == (3, 1)
        core.take(second.messages, ANCHOR * 1000)
        assert told() == [(2, None, None), (13_000, None, None), (50.0, 1, 2)]
        # Uploaded once more, unchanged, it says nothing new.
        assert hand_in(investment.INVESTMENT, stage, second).messages == []
    finally:
        core.close()


def test_steps_of_a_lot_stand_in_the_order_of_time_whatever_the_order_of_arrival(
    tmp_path: Path, database: InProcessWarehouse
) -> None:
    steps = crops._lot(random.Random(7), "L22-00007", 1_655_000_000)
    for step in steps:
        step["ghiLuc"] = step["dienRaLuc"]
        step.pop("_at")
        if step["soLuong"] is not None:
            step |= {"soLuong": 2.5, "donViTinh": "tấn"}
    by_time = sorted(steps, key=lambda step: str(step["dienRaLuc"]))
    core = tables_of("lot_step", database)
    try:
        figures = []
        for order in (by_time, by_time[::-1], random.Random(3).sample(by_time, len(by_time))):
            core.empty()
            for step in order:
                core.take(mapped("crop-lots", [step]), ANCHOR * 1000)
            rows = database.rows(
                "SELECT step, toString(quantity), quantity_unit, toInt64(quantity_kg) FROM lot_step_current FINAL"
                " WHERE lot = 'L22-00007' ORDER BY happened_at, entity_key"
            )
            assert [row[0] for row in rows] == ["PLANTED", "HARVESTED", "PACKED", "SHIPPED", "SOLD"]
            assert all(float(row[1]) == 2.5 and list(row[2:]) == ["tấn", 2500] for row in rows[1:])
            figures.append(shown(database, "lot_step", Period(date(2022, 1, 1), date(2022, 12, 31))))
        assert figures[0] == figures[1] == figures[2]
        assert figures[0]["lot.harvested_kg"][0] == figures[0]["lot.sold_kg"][0] == 2500
    finally:
        core.close()


PUBLISHED = {
    "feedback_processed": (77.08, 380, 493),
    "feedback_on_time": (72.37, 275, 380),
    "accounts": (132_000, None, None),
    "online_services_used": (28.61, 2861, 10_000),
    "dossiers_online": (22, 2200, 10_000),
    "digitised": (100, 10_000, 10_000),
    "results_electronic": (9.5, 950, 10_000),
    "reports_online": (100, 10_000, 10_000),
    "adults_smartphone": (70.65, 7065, 10_000),
    "households_smartphone": (100, 329_898, 329_898),
    "households_fibre": (80.21, 264_607, 329_898),
    "mobile_coverage": (100, 10_000, 10_000),
    "teams": (493, None, None),
    "teams_hamlet": (481, None, None),
    "teams_commune": (12, None, None),
}
"""What was published on 19 September 2022; where no counts were, the share as it was reported, over 10,000."""


def test_published_figures_are_reported_values_with_their_source_and_the_last_report_of_a_period_counts(
    tmp_path: Path, database: InProcessWarehouse
) -> None:
    stage, core = stage_of(indicators.INDICATORS, tmp_path), tables_of("indicator_value", database)
    draft, final, _ = indicators.workbooks(stage.origin)

    def told(period: Period) -> dict[str, Any]:
        figures = shown(database, "indicator_value", period)
        return {name.removeprefix("reported."): parts for name, parts in figures.items()}

    try:
        put(stage, "indicators", "du-thao.xlsx", indicators.content({"dong": draft["dong"]}), 1_700_000)
        first = hand_in(indicators.INDICATORS, stage)
        core.take(first.messages, ANCHOR * 1000)
        assert told(SEPTEMBER)["feedback_processed"] == (76.06, 375, 493)
        # The approved report of the same day takes the place of the draft.
        put(stage, "indicators", "duyet.xlsx", indicators.content(final), 1_700_100)
        second = hand_in(indicators.INDICATORS, stage, first)
        core.take(second.messages, ANCHOR * 1000)
        found = told(SEPTEMBER)
        assert {name: found[name] for name in PUBLISHED} == PUBLISHED
        assert found["teams"][0] == found["teams_hamlet"][0] + found["teams_commune"][0]
        sources = database.rows("SELECT DISTINCT source_note FROM indicator_value_current FINAL")
        assert [row[0] for row in sources] == [indicators.SOURCE]
        # Of a later report in the same quarter nothing is added up: it is what is known at the end of the period.
        teams = next(row for row in final["dong"] if row["Mã chỉ tiêu"] == "CT-TO-CNS")
        later = teams | {"Từ ngày": "2022-09-30", "Đến ngày": "2022-09-30", "Giá trị": 500}
        put(stage, "indicators", "cuoi-quy.xlsx", indicators.content({"dong": [later]}), 1_700_200)
        core.take(hand_in(indicators.INDICATORS, stage, second).messages, ANCHOR * 1000)
        assert told(Period(date(2022, 7, 1), date(2022, 9, 30)))["teams"][0] == 500
        assert told(Period(date(2022, 7, 1), date(2022, 9, 29)))["teams"][0] == 493
    finally:
        core.close()


def test_teams_and_field_feedback_are_never_joined() -> None:
    """493 teams and 493 reports are a coincidence."""
    for entity, plan in PLANS.items():
        for kpi in plan.kpis:
            source = kpi.reported.code if kpi.reported is not None else ""
            assert not (entity == "feedback" and source.startswith("CT-TO-CNS")), kpi.id
            assert {term.measure for term in kpi.terms.values()} <= set(plan.measures)
