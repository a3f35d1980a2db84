"""The archive of Kafka's classes: made by a broker that ran, and mapped by those that follow."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from hub.broker import Broker, classes_of, wait_for_port
from hub.kafka_classes import make_archive
from hub.stack import free_port
from tests.stack import ROOT


@pytest.fixture(scope="module")
def libs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The jars, with an archive of their own."""
    folder = tmp_path_factory.mktemp("kafka") / "libs"
    shutil.copytree(ROOT / "deploy" / "kafka" / "libs", folder, ignore=shutil.ignore_patterns("*.jsa"))
    assert make_archive(folder) == classes_of(folder)
    return folder


def broker_on(libs: Path, tmp_path: Path) -> Broker:
    return Broker(libs, tmp_path / "data", free_port(), free_port(), heap_mb=256)


def test_a_broker_that_must_have_the_archive_starts_from_it(libs: Path, tmp_path: Path) -> None:
    broker = broker_on(libs, tmp_path)
    broker.prepare()
    # With this option the JVM ends at once if it cannot map what it is given.
    command = [option if option != "-Xshare:auto" else "-Xshare:on" for option in broker.command()]
    assert f"-XX:SharedArchiveFile={classes_of(libs)}" in command
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            assert wait_for_port(broker.port, 60, process)
        finally:
            process.kill()


def test_an_archive_of_jars_that_have_changed_is_left_aside(libs: Path, tmp_path: Path) -> None:
    jar = next(libs.glob("kafka_2.13-*.jar"))
    os.utime(jar, (0, 0))
    broker = broker_on(libs, tmp_path)
    broker.prepare()
    with subprocess.Popen(broker.command(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            assert wait_for_port(broker.port, 60, process)
        finally:
            process.kill()
