"""A TCP gate in front of a real server: shut, it drops what is open and refuses what comes."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

CHUNK = 65_536


class Gate:
    """Passes bytes both ways between `port` of the loopback and a server. Open at first."""

    def __init__(self, upstream: int) -> None:
        self._upstream = upstream
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._open: set[socket.socket] = set()
        self._shut = self._hung = False
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._shut = True
        self._listener.close()
        self._drop()

    @contextlib.contextmanager
    def shut(self) -> Iterator[None]:
        """The server is away within the block."""
        self._shut = True
        self._drop()
        try:
            yield
        finally:
            self._shut = False

    @contextlib.contextmanager
    def hung(self) -> Iterator[None]:
        """The server takes connections and requests within the block, and never answers."""
        self._hung = True
        try:
            yield
        finally:
            self._hung = False
            self._drop()

    def _drop(self) -> None:
        for opened in list(self._open):
            with contextlib.suppress(OSError):
                opened.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if self._shut:
                    client.close()
                    continue
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), client, socket.create_connection(("127.0.0.1", self._upstream)) as server:
            self._open |= {client, server}
            back = threading.Thread(target=self._pass, args=(server, client), daemon=True)
            back.start()
            self._pass(client, server)
            back.join()
            self._open -= {client, server}

    def _pass(self, giver: socket.socket, taker: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := giver.recv(CHUNK):
                if not self._hung:
                    taker.sendall(piece)
        for end in (giver, taker):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def gate(upstream: int) -> Iterator[Gate]:
    opened = Gate(upstream)
    try:
        yield opened
    finally:
        opened.close()
