"""System 10, the stations' files as the ledger keeps them: what they hold, and what counts of it. Pure.

A file is one JSON object `{place, path, sent, lines, again}`: `lines` of (parameter, value, unit, time, status) texts;
`again`: the same content as an earlier file of the station, sent under a new name.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any

from deploy.demo.ledger import Origin, Raw, read_emitted
from deploy.demo.reference import REFERENCE_END
from deploy.demo.simulation import Totals
from deploy.demo.tales import DAY, HOUR, plain
from deploy.demo.tally import Row, count, final_states, local_day, of_period, share, total
from deploy.demo.worktime import LOCAL

ID = "environment-stations"
SFTP, FTP = "environment-stations", "environment-stations-ftp"
AT_ZONES = 79
"""So many waste-water stations belong to industrial zones, whose operator gives files by FTP; the others by SFTP."""
CODES = Path(__file__).parents[2] / "schemas" / "codes"
SLOTS = 4
"""Files of each station in the reference period, and in the hours before the first start."""
STAMP = "%Y%m%d%H%M%S"
TWINS = ("TNI_KK018", "TNI_KK019")
"""Stations whose analysers are out of order: their files say the same, byte by byte, and are two all the same."""
PARAMETERS: Mapping[str, tuple[tuple[str, str, float], ...]] = {
    # parameter, unit, usual value
    "WASTE_WATER": (("Flow", "m3/h", 80), ("Temp", "°C", 30), ("pH", "-", 7.2), ("TSS", "mg/L", 28),
                    ("COD", "mg/L", 45), ("NH4", "mg/L", 2.6)),
    "EMISSION": (("PM", "mg/Nm3", 90), ("SO2", "mg/Nm3", 210), ("NO2", "mg/Nm3", 330), ("CO", "mg/Nm3", 420),
                 ("O2", "%V", 9)),
    "SURFACE_WATER": (("Temp", "°C", 28), ("pH", "-", 7), ("TSS", "mg/L", 32), ("COD", "mg/L", 10),
                      ("NH4", "mg/L", 0.2)),
    "AIR": (("PM10", "µg/Nm3", 60), ("PM2,5", "µg/Nm3", 28), ("SO2", "µg/Nm3", 40), ("NO2", "µg/Nm3", 35),
            ("CO", "µg/Nm3", 4000), ("O3", "µg/Nm3", 70)),
    "GROUND_WATER": (("Temp", "°C", 27), ("pH", "-", 6.8), ("NH4", "mg/L", 0.4)),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Station:
    code: str
    kind: str

    @property
    def place(self) -> str:
        """Whose server has its files."""
        return FTP if self.kind == "WASTE_WATER" and int(self.code[-3:]) <= AT_ZONES else SFTP


def _table(name: str) -> list[dict[str, str]]:
    with (CODES / f"{name}.csv").open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


@lru_cache(maxsize=1)
def stations() -> tuple[Station, ...]:
    """All 199, in the order of their codes."""
    kinds = {row["code"]: row["station_type"] for row in _table("station")}
    return tuple(Station(code, kinds[code]) for code in sorted(kinds))


@lru_cache(maxsize=1)
def limits() -> list[dict[str, str]]:
    return _table("env_limit")


def limit_of(kind: str, param: str, day: date) -> tuple[Decimal | None, Decimal | None]:
    """Lower and upper limit in force on a day; None where there is none."""
    at = day.isoformat()
    for row in limits():
        in_force = row["valid_from"] <= at and (not row["valid_to"] or at <= row["valid_to"])
        if in_force and (row["station_type"], row["param"]) == (kind, param):
            return tuple(Decimal(row[name]) if row[name] else None for name in ("limit_low", "limit_high"))  # type: ignore[return-value]
    return None, None


def measured(rng: random.Random, station: Station, at: int) -> list[list[str]]:
    """The lines of one file."""
    if station.code in TWINS:
        return [[param, "", unit, plain(at, STAMP), "02"] for param, unit, _ in PARAMETERS[station.kind]]
    comma = int(station.code[-3:]) % 3 == 0
    lines = []
    for param, unit, usual in PARAMETERS[station.kind]:
        status = rng.choices(("00", "01", "02"), (92, 4, 4))[0]
        factor = rng.uniform(1.7, 3.5) if rng.random() < 0.05 else rng.uniform(0.75, 1.15)
        value = "" if status == "02" and rng.random() < 0.5 else f"{usual * factor:.2f}"
        lines.append([param, value.replace(".", ",") if comma else value, unit, plain(at, STAMP), status])
    return lines


def file_of(station: Station, sent: int, lines: list[list[str]], *, again: bool = False) -> Raw:
    """A file by its station, the moment in its name and its lines."""
    stamp = plain(sent, STAMP)
    name = f"{station.code}_{stamp}.txt"
    path = name if station.place == FTP else f"{station.code}/{name}"
    return {"place": station.place, "path": path, "sent": stamp, "lines": lines, "again": again}


def files_of_slot(rng: random.Random, station: Station, at: int) -> Iterator[Raw]:
    """The file of one slot, and now and then the same again or a later one that corrects it."""
    lines = measured(rng, station, at)
    yield file_of(station, at, lines)
    dice = rng.random()
    if dice < 0.03:
        yield file_of(station, at + 5 * 60, lines, again=True)
    elif dice < 0.05 and station.code not in TWINS:
        yield file_of(station, at + HOUR, measured(rng, station, at))


def write_history(origin: Origin) -> list[Raw]:
    """The hours of 29 September 2022 and those before the first start; each station's backlog comes in any order."""
    slots = max(1, round(SLOTS * min(1.0, origin.scale)))
    found: list[Raw] = []
    # Files that come again or correct others bear later stamps: those of live files are later still.
    for tag, last in (("r", REFERENCE_END - DAY), ("s", origin.anchor - origin.anchor % 300 - 2 * HOUR)):
        rng = random.Random(f"{origin.seed}:{tag}:{ID}")
        silent = rng.sample(range(len(stations())), 7)
        part = [
            raw
            for number, station in enumerate(stations())
            if number not in silent
            for slot in range(slots)
            for raw in files_of_slot(rng, station, last - slot * 6 * HOUR)
        ]
        rng.shuffle(part)
        found += part
    return found


