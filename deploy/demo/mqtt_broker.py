"""A small MQTT 5 broker for one publisher: the camera centre itself. QoS 1, persistent sessions, nothing else.

What it publishes is a list that only grows; a session is a position in it, told to `keep` when it moves. A session
that was never seen begins at the beginning: the centre keeps everything for the IOC's sessions. Subscriptions of a
connection with a clean start get what is published from then on, at QoS 0, and leave nothing behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK = 1, 2, 3, 4, 8, 9
UNSUBSCRIBE, UNSUBACK, PINGREQ, PINGRESP, DISCONNECT = 10, 11, 12, 13, 14
BAD_LOGIN, BAD_VERSION = 0x86, 0x84
FIXED = {0x01: 1, 0x17: 1, 0x19: 1, 0x21: 2, 0x22: 2, 0x02: 4, 0x11: 4, 0x18: 4, 0x27: 4}
"""Lengths of properties with a number; all others that a client may send are texts of two bytes' length."""
PAIRS = 0x26
RECEIVE_MAXIMUM = 0x21
PACKET_IDS = 65_535

Message = tuple[str, bytes]


class Reader:
    """Reads fields of a packet's body in order."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0

    @property
    def is_left(self) -> bool:
        return self.at < len(self._data)

    def number(self, length: int) -> int:
        self.at += length
        return int.from_bytes(self._data[self.at - length : self.at], "big")

    def text(self) -> bytes:
        length = self.number(2)
        self.at += length
        return self._data[self.at - length : self.at]

    def varint(self) -> int:
        value, shift = 0, 0
        while True:
            byte = self.number(1)
            value |= (byte & 0x7F) << shift
            if not byte & 0x80:
                return value
            shift += 7

    def properties(self) -> dict[int, Any]:
        end = self.varint() + self.at
        found: dict[int, Any] = {}
        while self.at < end:
            name = self.number(1)
            if name in FIXED:
                found[name] = self.number(FIXED[name])
            else:
                found[name] = (self.text(), self.text()) if name == PAIRS else self.text()
        return found


def varint(value: int) -> bytes:
    """A length as MQTT writes it."""
    found = bytearray()
    while True:
        value, low = divmod(value, 128)
        found.append(low | (0x80 if value else 0))
        if not value:
            return bytes(found)


def packet(kind: int, body: bytes, flags: int = 0) -> bytes:
    return bytes([kind << 4 | flags]) + varint(len(body)) + body


def text(value: str) -> bytes:
    data = value.encode()
    return struct.pack(">H", len(data)) + data


def matches(pattern: str, topic: str) -> bool:
    """Whether a topic fits a filter with `+` and `#`."""
    wanted, levels = pattern.split("/"), topic.split("/")
    for number, level in enumerate(wanted):
        if level == "#":
            return True
        if number >= len(levels) or level not in ("+", levels[number]):
            return False
    return len(wanted) == len(levels)


@dataclass(slots=True)
class Session:
    """`upto`: every message before it that fits is acknowledged."""

    upto: int
    filters: list[str] = field(default_factory=list)
    under_way: dict[int, int] = field(default_factory=dict)
    """Packet id → number of the message."""
    acknowledged: set[int] = field(default_factory=set)


@dataclass(slots=True)
class Connection:
    writer: asyncio.StreamWriter
    session: Session
    name: str
    passing: bool
    window: int
    following: int
    """Number of the next message to look at."""
    packet_id: int = 0


class Broker:
    """`keep(session, upto)` is called when a session has moved; `positions` are those kept before."""

    def __init__(
        self, username: str, password: str, positions: dict[str, int], keep: Callable[[str, int], None]
    ) -> None:
        self._login = (username.encode(), password.encode())
        self._keep = keep
        self._messages: list[Message] = []
        self._sessions = {name: Session(upto) for name, upto in positions.items()}
        self._connections: dict[str, Connection] = {}

    def publish(self, messages: Sequence[Message]) -> None:
        """To everybody who listens, now or later."""
        self._messages.extend(messages)
        for connection in list(self._connections.values()):
            self._send(connection)

    async def serve(self, host: str, port: int) -> asyncio.Server:
        return await asyncio.start_server(self._converse, host, port)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection: Connection | None = None
        try:
            while True:
                head = await reader.readexactly(1)
                body = await reader.readexactly(await _length(reader))
                kind, flags = head[0] >> 4, head[0] & 0x0F
                if kind == CONNECT:
                    connection = self._connected(Reader(body), writer)
                    if connection is None:
                        return
                elif connection is None or kind == DISCONNECT:
                    return
                else:
                    self._take(connection, kind, flags, Reader(body))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            return  # the client has gone, or the whole broker ends: nobody waits for this task
        finally:
            if connection is not None and self._connections.get(connection.name) is connection:
                del self._connections[connection.name]
            with contextlib.suppress(ConnectionError):
                writer.close()

    def _connected(self, body: Reader, writer: asyncio.StreamWriter) -> Connection | None:
        body.text()
        version, flags = body.number(1), body.number(1)
        if version != 5:
            writer.write(packet(CONNACK, bytes([0, BAD_VERSION])))
            return None
        body.number(2)
        window = min(int(body.properties().get(RECEIVE_MAXIMUM, PACKET_IDS)), PACKET_IDS)
        name = body.text().decode()
        login = (body.text() if flags & 0x80 else b"", body.text() if flags & 0x40 else b"")
        if login != self._login:
            writer.write(packet(CONNACK, bytes([0, BAD_LOGIN, 0])))
            return None
        passing, known = bool(flags & 0x02), name in self._sessions
        session = Session(len(self._messages)) if passing else self._sessions.setdefault(name, Session(0))
        session.under_way.clear()
        connection = Connection(writer, session, name, passing, window, session.upto)
        if name in self._connections:
            self._connections[name].writer.close()
        self._connections[name] = connection
        writer.write(packet(CONNACK, bytes([int(known and not passing), 0, 0])))
        self._send(connection)
        return connection

    def _take(self, connection: Connection, kind: int, flags: int, body: Reader) -> None:
        if kind == SUBSCRIBE:
            number = body.number(2)
            body.properties()
            granted = bytearray()
            while body.is_left:
                pattern, options = body.text().decode(), body.number(1)
                if pattern not in connection.session.filters:
                    connection.session.filters.append(pattern)
                granted.append(min(options & 3, 1))
            connection.writer.write(packet(SUBACK, struct.pack(">H", number) + b"\0" + bytes(granted)))
            self._send(connection)
        elif kind == UNSUBSCRIBE:
            connection.writer.write(packet(UNSUBACK, struct.pack(">H", body.number(2)) + b"\0\0"))
        elif kind == PINGREQ:
            connection.writer.write(packet(PINGRESP, b""))
        elif kind == PUBACK:
            self._acknowledged(connection, body.number(2))

    def _acknowledged(self, connection: Connection, packet_id: int) -> None:
        session = connection.session
        number = session.under_way.pop(packet_id, None)
        if number is None:
            return
        session.acknowledged.add(number)
        before = session.upto
        while session.upto in session.acknowledged or (
            session.upto < connection.following and not self._fits(session, session.upto)
        ):
            session.acknowledged.discard(session.upto)
            session.upto += 1
        if session.upto != before:
            self._keep(connection.name, session.upto)
        self._send(connection)

    def _fits(self, session: Session, number: int) -> bool:
        topic = self._messages[number][0]
        return any(matches(pattern, topic) for pattern in session.filters)

    def _send(self, connection: Connection) -> None:
        """What fits and the client has room for."""
        session = connection.session
        if not session.filters:
            return
        while connection.following < len(self._messages) and len(session.under_way) < connection.window:
            number, connection.following = connection.following, connection.following + 1
            if not self._fits(session, number) or number in session.acknowledged:
                continue
            topic, payload = self._messages[number]
            if connection.passing:
                connection.writer.write(packet(PUBLISH, text(topic) + b"\0" + payload))
                continue
            connection.packet_id = connection.packet_id % PACKET_IDS + 1
            session.under_way[connection.packet_id] = number
            body = text(topic) + struct.pack(">H", connection.packet_id) + b"\0" + payload
            connection.writer.write(packet(PUBLISH, body, flags=0x02))


async def _length(reader: asyncio.StreamReader) -> int:
    value, shift = 0, 0
    while True:
        byte = (await reader.readexactly(1))[0]
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return value
        shift += 7
