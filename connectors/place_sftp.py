"""Files on an SFTP server. asyncssh's home: its errors are mapped here."""

from __future__ import annotations

import asyncio
import contextlib
import stat
from collections.abc import AsyncIterator
from typing import Any

import asyncssh

from connectors.errors import CredentialsError, SourceError, SourceRefusedError, SourceUnavailableError, Text
from connectors.file_config import Sftp
from connectors.file_places import FileGoneError, Found, Selection, Server
from connectors.source import Surroundings

CONNECT_TIMEOUT_S = 15.0
REQUEST_TIMEOUT_S = 60.0
"""Longest wait for one answer of the server."""
KEEPALIVE_S = 15.0
CLOSE_S = 1.0
CIPHERS = "^aes256-gcm@openssh.com,aes128-gcm@openssh.com"
"""Put before the others, which older servers have: the usual first choice, ChaCha20, took 5% of the worker's time while
station files were read beside a load of the portal."""


class SftpPlace:
    """See `Place`. One connection, kept between reads and made anew after a fault."""

    def __init__(self, config: Sftp, selection: Selection, around: Surroundings) -> None:
        secrets = around.secrets
        self._hosts = around.hosts
        self._server = Server.of(config, secrets)
        self._private_key = None if config.private_key is None else secrets.resolve(config.private_key)
        self._host_key = None if config.host_key is None else secrets.resolve(config.host_key)
        self._root = config.path.rstrip("/") or "/"
        self._selection = selection
        self._connection: asyncssh.SSHClientConnection | None = None
        self._client: asyncssh.SFTPClient | None = None
        self._lock = asyncio.Lock()

    async def reach(self) -> Text:
        await self._opened()
        return self._server.signed_in

    async def files(self) -> list[Found]:
        found: list[Found] = []
        async with self._faults(), asyncio.timeout(REQUEST_TIMEOUT_S):
            await self._walk(await self._opened(), self._root, "", found)
        return found

    async def fetch(self, found: Found) -> bytes:
        try:
            async with self._faults(), asyncio.timeout(REQUEST_TIMEOUT_S):
                client = await self._opened()
                async with client.open(self._path(found), "rb", encoding=None) as file:
                    data: bytes = await file.read(found.size or -1)
                    # What came after the listing belongs to another version, which the next listing shows.
                    return data
        except asyncssh.SFTPNoSuchFile:
            raise FileGoneError(found.path) from None

    async def delete(self, found: Found) -> None:
        with contextlib.suppress(asyncssh.SFTPNoSuchFile):
            async with self._faults(), asyncio.timeout(REQUEST_TIMEOUT_S):
                await (await self._opened()).remove(self._path(found))

    async def move(self, found: Found, folder: str) -> None:
        parent, _, name = self._path(found).rpartition("/")
        with contextlib.suppress(asyncssh.SFTPNoSuchFile):
            async with self._faults(), asyncio.timeout(REQUEST_TIMEOUT_S):
                client = await self._opened()
                await client.makedirs(f"{parent}/{folder}", exist_ok=True)
                await client.posix_rename(self._path(found), f"{parent}/{folder}/{name}")

    async def close(self) -> None:
        connection, self._connection, self._client = self._connection, None, None
        if connection is not None:
            connection.abort()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_S):
                    await connection.wait_closed()

    def _path(self, found: Found) -> str:
        return f"{self._root}/{found.path}"

    async def _walk(self, client: asyncssh.SFTPClient, directory: str, prefix: str, found: list[Found]) -> None:
        try:
            entries = [entry async for entry in client.scandir(directory)]
        except asyncssh.SFTPNoSuchFile:
            if prefix:
                return
            raise SourceRefusedError(
                Text(f"Máy chủ không có thư mục {directory}", f"The server has no directory {directory}")
            ) from None
        for entry in entries:
            name = str(entry.filename)
            mode = entry.attrs.permissions or 0
            if stat.S_ISDIR(mode):
                if name not in {".", ".."} and self._selection.enters(name):
                    await self._walk(client, f"{directory}/{name}", f"{prefix}{name}/", found)
            elif self._selection.takes(prefix + name):
                found.append(Found(float(entry.attrs.mtime or 0), prefix + name, int(entry.attrs.size or 0)))

    async def _opened(self) -> asyncssh.SFTPClient:
        """The session; connects and signs in if there is none."""
        async with self._lock:
            if self._client is None or self._connection is None or self._connection.is_closed():
                async with self._faults():
                    await self._connect()
            assert self._client is not None
            return self._client

    async def _connect(self) -> None:
        address = await self._hosts.address(self._server.host, self._server.port)
        if self._host_key is None:
            await self._show_host_key(address)
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            self._connection = await asyncssh.connect(
                address,
                self._server.port,
                username=self._server.username,
                known_hosts=([asyncssh.import_public_key(self._host_key or "")], [], []),
                config=None,
                keepalive_interval=KEEPALIVE_S,
                encryption_algs=CIPHERS,
                **self._credentials(),
            )
            self._client = await self._connection.start_sftp_client()

    def _credentials(self) -> dict[str, Any]:
        """Only what the manifest names: no keys or agents of the user that runs the hub."""
        keys = None if self._private_key is None else [asyncssh.import_private_key(self._private_key)]
        return {
            "password": self._server.password,
            "client_keys": keys,
            "agent_path": None,
            "preferred_auth": "publickey" if keys else "password,keyboard-interactive",
        }

    async def _show_host_key(self, address: str) -> None:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            key = await asyncssh.get_server_host_key(address, self._server.port, config=None)
        shown = key.export_public_key().decode().strip() if key is not None else "?"
        raise SourceRefusedError(
            Text(
                f"Chưa khai host_key. Máy chủ đưa ra: {shown}. Hỏi đơn vị quản lý, nếu đúng thì ghi vào khai báo",
                f"host_key is not declared. The server shows: {shown}. "
                "Ask the server's owner; if it is theirs, write it into the manifest",
            )
        )

    @contextlib.asynccontextmanager
    async def _faults(self) -> AsyncIterator[None]:
        """Maps asyncssh's errors; SFTPNoSuchFile passes."""
        try:
            yield
        except (SourceError, asyncssh.SFTPNoSuchFile):
            raise
        except (OSError, TimeoutError, asyncssh.Error, ValueError) as error:
            mapped = fault_of(error)
            if isinstance(mapped, SourceUnavailableError):
                await self.close()
            raise mapped from error


