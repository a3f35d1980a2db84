"""Writes the registers of stations, their limits and cameras: `python -m deploy.demo.make_stations OUT`.

199 stations, as many as the province has, at places drawn in its communes; names are made up. Limits are those of the
national technical regulations named in each row, as their tables stand for the shortest averaging time that automatic
readings can be held against. See schemas/codes/SOURCES.md for what is assumed.
"""

from __future__ import annotations

import csv
import random
import sys
from collections.abc import Iterable
from pathlib import Path

from deploy.demo.province import Ward, province
from schemas.codes_table import load_code_tables

MERGER_EVE, MERGER_DAY = "2025-06-30", "2025-07-01"
SINCE = "2021-08-16"
"""Circular 10/2021 came into force."""

KINDS = (
    ("WASTE_WATER", "NT", 96, "Trạm nước thải"),
    ("EMISSION", "KT", 48, "Trạm khí thải"),
    ("SURFACE_WATER", "NM", 28, "Trạm nước mặt"),
    ("AIR", "KK", 19, "Trạm không khí"),
    ("GROUND_WATER", "NN", 8, "Trạm nước dưới đất"),
)

CAMERAS = 60

Row = tuple[str, ...]

LIMITS: tuple[Row, ...] = (
    # type, param, low, high, reference, from, to
    ("AIR", "SO2", "", "350", "QCVN 05:2013/BTNMT (1 giờ)", "2014-01-01", "2023-09-11"),
    ("AIR", "SO2", "", "350", "QCVN 05:2023/BTNMT (1 giờ)", "2023-09-12", ""),
    ("AIR", "NO2", "", "200", "QCVN 05:2013/BTNMT (1 giờ)", "2014-01-01", "2023-09-11"),
    ("AIR", "NO2", "", "200", "QCVN 05:2023/BTNMT (1 giờ)", "2023-09-12", ""),
    ("AIR", "CO", "", "30000", "QCVN 05:2013/BTNMT (1 giờ)", "2014-01-01", "2023-09-11"),
    ("AIR", "CO", "", "30000", "QCVN 05:2023/BTNMT (1 giờ)", "2023-09-12", ""),
    ("AIR", "O3", "", "200", "QCVN 05:2013/BTNMT (1 giờ)", "2014-01-01", "2023-09-11"),
    ("AIR", "O3", "", "200", "QCVN 05:2023/BTNMT (1 giờ)", "2023-09-12", ""),
    ("AIR", "PM10", "", "150", "QCVN 05:2013/BTNMT (24 giờ)", "2014-01-01", "2023-09-11"),
    ("AIR", "PM10", "", "100", "QCVN 05:2023/BTNMT (24 giờ)", "2023-09-12", ""),
    ("AIR", "PM2,5", "", "50", "QCVN 05:2013/BTNMT (24 giờ)", "2014-01-01", "2023-09-11"),
    ("AIR", "PM2,5", "", "50", "QCVN 05:2023/BTNMT (24 giờ)", "2023-09-12", "2025-12-31"),
    ("AIR", "PM2,5", "", "45", "QCVN 05:2023/BTNMT (24 giờ)", "2026-01-01", ""),
    ("WASTE_WATER", "pH", "6", "9", "QCVN 40:2011/BTNMT, cột A", "2012-02-15", ""),
    ("WASTE_WATER", "Temp", "", "40", "QCVN 40:2011/BTNMT, cột A", "2012-02-15", ""),
    ("WASTE_WATER", "Color", "", "50", "QCVN 40:2011/BTNMT, cột A", "2012-02-15", ""),
    ("WASTE_WATER", "COD", "", "75", "QCVN 40:2011/BTNMT, cột A", "2012-02-15", ""),
    ("WASTE_WATER", "TSS", "", "50", "QCVN 40:2011/BTNMT, cột A", "2012-02-15", ""),
    ("WASTE_WATER", "NH4", "", "5", "QCVN 40:2011/BTNMT, cột A", "2012-02-15", ""),
    ("SURFACE_WATER", "pH", "5.5", "9", "QCVN 08-MT:2015/BTNMT, cột B1", "2016-03-01", "2023-09-11"),
    ("SURFACE_WATER", "pH", "6", "8.5", "QCVN 08:2023/BTNMT, mức B", "2023-09-12", ""),
    ("SURFACE_WATER", "COD", "", "30", "QCVN 08-MT:2015/BTNMT, cột B1", "2016-03-01", "2023-09-11"),
    ("SURFACE_WATER", "COD", "", "15", "QCVN 08:2023/BTNMT, mức B", "2023-09-12", ""),
    ("SURFACE_WATER", "TSS", "", "50", "QCVN 08-MT:2015/BTNMT, cột B1", "2016-03-01", "2023-09-11"),
    ("SURFACE_WATER", "TSS", "", "100", "QCVN 08:2023/BTNMT, mức B", "2023-09-12", ""),
    ("SURFACE_WATER", "NH4", "", "0.9", "QCVN 08-MT:2015/BTNMT, cột B1", "2016-03-01", "2023-09-11"),
    ("SURFACE_WATER", "NH4", "", "0.3", "QCVN 08:2023/BTNMT", "2023-09-12", ""),
    ("GROUND_WATER", "pH", "5.5", "8.5", "QCVN 09-MT:2015/BTNMT", "2016-03-01", "2023-09-11"),
    ("GROUND_WATER", "pH", "5.8", "8.5", "QCVN 09:2023/BTNMT", "2023-09-12", ""),
    ("GROUND_WATER", "NH4", "", "1", "QCVN 09-MT:2015/BTNMT", "2016-03-01", "2023-09-11"),
    ("GROUND_WATER", "NH4", "", "1", "QCVN 09:2023/BTNMT", "2023-09-12", ""),
    ("EMISSION", "PM", "", "200", "QCVN 19:2009/BTNMT, cột B", "2010-01-01", ""),
    ("EMISSION", "SO2", "", "500", "QCVN 19:2009/BTNMT, cột B", "2010-01-01", ""),
    ("EMISSION", "NO2", "", "850", "QCVN 19:2009/BTNMT, cột B (NOx)", "2010-01-01", ""),
    ("EMISSION", "CO", "", "1000", "QCVN 19:2009/BTNMT, cột B", "2010-01-01", ""),
)


