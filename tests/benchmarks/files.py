"""Figures of file sources: read, mapped and on Kafka, per core of the connector's process."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import xlsxwriter

from connectors.manifest import load_manifest
from connectors.secrets import SecretResolver
from connectors.source import Surroundings
from schemas.contract import load_contracts
from streams.garbage import collect_seldom
from tests.connector_process import Death, alone
from tests.deadline import eventually

CSV_ROWS, XLSX_ROWS, STATION_FILES = 300_000, 60_000, 4_000
HEAD = """
id: {id}
kind: {kind}
entity: {entity}
source_system: bench
name: {{vi: A, en: A}}
owner: {{department: A, contact: B, org: H53}}
sla: {{cadence_s: 60}}
source:
  place: {{type: folder, path: {folder}}}
  settle_s: 0
  poll_interval_s: 60
  {more}
mapping:
  event_id: {{from: {event}}}
  source_system: {{const: bench}}
  org_code: {{const: H53}}
  entity_key: {{from: {key}}}
  revision: {{from: {revision}}}
  op: {{const: UPSERT}}
  event_time: {{from: {at}, time: {form}}}
  ingest_time: {{ingest_time: true}}
  admin_code: {{const: "25459"}}
  admin_codeset: {{const: "2022"}}
"""
VISITS = """
  venue: {from: diem}
  venue_type: {const: TOURIST_SITE}
  visits: {from: luot, min: 0}
  foreign_visits: {from: quoc_te, min: 0}
  revenue: {from: doanh_thu, min: 0}
  report_date: {from: ngay, time: "%d/%m/%Y"}
"""
READINGS = """
  station: {from: station}
  station_type: {const: UNKNOWN}
  param: {from: param}
  value: {from: value}
  unit: {from: unit}
  device_status: {from: status, codes: {"00": MEASURING, "01": CALIBRATING, "02": ERROR}}
  source_file: {from: _file}
"""
COLUMNS = ("ma", "diem", "luot", "quoc_te", "doanh_thu", "ngay")


def _visit(number: int) -> tuple[Any, ...]:
    return (f"V{number:07d}", f"Điểm {number % 200}", number % 900, number % 90, number % 7_000_000, "23/08/2022")


@contextmanager
def _folder(fill: Callable[[Path], None]) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made) / "share"
        folder.mkdir()
        fill(folder)
        yield folder


def _csv(folder: Path) -> None:
    with (folder / "a.csv").open("w", encoding="utf-8") as out:
        out.write(";".join(COLUMNS) + "\n")
        out.writelines(";".join(map(str, _visit(number))) + "\n" for number in range(CSV_ROWS))


def _xlsx(folder: Path) -> None:
    with xlsxwriter.Workbook(folder / "a.xlsx", {"constant_memory": True}) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, COLUMNS)
        for number in range(XLSX_ROWS):
            sheet.write_row(number + 1, 0, _visit(number))


def _stations(folder: Path) -> None:
    for number in range(STATION_FILES):
        at = f"202208{number // 1000 + 10:02d}08{number // 20 % 60:02d}{number % 60:02d}"
        lines = [f"{param}\t{number % 97},5\tmg/L\t{at}\t00" for param in ("pH", "COD", "TSS", "NH4", "Temp", "DO")]
        (folder / f"TNI_TT{number % 199:03d}_{at}.txt").write_text("\r\n".join([*lines, ""]))


async def _run(bootstrap: str, text: str, folder: Path, records: int) -> dict[str, Any]:
    """Seconds from the start to the last record's acknowledgement, and of them on the processor."""
    file = folder.parent / "m.yaml"
    file.write_text(text, encoding="utf-8")
    manifest = load_manifest(file)
    around = Surroundings(SecretResolver({}), folders=(folder,))
    begun, cpu = time.perf_counter(), time.process_time()
    async with alone(manifest, bootstrap, load_contracts(), around, Death("", 0)) as runner:
        tally = runner.tally
        await eventually(lambda: tally.published + tally.quarantined >= records, within_s=120)
        seconds, cpu_s = time.perf_counter() - begun, time.process_time() - cpu
    assert (tally.published, tally.quarantined) == (records, 0), tally.last_error
    return {"per_s": round(records / seconds), "per_core": round(records / cpu_s)}


async def measure_files(bootstrap: str) -> dict[str, Any]:
    """CSV and workbook rows of visits, station files of six readings."""
    collect_seldom()
    figures: dict[str, Any] = {}
    visits = {"entity": "venue_visit", "event": "ma", "key": "ma", "revision": "_revision", "at": "ngay"}
    for name, fill, form, rows in (
        ("csv", _csv, "{type: csv, numbers: [luot, quoc_te, doanh_thu]}", CSV_ROWS),
        ("xlsx", _xlsx, "{type: xlsx}", XLSX_ROWS),
    ):
        with _folder(fill) as folder:
            head = HEAD.format(
                id=f"{name}-{os.getpid()}",
                kind="files",
                folder=folder,
                more=f"format: {form}",
                form='"%d/%m/%Y"',
                **visits,
            )
            figures[name] = await _run(bootstrap, head + VISITS, folder, rows)
    with _folder(_stations) as folder:
        names = {"entity": "station_reading", "event": "line", "key": "id", "revision": "sent", "at": "at"}
        head = HEAD.format(
            id=f"st-{os.getpid()}", kind="station_txt", folder=folder, more="page_files: 500", form="iso", **names
        )
        read = await _run(bootstrap, head + READINGS, folder, STATION_FILES * 6)
        figures["station_files"] = {key: round(value / 6) for key, value in read.items()}
    return figures
