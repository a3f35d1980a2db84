"""A real SFTP server (asyncssh's) on a port of its own: one user per test, shut into a directory."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import asyncssh

PASSWORD = "sftp-bi-mat-2301"


@dataclass
class SftpServer:
    """`homes`: user → directory. `host_key` as a manifest names it."""

    port: int = 0
    host_key: str = ""
    homes: dict[str, Path] = field(default_factory=dict)
    connections: set[asyncssh.SSHServerConnection] = field(default_factory=set)


class _Users(asyncssh.SSHServer):
    def __init__(self, server: SftpServer) -> None:
        self._server = server

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._server.connections.add(conn)
        self._conn = conn

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.connections.discard(self._conn)

    def begin_auth(self, username: str) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return username in self._server.homes and password == PASSWORD


@contextlib.contextmanager
def sftp_server_thread() -> Iterator[SftpServer]:
    server = SftpServer()
    loop = asyncio.new_event_loop()
    key = asyncssh.generate_private_key("ssh-ed25519")
    server.host_key = key.export_public_key().decode().strip()

    def home(channel: asyncssh.SSHServerChannel[bytes]) -> asyncssh.SFTPServer:
        user = channel.get_connection().get_extra_info("username")
        return asyncssh.SFTPServer(channel, chroot=str(server.homes[user]).encode())

    async def start() -> asyncssh.SSHAcceptor:
        return await asyncssh.listen(
            "127.0.0.1", 0, server_host_keys=[key], server_factory=lambda: _Users(server), sftp_factory=home
        )

    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    acceptor = asyncio.run_coroutine_threadsafe(start(), loop).result(10)
    server.port = acceptor.get_port()
    try:
        yield server
    finally:

        async def stop() -> None:
            acceptor.close()
            for connection in list(server.connections):
                connection.abort()
                await connection.wait_closed()
            await acceptor.wait_closed()

        with contextlib.suppress(TimeoutError):
            asyncio.run_coroutine_threadsafe(asyncio.wait_for(stop(), 3), loop).result(5)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        loop.close()