def stations() -> list[Row]:
    """A row until the merger of 2025-07-01 and one since, with the commune of each time."""
    rng = random.Random("stations")
    successors = _successors()
    old, new = province().wards["2022"], {ward.code: ward for ward in province().wards["2025"]}
    rows: list[Row] = []
    for kind, short, most, name in KINDS:
        for number in range(1, most + 1):
            before = rng.choice([ward for ward in old if successors.get(ward.code) in new])
            after = new[successors[before.code]]
            code = f"TNI_{short}{number:03d}"
            north, east = (place + rng.uniform(-0.01, 0.01) for place in (before.latitude, before.longitude))
            at = f"{north:.6f}", f"{east:.6f}"
            rows.append(_row(code, f"{name} {number:03d} {before.name}", kind, before, at, SINCE, MERGER_EVE))
            rows.append(_row(code, f"{name} {number:03d} {after.name}", kind, after, at, MERGER_DAY, ""))
    return rows


def cameras() -> list[Row]:
    """Sixty traffic cameras along the roads of the old province."""
    rng, successors = random.Random("cameras"), _successors()
    old, new = province().wards["2022"], {ward.code: ward for ward in province().wards["2025"]}
    rows: list[Row] = []
    for number in range(1, CAMERAS + 1):
        before = rng.choice([ward for ward in old if successors.get(ward.code) in new])
        after = new[successors[before.code]]
        at = f"{before.latitude:.6f}", f"{before.longitude:.6f}"
        code = f"CAM{number:03d}"
        rows.append((code, f"Camera {number:03d} {before.name}", before.code, *at, "2021-01-01", MERGER_EVE))
        rows.append((code, f"Camera {number:03d} {after.name}", after.code, *at, MERGER_DAY, ""))
    return rows


def _row(code: str, name: str, kind: str, ward: Ward, at: tuple[str, str], since: str, until: str) -> Row:
    return (code, name, kind, ward.code, *at, since, until)


def _successors() -> dict[str, str]:
    """The commune that most of each ward went into."""
    table = load_code_tables()["admin_unit_successor"]
    code, successor, main = (table.columns.index(name) for name in ("code", "successor", "main"))
    return {row[code]: row[successor] for row in table.rows if row[main] == "1"}


def write(path: Path, header: Row, rows: Iterable[Row]) -> None:
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def main(arguments: list[str]) -> int:
    out = Path(arguments[0])
    header: Row = ("code", "name_vi", "station_type", "admin_code", "latitude", "longitude", "valid_from", "valid_to")
    write(out / "station.csv", header, stations())
    header = ("code", "name_vi", "admin_code", "latitude", "longitude", "valid_from", "valid_to")
    write(out / "camera.csv", header, cameras())
    limits = [(f"{row[0]}:{row[1]}", *row) for row in LIMITS]
    header = ("code", "station_type", "param", "limit_low", "limit_high", "limit_ref", "valid_from", "valid_to")
    write(out / "env_limit.csv", header, limits)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