def fault_of(error: BaseException) -> SourceError:
    """What the caller must do about it; the server's own words are left out."""
    name = type(error).__name__
    if isinstance(error, asyncssh.PermissionDenied):
        return CredentialsError(
            Text(
                f"Máy chủ SFTP từ chối đăng nhập ({name}); kiểm tra username, password hoặc private_key",
                f"The SFTP server refuses the login ({name}); check username, password or private_key",
            )
        )
    if isinstance(error, asyncssh.HostKeyNotVerifiable):
        return SourceRefusedError(
            Text(
                "Khóa của máy chủ SFTP khác host_key đã khai; hỏi đơn vị quản lý trước khi sửa khai báo",
                "The SFTP server's key is not the declared host_key; ask its owner before changing the manifest",
            )
        )
    if isinstance(error, asyncssh.KeyImportError | asyncssh.KeyEncryptionError):
        return SourceRefusedError(
            Text(
                f"Không đọc được host_key hoặc private_key ({name})", f"host_key or private_key is unreadable ({name})"
            )
        )
    if isinstance(error, asyncssh.SFTPPermissionDenied):
        return SourceRefusedError(
            Text(
                "Máy chủ SFTP không cho đọc (hoặc xóa, chuyển) tệp; xin cấp quyền",
                "The SFTP server does not let us read (or delete, move) a file; ask for the right",
            )
        )
    return SourceUnavailableError(
        Text(f"Không kết nối được tới máy chủ SFTP ({name})", f"The SFTP server cannot be reached ({name})")
    )
