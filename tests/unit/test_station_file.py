"""Station files of Circular 10/2021, line by line."""

from __future__ import annotations

import pytest

from connectors.station_file import is_whole, read_station_file, station_and_time


def lines(*rows: str) -> bytes:
    return ("\r\n".join(rows) + "\r\n").encode()


def test_readings_keep_their_symbol_status_and_local_time() -> None:
    data = lines(
        "PM2,5\t12,5\tug/m3\t20220823081500\t00",
        "SO2\t3.25\tmg/Nm3\t20220823081500\t01",
        "O3\t\tug/m3\t20220823081500\t02",
    )
    read = read_station_file(data, "a.txt", ("TNI_KK01", "20220823081700"), 7)
    assert read.bad == []
    assert [(each["param"], each["value"], each["status"]) for each in read.readings] == [
        ("PM2,5", 12.5, "00"),
        ("SO2", 3.25, "01"),
        ("O3", None, "02"),
    ]
    first = read.readings[0]
    assert (first["id"], first["at"], first["_row"]) == ("TNI_KK01:PM2,5:20220823081500", "2022-08-23T08:15:00", 1)
    assert (first["line"], first["sent"]) == ("a.txt#1", 20220823081700)
    assert (first["_file"], first["_revision"], first["unit"]) == ("a.txt", 7, "ug/m3")


@pytest.mark.parametrize(
    ("line", "code", "word"),
    [
        ("PM2,5\t12\tug/m3\t20220823081500", "too_few_fields", "4 fields"),
        ("PM2,5\tmười hai\tug/m3\t20220823081500\t00", "bad_number", "no number"),
        ("PM2,5\t12\tug/m3\t23/08/2022\t00", "bad_time", "YYYYMMDDhhmmss"),
        ("PM2,5\t12\tug/m3\t20220823081500\t07", "unknown_code", "00, 01 or 02"),
    ],
)
def test_a_bad_line_is_refused_alone_with_its_number(line: str, code: str, word: str) -> None:
    read = read_station_file(
        lines("CO\t1\tmg\t20220823081500\t00", line, "NO\t2\tmg\t20220823081500\t00"), "a", ("S", "20220823081700"), 1
    )
    assert [each["param"] for each in read.readings] == ["CO", "NO"]
    assert [(number, error.code) for number, error in read.bad] == [(2, code)]
    assert word in read.bad[0][1].reason.en


@pytest.mark.parametrize(
    ("data", "whole"),
    [
        (b"CO\t1\tmg\t20220823081500\t00\r\n", True),
        (b"CO\t1\tmg\t20220823081500\t00", True),
        (b"CO\t1\tmg\t20220823081500\t0", False),
        (b"CO\t1\tmg\t2022", False),
        (b"CO\t1\tmg\t20220823081500\t00\r\nNO", False),
        (b"", False),
    ],
)
def test_a_half_written_file_is_known_by_its_last_line(data: bytes, whole: bool) -> None:
    assert is_whole(data) is whole


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("TNI_KK01_20220823081500.txt", ("TNI_KK01", "20220823081500")),
        ("TNI_KK01_20220823081500.TXT", ("TNI_KK01", "20220823081500")),
        ("20220823081500.txt", None),
        ("TNI_KK01_2022.txt", None),
        ("TNI_KK01_20220823081500.txt.tmp", None),
    ],
)
def test_the_station_is_in_the_files_name(name: str, found: tuple[str, str] | None) -> None:
    assert station_and_time(name) == found
