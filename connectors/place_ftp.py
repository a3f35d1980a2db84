"""Files on an FTP server, with explicit TLS unless declared otherwise. aioftp's home: its errors are mapped here."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any

import aioftp

from connectors.errors import CredentialsError, SourceError, SourceRefusedError, SourceUnavailableError, Text
from connectors.file_config import Ftp
from connectors.file_places import FileGoneError, Found, Selection, Server
from connectors.source import Surroundings

CONNECT_TIMEOUT_S = 15.0
REQUEST_TIMEOUT_S = 60.0
CLOSE_S = 1.0
CONNECTIONS = 4
"""Control connections at most: FTP transfers one file per connection at a time."""


class FtpPlace:
    """See `Place`. A few connections, kept between reads and made anew after a fault."""

    def __init__(self, config: Ftp, selection: Selection, around: Surroundings) -> None:
        secrets = around.secrets
        self._hosts = around.hosts
        self._server = Server.of(config, secrets)
        self._tls = config.tls
        self._ca = None if config.ca is None else secrets.resolve(config.ca)
        self._root = PurePosixPath(config.path)
        self._selection = selection
        self._idle: list[aioftp.Client] = []
        self._has_mlsd = False
        self._slots = asyncio.Semaphore(CONNECTIONS)

    async def reach(self) -> Text:
        async with self._client():
            return self._server.signed_in

    async def files(self) -> list[Found]:
        found: list[Found] = []
        async with self._client() as client, asyncio.timeout(REQUEST_TIMEOUT_S):
            await self._walk(client, self._root, "", found)
        return found

    async def fetch(self, found: Found) -> bytes:
        async with (
            self._client(found.path) as client,
            asyncio.timeout(REQUEST_TIMEOUT_S),
            client.download_stream(self._root / found.path) as stream,
        ):
            data: bytes = await stream.read()
            return data

    async def delete(self, found: Found) -> None:
        with contextlib.suppress(FileGoneError):
            async with self._client(found.path) as client, asyncio.timeout(REQUEST_TIMEOUT_S):
                await client.command(f"DELE {self._root / found.path}", "250")

    async def move(self, found: Found, folder: str) -> None:
        path = self._root / found.path
        with contextlib.suppress(FileGoneError):
            async with self._client(found.path) as client, asyncio.timeout(REQUEST_TIMEOUT_S):
                await client.command(f"MKD {path.parent / folder}", ("257", "550", "521"))
                await client.command(f"RNFR {path}", "350")
                await client.command(f"RNTO {path.parent / folder / path.name}", "2xx")

    async def close(self) -> None:
        idle, self._idle = self._idle, []
        for client in idle:
            client.close()

    async def _walk(self, client: aioftp.Client, directory: PurePosixPath, prefix: str, found: list[Found]) -> None:
        # Trying MLSD at a server that lacks it would leave a data connection open each time.
        listing = client.list(directory, raw_command="MLSD" if self._has_mlsd else "LIST")
        entries = [entry async for entry in listing]
        for path, info in entries:
            name = PurePosixPath(path).name
            if info["type"] == "dir":
                if self._selection.enters(name):
                    await self._walk(client, directory / name, f"{prefix}{name}/", found)
            elif info["type"] == "file" and self._selection.takes(prefix + name):
                found.append(Found(_modified(info), prefix + name, int(info.get("size", 0))))

    @contextlib.asynccontextmanager
    async def _client(self, path: str = "") -> AsyncIterator[aioftp.Client]:
        """A signed-in connection; given back if all went well, dropped otherwise."""
        async with self._slots:
            client: aioftp.Client | None = None
            try:
                client = self._idle.pop() if self._idle else await self._connect()
                yield client
            except BaseException as error:
                if client is not None:
                    client.close()
                if isinstance(error, aioftp.AIOFTPException | OSError | TimeoutError | ValueError):
                    raise fault_of(error, path) from error
                raise
            self._idle.append(client)

    async def _connect(self) -> aioftp.Client:
        address = await self._hosts.address(self._server.host, self._server.port)
        client = aioftp.Client(socket_timeout=REQUEST_TIMEOUT_S, connection_timeout=CONNECT_TIMEOUT_S)
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await client.connect(address, self._server.port)
                if self._tls:
                    # The certificate is checked against the declared name, of the data connections too.
                    client.server_host = self._server.host
                    await client.upgrade_to_tls(ssl.create_default_context(cadata=self._ca))
                await client.login(self._server.username, self._server.password or "")
                _, features = await client.command("FEAT", ("2xx", "5xx"))
                self._has_mlsd = any("MLST" in line or "MLSD" in line for line in features)
        except BaseException:
            client.close()
            raise
        return client


def _modified(info: Any) -> float:
    text = str(info.get("modify", ""))
    try:
        return datetime.strptime(text[:14], "%Y%m%d%H%M%S").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return 0.0


def fault_of(error: BaseException, path: str = "") -> SourceError | FileGoneError:
    """What the caller must do about it; the server's own words are left out."""
    codes = [str(code) for code in getattr(error, "received_codes", ())]
    name = " ".join((type(error).__name__, *codes))
    if codes[:1] == ["530"]:
        return CredentialsError(
            Text(
                f"Máy chủ FTP từ chối đăng nhập ({name}); kiểm tra username và password",
                f"The FTP server refuses the login ({name}); check username and password",
            )
        )
    if codes[:1] == ["550"] and path:
        return FileGoneError(path)
    if codes and codes[0].startswith("5"):
        return SourceRefusedError(
            Text(
                f"Máy chủ FTP không làm được việc này ({name}); kiểm tra thư mục, quyền và khóa tls",
                f"The FTP server refuses ({name}); check the directory, the rights and the key tls",
            )
        )
    return SourceUnavailableError(
        Text(f"Không kết nối được tới máy chủ FTP ({name})", f"The FTP server cannot be reached ({name})")
    )
