"""When a source is read: a schedule in the department's calendar, case by case, and as its runner keeps to it."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml

from connectors.manifest import load_manifest
from connectors.runtime import ConnectorRunner, open_source
from connectors.schedule import Schedule
from connectors.secrets import SecretResolver
from connectors.source import Surroundings
from connectors.status import Subject, Tally
from schemas.calendar_files import package_calendars

ROOT = Path(__file__).parents[2]
ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
# August 2022: the 23rd is a Tuesday, the 28th a Sunday; office hours 7:00–11:30, 13:30–17:00.
CASES = """
every_s: 60                         | 23 08:00 | 23 08:01
every_s: 3600                       | 28 12:00 | 28 13:00
every_s: 60, working: true          | 23 08:00 | 23 08:01
every_s: 60, working: true          | 23 11:29:30 | 23 13:30
every_s: 60, working: true          | 23 17:00 | 24 07:00
every_s: 60, working: true          | 26 18:00 | 29 07:00
every_s: 60, working: true          | 28 12:00 | 29 07:00
every_s: 3600, working: true        | 23 06:30 | 23 07:30
at: ["05:30"]                       | 23 05:29 | 23 05:30
at: ["05:30"]                       | 23 05:30 | 24 05:30
at: ["05:30"]                       | 26 06:00 | 29 05:30
at: ["16:30", "05:30"]              | 23 06:00 | 23 16:30
at: ["16:30", "05:30"]              | 23 16:30 | 24 05:30
at: ["05:30"]                       | 27 12:00 | 29 05:30
cron: "*/15 * * * *"                | 23 08:01 | 23 08:15
cron: "*/15 * * * *"                | 23 08:15 | 23 08:30
cron: "*/15 * * * *", working: true | 23 11:20 | 23 13:30
cron: "*/15 * * * *", working: true | 26 16:50 | 29 07:00
cron: "0 2 * * 0"                   | 23 08:00 | 28 02:00
"""
ROWS = [[cell.strip() for cell in line.split("|")] for line in CASES.strip().splitlines()]


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2022-08-{text}").replace(tzinfo=ZONE)


@pytest.mark.parametrize("row", ROWS, ids=[" after ".join(row[:2]) for row in ROWS])
def test_the_next_read_follows_the_schedule(row: list[str]) -> None:
    schedule, last, expected = row
    tree: dict[str, Any] = yaml.safe_load(f"{{{schedule}}}")
    timetable = Schedule(**tree).timetable(package_calendars(), "x.yaml", None)
    assert timetable.next_read(at(last)) == at(expected)


def test_days_off_by_the_government_are_days_off() -> None:
    timetable = Schedule(at=("05:30",)).timetable(package_calendars(), "x.yaml", None)
    tet = datetime(2022, 1, 31, 4, 0, tzinfo=ZONE)
    assert timetable.next_read(tet) == datetime(2022, 2, 7, 5, 30, tzinfo=ZONE)


@pytest.mark.parametrize(
    ("schedule", "rest_s"), [("", 10.0), ('schedule: {at: ["05:30"]}', 5400.0), ("schedule: {every_s: 7}", 7.0)]
)
def test_a_runner_rests_by_the_schedule_and_without_one_as_its_source_says(
    schedule: str, rest_s: float, tmp_path: Path
) -> None:
    text = (ROOT / "deploy" / "departments" / "environment-stations.yaml").read_text(encoding="utf-8")
    (tmp_path / "m.yaml").write_text(text + schedule + "\n", encoding="utf-8")
    manifest = load_manifest(tmp_path / "m.yaml")
    names = ("HOST", "USER", "PASSWORD", "HOST_KEY")
    environ = {f"IOC_SECRET_STATIONS_{name}": "x" for name in names} | {"IOC_SECRET_STATIONS_PORT": "22"}
    around = Surroundings(SecretResolver(environ), now=lambda: at("23 04:00"))
    bench = dataclasses.make_dataclass("Bench", ["around"])(around)
    runner = ConnectorRunner(manifest, 0, bench, Tally(Subject.of(manifest), "t"))
    assert runner.rest_s(open_source(manifest, around)) == rest_s
