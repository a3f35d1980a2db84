"""Files of a department: CSV by SFTP and FTP, workbooks uploaded, JSON lines in a directory, station files."""

from __future__ import annotations

import contextlib
import io
import os
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest
import xlsxwriter

from tests.conformance import MAPPING, World, moment, note
from tests.department_servers import FTP_PASSWORD, FtpServer
from tests.gate import Gate, gate
from tests.sftp_server import PASSWORD, SftpServer

USER = "so_a"


class FileWorld(World):
    """Each addition is a file; `directory` is where the server sees it."""

    kind = "files"
    form = "{type: csv, columns: {Mã: id, Thời điểm: at, Giá trị: value}}"
    suffix = ".csv"

    def __init__(self, folder: Path, directory: Path) -> None:
        super().__init__(folder)
        self.directory = directory
        self.made = 0

    def place(self) -> str:
        return f"{{type: folder, path: '{self.directory}'}}"

    def source(self) -> str:
        return f"""
            place: {self.place()}
            pattern: "*{self.suffix}"
            settle_s: 0
            format: {self.form}
            page_size: 10
            poll_interval_s: 0.05
        """

    def content(self, first: int, count: int) -> bytes:
        lines = ["BÁO CÁO", "", "Mã;Thời điểm;Giá trị"]
        lines += [";".join(note(number).values()) for number in range(first, first + count)]
        return "\ufeff".encode() + "\r\n".join([*lines, "Tổng cộng;;"]).encode()

    def add(self, first: int, count: int) -> None:
        self.made += 1
        path = self.directory / f"{self.made:03d}{self.suffix}"
        self.write(path, self.content(first, count))

    def write(self, path: Path, data: bytes) -> None:
        """As a careful sender does: under another name first."""
        hidden = path.with_name(f".{path.name}")
        hidden.write_bytes(data)
        os.utime(hidden, (1_660_000_000 + self.made, 1_660_000_000 + self.made))
        hidden.chmod(0o666)
        hidden.replace(path)

    def state(self) -> Any:
        return sorted((str(path), path.read_bytes()) for path in self.directory.rglob("*") if path.is_file())

    @contextlib.contextmanager
    def away(self) -> Iterator[None]:
        hidden = self.directory.with_name("hidden-" + self.directory.name)
        self.directory.rename(hidden)
        try:
            yield
        finally:
            hidden.rename(self.directory)


class JsonWorld(FileWorld):
    form = "{type: jsonl}"
    suffix = ".jsonl"

    def content(self, first: int, count: int) -> bytes:
        return b"\n".join(orjson.dumps(note(number)) for number in range(first, first + count))


class WorkbookWorld(FileWorld):
    """Uploads; the table begins under a merged title, with a blank row and a total row."""

    form = "{type: xlsx, sheet: Số liệu, columns: {Mã: id, Thời điểm: at, Giá trị: value}}"
    suffix = ".xlsx"

    def place(self) -> str:
        return "{type: upload}"

    @property
    def folders(self) -> tuple[Path, ...]:
        return (self.directory.parent,)

    @contextlib.contextmanager
    def away(self) -> Iterator[None]:
        hidden = self.folder / "hidden"
        self.directory.parent.rename(hidden)
        try:
            yield
        finally:
            hidden.rename(self.directory.parent)

    def content(self, first: int, count: int) -> bytes:
        buffer = io.BytesIO()
        with xlsxwriter.Workbook(buffer, {"in_memory": True}) as book:
            book.add_worksheet("Hướng dẫn").write(0, 0, "Điền vào trang Số liệu")
            sheet = book.add_worksheet("Số liệu")
            sheet.merge_range("A1:C1", "BÁO CÁO THÁNG 8 NĂM 2022")
            sheet.write_row("A4", ["Mã", "Thời  điểm", "GIÁ TRỊ"])
            for row, number in enumerate(range(first, first + count), start=4):
                sheet.write_row(row, 0, list(note(number).values()))
            sheet.write_row(5 + count, 0, ["Tổng cộng:", "", ""])
        return buffer.getvalue()


class ServedWorld(FileWorld):
    """Behind a gate."""

    def __init__(self, folder: Path, directory: Path, opened: Gate, password: str) -> None:
        super().__init__(folder, directory)
        self.gate = opened
        self.secrets = (password,)
        self.environ = {"IOC_SECRET_WORLD_PASSWORD": password}

    def away(self) -> contextlib.AbstractContextManager[None]:
        return self.gate.shut()

    def hung(self) -> contextlib.AbstractContextManager[None]:
        return self.gate.hung()

    def wrong_login(self) -> Mapping[str, str]:
        return {**self.environ, "IOC_SECRET_WORLD_PASSWORD": "a-wrong-password-0815"}