def content(raw: Raw) -> bytes:
    """As the station's logger writes the file."""
    return "".join("\t".join(line) + "\r\n" for line in raw["lines"]).encode()


def rows(raws: Iterable[Raw]) -> Iterator[Row]:
    """Readings of files in canonical terms; a file that came again says nothing new."""
    kinds = {station.code: station.kind for station in stations()}
    for raw in raws:
        if raw["again"]:
            continue
        station = raw["path"].split("/")[-1].rpartition("_")[0]
        for param, value, _unit, at, status in raw["lines"]:
            moment = datetime.strptime(at, STAMP).replace(tzinfo=LOCAL).astimezone(UTC)
            yield {
                "entity_key": f"{station}:{param}:{at}",
                "revision": int(raw["sent"]),
                "op": "UPSERT",
                "station": station,
                "kind": kinds[station],
                "param": param,
                "value": Decimal(value.replace(",", ".")) if value else None,
                "status": status,
                "at": moment,
            }


def _is_valid(row: Row) -> bool:
    return row["status"] == "00" and row["value"] is not None


def _judged(row: Row) -> tuple[bool, bool]:
    """Whether there is a limit to hold the reading against, and whether it is exceeded."""
    low, high = limit_of(row["kind"], row["param"], local_day(row["at"]))
    value: Any = row["value"]
    exceeded = (high is not None and value > high) or (low is not None and value < low)
    return low is not None or high is not None, exceeded


def expected(state: Path, start: date, end: date) -> Totals:
    """What the ledger says of a period."""
    emitted = list(rows(read_emitted(state, ID)))
    period = of_period(final_states(emitted), "at", start, end)
    valid = [row for row in period if _is_valid(row)]
    judged = [_judged(row) for row in valid]
    at_work = {row["station"] for row in valid}
    in_force = {
        row["code"]
        for row in _table("station")
        if row["valid_from"] <= end.isoformat() and (not row["valid_to"] or end.isoformat() <= row["valid_to"])
    }
    with_limit = sum(has for has, _ in judged)
    exceeded = sum(is_over for _, is_over in judged)
    kpis = {
        "station_reading.received": count(len(period)),
        "station_reading.valid_share": share(len(valid), len(period)),
        "station_reading.exceedances": count(exceeded),
        "station_reading.exceedance_share": share(exceeded, with_limit),
        "station_reading.device_errors": count(total(period, lambda row: row["status"] == "02")),
        "station.online_share": share(len(at_work & in_force), len(in_force)),
    }
    return Totals(kpis, {"station_reading": len(emitted)}, {place: len(found) for place, found in bad_files().items()})


def bad_files() -> dict[str, list[tuple[str, bytes]]]:
    """By place: files each with one thing that must be refused, and nothing else in it."""
    at = plain(REFERENCE_END - DAY, STAMP)
    line = f"PM10\t40\tµg/Nm3\t{at}\t"
    return {
        SFTP: [
            ("TNI_KK001/tram-khong-khi.txt", f"{line}00\r\n".encode()),
            (f"TNI_KK001/TNI_KK001_{at[:-2]}07.txt", f"{line}09\r\n".encode()),
            (f"TNI_KK999/TNI_KK999_{at[:-2]}08.txt", f"{line}00\r\n".encode()),
        ],
        FTP: [
            (f"TNI_NT001_{at[:-2]}07.txt", f"COD\tcao\tmg/L\t{at}\t00\r\n".encode()),
            (f"TNI_NT002_{at[:-2]}08.txt", b"COD\t40\tmg/L\t19700101000000\t00\r\n"),
            (f"TNI_NT003_{at[:-2]}09.txt", f"COD 40 mg/L {at} 00\r\n".encode()),
        ],
    }
