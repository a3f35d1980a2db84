"""Two systems of the province from their real servers to their topics: station files by SFTP, questions by a view."""

from __future__ import annotations

import asyncio
import contextlib
import io
import random
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import fastavro
import orjson
import psycopg
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from kafka import KafkaConsumer

from deploy.demo.station_files import stations
from hub.topics import ensure_topics
from schemas.contract import load_contracts
from schemas.wire import unframe
from tests.conftest import ROOT
from tests.deadline import eventually
from tests.postgres import READER, READER_PASSWORD, Postgres, make_questions_view
from tests.sftp_server import PASSWORD, SftpServer

CONTRACTS = load_contracts()
STATIONS = [station.code for station in stations()]
PHONE = "0912345678"


@pytest.fixture(scope="module")
def bootstrap(kafka: str) -> str:
    ensure_topics(kafka, CONTRACTS.values(), 4, 1)
    return kafka


@contextlib.contextmanager
def running(name: str, bootstrap: str, environ: dict[str, str], folder: Path) -> Iterator[None]:
    """The department's connector as a process, under an id of its own."""
    text = (ROOT / "deploy" / "departments" / f"{name}.yaml").read_text()
    manifest = folder / f"{name}.yaml"
    manifest.write_text(text.replace(f"id: {name}", f"id: {name[:20]}-{uuid.uuid4().hex[:8]}"))
    options = {"manifest": str(manifest), "bootstrap": bootstrap, "point": "", "times": 0, "folders": []}
    command = [sys.executable, "-m", "tests.connector_process", orjson.dumps({**options, "environ": environ}).decode()]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait(10)


@contextlib.asynccontextmanager
async def arriving(bootstrap: str, entity: str) -> AsyncIterator[list[dict[str, Any]]]:
    """What comes into the entity's topic from now on, and the raw bytes of it."""
    contract = CONTRACTS[entity]
    parsed = fastavro.parse_schema(contract.schema)
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    await consumer.start()
    with contextlib.closing(KafkaConsumer(bootstrap_servers=bootstrap)) as asked:
        numbers = asked.partitions_for_topic(contract.topic) or set()
    places = [TopicPartition(contract.topic, number) for number in numbers]
    assert places
    ends = await consumer.end_offsets(places)
    consumer.assign(places)
    for place, end in ends.items():
        consumer.seek(place, end)
    found: list[dict[str, Any]] = []

    async def follow() -> None:
        async for message in consumer:
            assert PHONE.encode() not in message.value
            framed = unframe(message.value)
            assert framed is not None
            row: Any = fastavro.schemaless_reader(io.BytesIO(framed[1]), parsed, None)
            found.append(row)

    task = asyncio.create_task(follow())
    try:
        yield found
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await consumer.stop()


async def test_files_of_199_stations_reach_their_topic_with_backlog_duplicates_and_half_written_ones(
    bootstrap: str, sftp_server: SftpServer, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    user = f"tnmt_{uuid.uuid4().hex[:6]}"
    sftp_server.homes[user] = home
    dice = random.Random(10)
    wanted: dict[str, tuple[str, str]] = {}
    for number, station in enumerate(STATIONS):
        (home / station).mkdir(parents=True)
        for minute in dice.sample(range(0, 60, 5), 2):
            at = f"2022091907{minute:02d}00"
            status = dice.choice(["00", "00", "00", "01", "02"])
            lines = [f"PM2,5\t{number},5\tug/m3\t{at}\t{status}", f"SO2\t3.25\tmg/Nm3\t{at}\t{status}"]
            path = home / station / f"{station}_{at}.txt"
            path.write_bytes("\r\n".join([*lines, ""]).encode())
            if number % 20 == 0:  # sent twice
                (home / station / f"{station}_2022091908{minute:02d}00.txt").write_bytes(path.read_bytes())
            for param in ("PM2,5", "SO2"):
                wanted[f"{station}:{param}:{at}"] = (status, param)
    half = home / STATIONS[0] / f"{STATIONS[0]}_20220919075900.txt"
    half.write_bytes(b"PM2,5\t1,0\tug/m3\t20220919075900\t00\r\nSO2\t2,")
    environ = {
        "IOC_SECRET_STATIONS_HOST": "127.0.0.1",
        "IOC_SECRET_STATIONS_PORT": str(sftp_server.port),
        "IOC_SECRET_STATIONS_USER": user,
        "IOC_SECRET_STATIONS_PASSWORD": PASSWORD,
        "IOC_SECRET_STATIONS_HOST_KEY": sftp_server.host_key,
    }
    async with arriving(bootstrap, "station_reading") as found:
        with running("environment-stations", bootstrap, environ, tmp_path):
            await eventually(lambda: {row["entity_key"] for row in found} >= set(wanted), within_s=90)
    by_key = {row["entity_key"]: row for row in found}
    assert set(by_key) == set(wanted)  # nothing of the half-written file
    statuses = {"00": "MEASURING", "01": "CALIBRATING", "02": "ERROR"}
    for key, (status, param) in wanted.items():
        assert (by_key[key]["device_status"], by_key[key]["param"]) == (statuses[status], param)
    assert str(by_key[next(key for key in wanted if f"{STATIONS[7]}:PM2,5" in key)]["value"]) == "7.500000"
    assert len(found) == len(wanted)  # the same content is read once


async def test_questions_of_a_view_reach_their_topic_without_a_phone_number(
    bootstrap: str, postgres: Postgres, tmp_path: Path
) -> None:
    with psycopg.connect(postgres.admin) as connection:
        make_questions_view(connection)
        connection.execute(
            "INSERT INTO ioc.cau_hoi SELECT 'hd-' || n, 'HD-220914-' || n, 1, 'capnhat', "
            "timestamptz '2022-09-14 08:00+07' + (n / 50) * interval '1 second', 'H53.09', '25459', 'Đất đai', 'web', "
            "CASE WHEN n % 3 = 0 THEN 'moi' ELSE 'da_tra_loi' END, '2022-09-14 07:30', '2022-09-21 17:00', "
            f"CASE WHEN n % 3 = 0 THEN NULL ELSE timestamp '2022-09-16 09:00' END, NULL, '{PHONE}' "
            "FROM generate_series(1, 500) n"
        )
    environ = {
        "IOC_SECRET_QUESTIONS_URL": f"postgresql://127.0.0.1:{postgres.port}/postgres",
        "IOC_SECRET_QUESTIONS_USER": READER,
        "IOC_SECRET_QUESTIONS_PASSWORD": READER_PASSWORD,
    }
    async with arriving(bootstrap, "question") as found:
        with running("online-questions", bootstrap, environ, tmp_path):
            await eventually(lambda: len(found) >= 500, within_s=60)
    assert sorted(row["event_id"] for row in found) == sorted(f"hd-{number}" for number in range(1, 501))
    answered = next(row for row in found if row["event_id"] == "hd-1")
    assert (answered["status"], answered["channel"]) == ("ANSWERED", "WEB")
    assert answered["asked_at"].isoformat() == "2022-09-14T00:30:00+00:00"
    assert answered["asker"].startswith("tel") or "_" in answered["asker"]
