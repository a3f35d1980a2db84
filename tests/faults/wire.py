"""A TCP relay between a worker and the warehouse that can lose what comes back: the write took place, nobody heard."""

from __future__ import annotations

import contextlib
import hashlib
import re
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from urllib.parse import parse_qs, urlsplit, urlunsplit

CHUNK = 65_536

MOST_STATEMENT = 10_000
"""Bytes of a body that are looked at for its statement."""

_TOKEN = re.compile(r"insert_deduplication_token=([^& ]+)")
_QUERY_ID = re.compile(r"&?query_id=[^& ]+")
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked\r\n", re.IGNORECASE)
_END_OF_HEAD = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Insert:
    """A block that went over the wire: its request's line – token and settings – its statement, and its body as a
    digest."""

    token: str
    line: str
    statement: str
    digest: str
    answered: bool


@dataclass(slots=True)
class _Request:
    head: bytes
    body: bytes

    @property
    def line(self) -> str:
        """With the token and all settings; without the number that the client gives each attempt."""
        return _QUERY_ID.sub("", self.head.split(b"\r\n", 1)[0].decode())

    @property
    def statement(self) -> str:
        """The client sends it in the address where the body is a block of memory, else as the body's first line."""
        asked = parse_qs(urlsplit(self.head.split(b" ", 2)[1].decode()).query).get("query")
        if asked:
            return asked[0]
        return self.body.split(b"\n", 1)[0][:MOST_STATEMENT].decode("utf-8", "replace")

    @property
    def token(self) -> str:
        found = _TOKEN.search(self.line)
        return found.group(1) if found else ""


class Relay:
    """Passes requests on one by one. `lose(insert)` decides, before the answer is passed back, to cut instead."""

    def __init__(self, upstream: str) -> None:
        parts = urlsplit(upstream)
        self._upstream = (parts.hostname or "", parts.port or 0)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: set[socket.socket] = {self._listener}
        self._lock = threading.Lock()
        self.inserts: list[Insert] = []
        self._away = False
        self.lose: Callable[[Insert], bool] = lambda insert: False
        address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        credentials = parts.netloc.rpartition("@")[0]
        self.url = urlunsplit(parts._replace(netloc=f"{credentials}@{address}" if credentials else address))
        threading.Thread(target=self._accept, name="relay", daemon=True).start()

    def close(self) -> None:
        with self._lock:
            self._away = True
            self._hang_up()
            self._listener.close()

    def cut(self) -> None:
        """From now on nothing goes through, and what was open is closed."""
        with self._lock:
            self._away = True
            self._hang_up()

    def mend(self) -> None:
        with self._lock:
            self._away = False

    def _hang_up(self) -> None:
        for opened in self._sockets - {self._listener}:
            with contextlib.suppress(OSError):
                opened.shutdown(socket.SHUT_RDWR)
            self._sockets.discard(opened)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), name="relayed", daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with self._lock:
            if self._away:
                client.close()
                return
            self._sockets.add(client)
        with contextlib.suppress(OSError), client, socket.create_connection(self._upstream) as server:
            while (request := _read_request(client)) is not None:
                server.sendall(request.head + request.body)
                # The answer is there in full before it is lost: the write has taken place.
                answer = _read_answer(server)
                lost = answer is None
                if request.token:
                    digest = hashlib.sha256(request.body).hexdigest()
                    insert = Insert(request.token, request.line, request.statement, digest, answered=True)
                    lost = lost or self.lose(insert)
                    self.inserts.append(replace(insert, answered=not lost))
                if lost or answer is None:
                    return
                client.sendall(answer)


def _read_head(source: socket.socket) -> tuple[bytes, bytes] | None:
    """A message's head, and what of the body came with it."""
    got = b""
    while _END_OF_HEAD not in got:
        piece = source.recv(CHUNK)
        if not piece:
            return None
        got += piece
    end = got.index(_END_OF_HEAD) + len(_END_OF_HEAD)
    return got[:end], got[end:]


def _read_body(source: socket.socket, head: bytes, body: bytes) -> bytes | None:
    length = _LENGTH.search(head)
    pieces, size = [body], len(body)
    while (size < int(length.group(1))) if length else _CHUNKED.search(head) and not pieces[-1].endswith(b"0\r\n\r\n"):
        piece = source.recv(CHUNK)
        if not piece:
            return None
        pieces.append(piece)
        size += len(piece)
    return b"".join(pieces)


def _read_request(source: socket.socket) -> _Request | None:
    head = _read_head(source)
    body = _read_body(source, *head) if head else None
    return _Request(head[0], body) if head and body is not None else None


def _read_answer(source: socket.socket) -> bytes | None:
    head = _read_head(source)
    body = _read_body(source, *head) if head else None
    return head[0] + body if head and body is not None else None


@contextlib.contextmanager
def relay(upstream: str) -> Iterator[Relay]:
    """A relay in front of the warehouse at this URL."""
    running = Relay(upstream)
    try:
        yield running
    finally:
        running.close()