class SftpWorld(ServedWorld):
    def __init__(self, folder: Path, directory: Path, opened: Gate, server: SftpServer) -> None:
        super().__init__(folder, directory, opened, PASSWORD)
        self.user = f"{USER}_{uuid.uuid4().hex[:8]}"
        server.homes[self.user] = directory
        self.environ |= {"IOC_SECRET_WORLD_USER": self.user, "IOC_WORLD_HOST_KEY": server.host_key}

    def place(self) -> str:
        return (
            f"{{type: sftp, host: 127.0.0.1, port: {self.gate.port}, username: '${{env:IOC_SECRET_WORLD_USER}}', "
            "password: '${env:IOC_SECRET_WORLD_PASSWORD}', host_key: '${env:IOC_WORLD_HOST_KEY}', path: /}"
        )


class FtpWorld(ServedWorld):
    def __init__(self, folder: Path, opened: Gate, server: FtpServer) -> None:
        directory = server.root / uuid.uuid4().hex[:8]
        directory.mkdir()
        directory.chmod(0o777)
        super().__init__(folder, directory, opened, FTP_PASSWORD)
        self.environ["IOC_SECRET_WORLD_USER"] = "anonymous"

    def place(self) -> str:
        return (
            f"{{type: ftp, tls: false, host: 127.0.0.1, port: {self.gate.port}, path: /{self.directory.name}, "
            "username: '${env:IOC_SECRET_WORLD_USER}', password: '${env:IOC_SECRET_WORLD_PASSWORD}'}"
        )


class StationWorld(FileWorld):
    """One reading per file, in folders by station."""

    kind = "station_txt"
    mapping = MAPPING.replace("{from: value}", "{from: unit}")

    def source(self) -> str:
        return f"""
            place: {self.place()}
            settle_s: 0
            page_files: 10
            poll_interval_s: 0.05
        """

    def identity(self, number: int) -> str:
        return f"{_station(number)}:PM2,5:{_stamp(number)}"

    def add(self, first: int, count: int) -> None:
        for number in reversed(range(first, first + count)):
            folder = self.directory / _station(number)
            folder.mkdir(exist_ok=True)
            line = f"PM2,5\t{number},5\tug/m3\t{_stamp(number)}\t00\r\n"
            self.write(folder / f"{_station(number)}_{_stamp(number)}.txt", line.encode())


class StationSftpWorld(StationWorld, SftpWorld):
    """The same, served by SFTP."""


def _station(number: int) -> str:
    return f"TNI_KK{number % 3:02d}"


def _stamp(number: int) -> str:
    return moment(number * 2)[:19].translate({ord(mark): None for mark in "-T:"})


@contextlib.contextmanager
def folder_world(request: pytest.FixtureRequest, folder: Path) -> Iterator[World]:
    (folder / "share").mkdir()
    yield JsonWorld(folder, folder / "share")


@contextlib.contextmanager
def upload_world(request: pytest.FixtureRequest, folder: Path) -> Iterator[World]:
    (folder / "inbox" / "world-files").mkdir(parents=True)
    yield WorkbookWorld(folder, folder / "inbox" / "world-files")


@contextlib.contextmanager
def sftp_world(request: pytest.FixtureRequest, folder: Path) -> Iterator[World]:
    server: SftpServer = request.getfixturevalue("sftp_server")
    (folder / "home").mkdir()
    with gate(server.port) as opened:
        yield SftpWorld(folder, folder / "home", opened, server)


@contextlib.contextmanager
def station_world(request: pytest.FixtureRequest, folder: Path) -> Iterator[World]:
    (folder / "share").mkdir()
    yield StationWorld(folder, folder / "share")


@contextlib.contextmanager
def station_sftp_world(request: pytest.FixtureRequest, folder: Path) -> Iterator[World]:
    server: SftpServer = request.getfixturevalue("sftp_server")
    (folder / "home").mkdir()
    with gate(server.port) as opened:
        yield StationSftpWorld(folder, folder / "home", opened, server)


@contextlib.contextmanager
def ftp_world(request: pytest.FixtureRequest, folder: Path) -> Iterator[World]:
    server: FtpServer = request.getfixturevalue("ftp_server")
    with gate(server.port) as opened:
        yield FtpWorld(folder, opened, server)
