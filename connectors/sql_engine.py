"""Connections to departments' databases: read-only sessions, time-outs, and what their errors mean.

SQLAlchemy's home, with `connectors/sql_select.py`. Everything here blocks; a source calls it from its own thread.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from connectors.errors import CredentialsError, SourceError, SourceRefusedError, SourceUnavailableError, Text

CONNECT_TIMEOUT_S = 5
"""A process that ends waits for a connection under way."""
DRIVERS = {
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
    "mssql": "mssql+pymssql",
    "mssql+pymssql": "mssql+pymssql",
    "oracle": "oracle+oracledb",
    "oracle+oracledb": "oracle+oracledb",
    "sqlite": "sqlite",
}
PORTS = {"postgresql+psycopg": 5432, "mssql+pymssql": 1433, "oracle+oracledb": 1521}
OPTIONS = frozenset(("sslmode", "sslrootcert", "service_name", "charset"))
"""Parameters an address may have; others could load code or files."""
SLOW_RETRY_S = 60.0
"""Rest after a statement that ran out of time: asking again at once would only load the database more."""
REFUSED_LOGINS = ("authentication failed", "no password supplied", "ora-01017", "18456", "login failed")
SQLITE_STEPS = 10_000
"""Virtual machine steps between two looks at the clock."""


class Database:
    """One database. Its connection is opened when needed and kept; `cancel` may be called from another thread."""

    def __init__(
        self, url: str, username: str | None, password: str | None, timeout_s: float, folders: tuple[Path, ...]
    ) -> None:
        """Raises SourceRefusedError if the address cannot be used. Connects to nothing."""
        try:
            parsed = sa.make_url(url)
        except ArgumentError as error:
            raise _bad_url() from error
        driver = DRIVERS.get(parsed.drivername)
        if driver is None or not set(parsed.query) <= OPTIONS:
            raise _bad_url()
        self._url = parsed.set(drivername=driver)
        if username is not None:
            self._url = self._url.set(username=username, password=password)
        self._timeout_s = timeout_s
        self._connection: sa.Connection | None = None
        self._raw: Any = None
        self._deadline = 0.0
        self._file = _sqlite_file(parsed, folders) if driver == "sqlite" else None

    @property
    def place(self) -> tuple[str, int] | None:
        """Host and port; None for a file."""
        if self._file is not None:
            return None
        return self._url.host or "", self._url.port or PORTS[self._url.drivername]

    @property
    def dialect(self) -> str:
        return self._url.get_backend_name()

    def rows(self, statement: sa.Select[Any], address: str | None) -> list[dict[str, Any]]:
        """All rows of a statement, in a read-only transaction of its own. `address`: the host's checked address.

        Raises SourceUnavailableError, SourceRefusedError, CredentialsError.
        """
        try:
            connection = self._connection = self._connection or self._open(address).connect()
            self._raw = connection.connection.dbapi_connection
            self._deadline = time.monotonic() + self._timeout_s
            try:
                return [dict(row) for row in connection.execute(statement).mappings()]
            finally:
                self._raw = None
                connection.rollback()
        except SQLAlchemyError as error:
            self.close()
            raise fault_of(error) from error

    def cancel(self) -> None:
        """Break off the statement that runs, if any, whether the server answers or not."""
        raw, self._deadline = self._raw, 0.0
        if raw is None:
            return
        if hasattr(raw, "pgconn"):
            # Asking the server to cancel takes a connection more, which may hang as well. It ends by its time-out.
            with contextlib.suppress(OSError), socket.socket(fileno=os.dup(raw.fileno())) as wire:
                wire.shutdown(socket.SHUT_RDWR)
        elif hasattr(raw, "interrupt"):
            raw.interrupt()
        elif hasattr(raw, "cancel"):
            raw.cancel()

    def close(self) -> None:
        """Let go of the connection. Idempotent; of the thread that runs the statements."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(SQLAlchemyError):
                connection.invalidate()
            with contextlib.suppress(SQLAlchemyError):
                connection.close()

    def _open(self, address: str | None) -> sa.Engine:
        if self._file is not None:
            return sa.create_engine("sqlite://", creator=self._sqlite(self._file), poolclass=NullPool)
        arguments = _arguments(self._url.drivername, self._timeout_s, address)
        try:
            engine = sa.create_engine(self._url, connect_args=arguments, poolclass=NullPool, hide_parameters=True)
        except (ImportError, NoSuchModuleError) as error:
            extra = {"mssql+pymssql": "sqlserver", "oracle+oracledb": "oracle"}.get(self._url.drivername, "")
            raise SourceRefusedError(
                Text(
                    f"Chưa cài trình điều khiển của cơ sở dữ liệu; cài gói mở rộng [{extra}]",
                    f"The database's driver is not installed; install the extra [{extra}]",
                )
            ) from error
        if self._url.drivername.startswith("oracle"):
            sa.event.listen(engine, "connect", _oracle_session(self._timeout_s))
            sa.event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("SET TRANSACTION READ ONLY"))
        return engine

    def _sqlite(self, path: Path) -> Callable[[], sqlite3.Connection]:
        def connect() -> sqlite3.Connection:
            opened = sqlite3.connect(f"file:{path}?mode=ro", uri=True, check_same_thread=False, timeout=5)
            opened.execute("PRAGMA query_only = ON")
            opened.set_progress_handler(lambda: time.monotonic() > self._deadline, SQLITE_STEPS)
            return opened

        return connect


