"""Two more systems of the province on the whole product: from SFTP files and a database's view to warehouse rows."""

from __future__ import annotations

import random
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import orjson
import psycopg
import pytest

from deploy.demo.station_files import stations
from tests.deadline import eventually
from tests.postgres import READER, READER_PASSWORD, Postgres, make_questions_view
from tests.sftp_server import PASSWORD, SftpServer
from tests.stack import ROOT, RunningStack, ioc, start_stack

pytestmark = pytest.mark.long
MANIFESTS = ROOT / "deploy" / "departments"
STATIONS, QUESTIONS = [station.code for station in stations()[:40]], 300
PHONE = "0912345678"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stations")


@pytest.fixture(scope="module")
def running(
    tmp_path_factory: pytest.TempPathFactory, home: Path, postgres: Postgres, sftp_server: SftpServer
) -> Iterator[RunningStack]:
    """The stations' manifest is of the tree; the questions' comes while everything runs."""
    user = f"tnmt_{uuid.uuid4().hex[:6]}"
    sftp_server.homes[user] = home
    folder = tmp_path_factory.mktemp("proof")
    (folder / "connectors").mkdir()
    shutil.copy(MANIFESTS / "environment-stations.yaml", folder / "connectors")
    extra = {
        "IOC_CONNECTORS_DIR": str(folder / "connectors"),
        "IOC_SECRET_STATIONS_HOST": "127.0.0.1",
        "IOC_SECRET_STATIONS_PORT": str(sftp_server.port),
        "IOC_SECRET_STATIONS_USER": user,
        "IOC_SECRET_STATIONS_PASSWORD": PASSWORD,
        "IOC_SECRET_STATIONS_HOST_KEY": sftp_server.host_key,
        "IOC_SECRET_QUESTIONS_URL": f"postgresql://127.0.0.1:{postgres.port}/postgres",
        "IOC_SECRET_QUESTIONS_USER": READER,
        "IOC_SECRET_QUESTIONS_PASSWORD": READER_PASSWORD,
    }
    with start_stack(folder / "state", 0.001, extra=extra) as stack:
        yield stack


def rows(stack: RunningStack, sql: str) -> list[list[Any]]:
    """What the warehouse answers; nothing while it has no such table."""
    password = (stack.state / "secrets" / "warehouse-writer.key").read_text().strip()
    url = f"http://127.0.0.1:{stack.environment['IOC_WAREHOUSE__PORT']}/"
    answer = httpx2.post(url, auth=("ioc", password), content=f"{sql} FORMAT JSONCompactEachRow".encode(), timeout=20)
    if answer.status_code != 200:
        return []
    return [orjson.loads(line) for line in answer.content.splitlines()]


async def test_readings_of_stations_become_rows_and_a_later_file_corrects_an_earlier_one(
    running: RunningStack, home: Path
) -> None:
    dice, wanted = random.Random(3), {}
    for number, station in enumerate(STATIONS):
        (home / station).mkdir()
        for minute in dice.sample(range(0, 60, 5), 3):
            at, status = f"2022091907{minute:02d}00", dice.choice(["00", "00", "01", "02"])
            line = f"PM2,5\t{number},5\tug/m3\t{at}\t{status}\r\n"
            (home / station / f"{station}_{at}.txt").write_bytes(line.encode())
            wanted[f"{station}:PM2,5:{at}"] = float(number) + 0.5
    key = next(iter(wanted))
    station, _, at = key.split(":")
    (home / station / f"{station}_20220919090000.txt").write_bytes(f"PM2,5\t99,25\tug/m3\t{at}\t00\r\n".encode())
    wanted[key] = 99.25
    sql = (
        "SELECT entity_key, argMax(toFloat64(value), offset) FROM station_reading_changes WHERE sign = 1 AND entity_key"
        " IN (SELECT entity_key FROM station_reading_changes GROUP BY entity_key HAVING sum(sign) = 1)"
        " GROUP BY entity_key"
    )
    await eventually(lambda: dict(map(tuple, rows(running, sql))) == wanted, within_s=120)


async def test_a_view_applied_while_all_runs_becomes_rows_with_its_changes_and_no_phone_number(
    running: RunningStack, postgres: Postgres, tmp_path: Path
) -> None:
    with psycopg.connect(postgres.admin) as connection:
        make_questions_view(connection)
        asked = "timestamptz '2022-09-14 08:00+07' + n * interval '1 second', 'H53.09', '25459', 'Đất đai', 'web'"
        rest = f"'2022-09-14 07:30', '2022-09-21 17:00', NULL, NULL, '{PHONE}'"
        connection.execute(
            f"INSERT INTO ioc.cau_hoi SELECT 'hd-' || n, 'HD-220914-' || n, 1, 'capnhat', {asked}, 'moi', {rest} "
            f"FROM generate_series(1, {QUESTIONS}) n"
        )
        later = asked.replace("08:00+07", "10:00+07")
        connection.execute(
            f"INSERT INTO ioc.cau_hoi SELECT 'tl-' || n, 'HD-220914-' || n, 2, 'capnhat', {later}, 'da_tra_loi', "
            f"{rest} FROM generate_series(1, 50) n"
        )
        connection.execute(
            f"INSERT INTO ioc.cau_hoi SELECT 'xoa-' || n, 'HD-220914-' || n, 2, 'xoa', {later}, 'rut', {rest} "
            "FROM generate_series(51, 60) n"
        )
    file = str(MANIFESTS / "online-questions.yaml")
    applied = ioc(running.environment, "connector", "apply", file, "--key", running.key("admin"))
    assert "online-questions" in applied.stdout + applied.stderr
    sql = "SELECT status, toInt64(sum(sign)) AS n FROM question_changes GROUP BY status HAVING n != 0 ORDER BY status"
    wanted = [["ANSWERED", 50], ["NEW", QUESTIONS - 60]]
    await eventually(lambda: rows(running, sql) == wanted, within_s=120)
    told = rows(running, f"SELECT count() FROM question_changes WHERE position(toString(tuple(*)), '{PHONE}') > 0")
    assert told == [[0]]
