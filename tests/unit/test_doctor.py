"""The doctor's checks: what is found, and the cure that is named."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from hub import doctor
from hub.config import ApiSettings, KafkaSettings, Settings


@pytest.mark.parametrize(
    ("output", "major"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('openjdk version "21" 2023-09-19', 21),
        ('java version "1.8.0_392"', 1),
        (None, None),
        ("command not found", None),
    ],
)
def test_javas_version_is_read_from_its_own_words(output: str | None, major: int | None) -> None:
    assert doctor.java_major(output) == major


def test_an_old_java_is_refused_with_the_package_that_cures_it() -> None:
    check = doctor.check_java(lambda command: 'openjdk version "11.0.2"')
    assert not check.ok
    assert check.cure == "apt install openjdk-17-jre-headless"


def test_a_missing_program_names_its_package() -> None:
    check = doctor.check_program("maven", ["mvn", "--version"], "maven", lambda command: None)
    assert (check.ok, check.cure) == (False, "apt install maven")


def test_a_taken_port_names_the_variable_that_moves_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        check = doctor.check_port("kafka.port", port, ours=False)
        assert not check.ok
        assert check.cure.startswith("export IOC_KAFKA__PORT=")
        assert doctor.check_port("kafka.port", port, ours=True).ok
    assert doctor.check_port("kafka.port", port, ours=False).ok


def test_a_clock_is_compared_with_another_machines() -> None:
    now = doctor.EARLIEST_CLOCK + 1_000.0
    assert doctor.check_clock(now, now + 5).ok
    assert not doctor.check_clock(now, now + 400).ok
    assert not doctor.check_clock(1_000.0, None).ok
    assert doctor.check_clock(now, None).ok


def test_the_disk_is_looked_at_where_the_state_will_be(tmp_path: Path) -> None:
    check = doctor.check_disk(tmp_path / "not" / "yet" / "made")
    assert str(tmp_path) in check.found


def test_what_comes_by_address_is_not_asked_of_this_machine(tmp_path: Path) -> None:
    asked: list[str] = []

    def run(command: list[str]) -> str | None:
        asked.append(command[0])
        return None

    settings = Settings(
        state_dir=tmp_path, kafka=KafkaSettings(bootstrap_servers="kafka:9092"), api=ApiSettings(port=1)
    )
    names = [check.name for check in doctor.examine(settings, run)]
    assert "java" not in asked
    assert not any("kafka" in name for name in names)
    assert names[0] == "python"
    assert names[-1] == "clock"