def _arguments(driver: str, timeout_s: float, address: str | None) -> dict[str, Any]:
    """What makes a session read-only and impatient, for a driver."""
    if driver.startswith("postgresql"):
        session = f"-c default_transaction_read_only=on -c statement_timeout={round(timeout_s * 1000)}"
        own = {"connect_timeout": CONNECT_TIMEOUT_S, "options": session, "application_name": "ioc-hub"}
        return own | ({"hostaddr": address} if address else {})
    if driver.startswith("mssql"):
        return {"login_timeout": CONNECT_TIMEOUT_S, "timeout": max(1, round(timeout_s)), "read_only": True}
    return {"tcp_connect_timeout": CONNECT_TIMEOUT_S}


def _oracle_session(timeout_s: float) -> Callable[[Any, Any], None]:
    def connect(connection: Any, _: Any) -> None:
        connection.call_timeout = round(timeout_s * 1000)

    return connect


def _sqlite_file(url: sa.URL, folders: tuple[Path, ...]) -> Path:
    path = Path(url.database or "").resolve()
    if not any(path.is_relative_to(folder.resolve()) for folder in folders):
        raise SourceRefusedError(
            Text(
                "Tệp SQLite nằm ngoài các thư mục được phép đọc (IOC_CONNECT__FOLDERS)",
                "The SQLite file is outside the directories that may be read (IOC_CONNECT__FOLDERS)",
            )
        )
    return path


def _bad_url() -> SourceRefusedError:
    known = ", ".join(sorted({name.partition("+")[0] for name in DRIVERS}))
    return SourceRefusedError(
        Text(
            f"Địa chỉ cơ sở dữ liệu sai; cần dạng loại://máy-chủ/tên, với loại: {known}",
            f"The database's address is wrong; the form is kind://host/name, with a kind of: {known}",
        )
    )


def fault_of(error: SQLAlchemyError) -> SourceError:
    """What the caller must do about it. The words of the driver are left out: they may hold values."""
    origin = error.orig if isinstance(error, DBAPIError) else None
    words = str(origin or error).lower()
    state = getattr(origin, "sqlstate", None) or ""
    name = " ".join(filter(None, (type(origin or error).__name__, state)))
    if state.startswith("28") or any(word in words for word in REFUSED_LOGINS):
        return CredentialsError(
            Text(
                f"Cơ sở dữ liệu từ chối đăng nhập ({name}); kiểm tra username và password với đơn vị quản lý",
                f"The database refuses the login ({name}); check username and password with its owner",
            )
        )
    if state == "57014" or "interrupted" in words:
        return SourceUnavailableError(
            Text(
                "Câu truy vấn quá thời hạn; thêm chỉ mục hoặc tăng statement_timeout_s",
                "The query ran out of time; add an index or raise statement_timeout_s",
            ),
            SLOW_RETRY_S,
        )
    if _is_away(error, state, words):
        return SourceUnavailableError(
            Text(f"Không kết nối được tới cơ sở dữ liệu ({name})", f"The database cannot be reached ({name})")
        )
    return SourceRefusedError(
        Text(
            f"Cơ sở dữ liệu không nhận câu truy vấn ({name}); kiểm tra bảng, cột và quyền SELECT",
            f"The database refuses the query ({name}); check table, columns and the right to SELECT",
        )
    )


def _is_away(error: SQLAlchemyError, state: str, words: str) -> bool:
    """Whether time alone may mend it: no connection, shutting down, locked, out of resources."""
    if state:
        return state[:2] in {"08", "53", "57", "40", "55"}
    if "no such" in words or "not a database" in words or "does not exist" in words or "readonly" in words:
        return False
    invalidated = isinstance(error, DBAPIError) and error.connection_invalidated
    return invalidated or type(error).__name__ in {"OperationalError", "InterfaceError", "TimeoutError"}
