"""A real PostgreSQL from Debian's package, in a temporary directory, on a port of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from hub.broker import wait_for_port
from tests.stack import free_port

READER, READER_PASSWORD = "ioc_reader", "mật-khẩu-của-máy-chủ".encode("ascii", "ignore").decode() + "-pg-0042"
BIN = sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1:] or [Path("/usr/bin")]


@dataclass(frozen=True, slots=True)
class Postgres:
    """`admin`: connection string of the owner; the reader has to sign in with a password."""

    port: int
    admin: str


@contextlib.contextmanager
def postgres_process() -> Iterator[Postgres]:
    """Refuses to run as root, so root starts it as the package's user."""
    port, data = free_port(), Path(tempfile.mkdtemp(prefix="ioc-postgres-", dir="/tmp"))
    as_user: dict[str, Any] = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
    if as_user:
        shutil.chown(data, "postgres", "postgres")
    try:
        subprocess.run(
            [BIN[0] / "initdb", "-D", data / "db", "-U", "owner", "-A", "trust", "-E", "UTF8", "--no-sync",
             "--locale=C.UTF-8"],
            check=True, capture_output=True, cwd="/", **as_user,
        )  # fmt: skip
        (data / "db" / "pg_hba.conf").write_text(
            f"host all {READER} 127.0.0.1/32 scram-sha-256\nhost all owner 127.0.0.1/32 trust\n"
        )
        options = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={data} -c fsync=off"
        server = subprocess.Popen(
            [BIN[0] / "postgres", "-D", data / "db", *options.split()],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/", **as_user,
        )  # fmt: skip
        try:
            assert wait_for_port(port, 30, server)
            admin = f"host=127.0.0.1 port={port} user=owner dbname=postgres"
            _make_reader(admin)
            yield Postgres(port, admin)
        finally:
            server.send_signal(signal.SIGINT)  # a fast shutdown: waits for no client
            server.wait(20)
    finally:
        shutil.rmtree(data, ignore_errors=True)


def _make_reader(admin: str) -> None:
    deadline = time.monotonic() + 30
    while True:  # its port is open before it takes anyone in
        try:
            connection = psycopg.connect(admin)
            break
        except psycopg.OperationalError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    with connection:
        connection.execute(f"CREATE USER {READER} PASSWORD '{READER_PASSWORD}'")


def make_questions_view(connection: psycopg.Connection[Any]) -> None:
    """The table and view of a department's questions and answers, anew and empty, readable by `READER`."""
    connection.execute("DROP SCHEMA IF EXISTS ioc CASCADE")
    connection.execute("CREATE SCHEMA ioc")
    connection.execute(
        "CREATE TABLE ioc.cau_hoi (ma_su_kien text PRIMARY KEY, ma text, phien_ban int, hanh_dong text, "
        "cap_nhat_luc timestamptz, don_vi text, ma_xa text, linh_vuc text, kenh text, trang_thai text, "
        "hoi_luc timestamp, han_tra_loi timestamp, tra_loi_luc timestamp, danh_gia int, dien_thoai text)"
    )
    connection.execute("CREATE VIEW ioc.hoi_dap AS SELECT * FROM ioc.cau_hoi")
    connection.execute(f"GRANT USAGE ON SCHEMA ioc TO {READER}")
    connection.execute(f"GRANT SELECT ON ioc.hoi_dap TO {READER}")
    connection.execute(f"ALTER ROLE {READER} SET search_path TO ioc, public")
