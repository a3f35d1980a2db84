"""One small world per source kind: its real server, started once per session, and records in it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.conformance import World
from tests.worlds.files import folder_world, ftp_world, sftp_world, station_sftp_world, station_world, upload_world
from tests.worlds.rest import rest_world
from tests.worlds.sql import postgres_world, sqlite_world
from tests.worlds.streams import kafka_world, mqtt_world, second_kafka_world

WORLDS: dict[str, Callable[[pytest.FixtureRequest, Path], AbstractContextManager[World]]] = {
    "rest": rest_world,
    "sql-postgresql": postgres_world,
    "sql-sqlite": sqlite_world,
    "files-folder": folder_world,
    "files-upload": upload_world,
    "files-sftp": sftp_world,
    "files-ftp": ftp_world,
    "station-folder": station_world,
    "station-sftp": station_sftp_world,
    "mqtt": mqtt_world,
    "kafka": kafka_world,
    "kafka-second-cluster": second_kafka_world,
}

QUICK = frozenset({"rest", "sql-postgresql", "files-folder", "station-folder", "mqtt", "kafka"})
"""One of each kind, looked at in every run of the tests; the others in the long ones."""
