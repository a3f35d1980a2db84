"""Answers at once keep their place among the others of a connection, and only what asks for nothing else gets them."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
import pytest

from tests.registry_instance import record


@contextmanager
def connection(url: str) -> Iterator[socket.socket]:
    host, _, port = url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=20) as made:
        yield made


def replies(made: socket.socket, count: int) -> list[tuple[int, bytes]]:
    """Status and body of so many replies, in the order of arrival."""
    read = made.makefile("rb")
    found = []
    for _ in range(count):
        status, length = int(read.readline().split()[1]), 0
        while (line := read.readline().strip()) != b"":
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        found.append((status, read.read(length)))
    return found


def get(path: str, headers: str = "", version: str = "1.1") -> bytes:
    return f"GET {path} HTTP/{version}\r\nHost: x\r\n{headers}\r\n".encode()


@pytest.fixture
def path(http: httpx2.Client, subject: str) -> str:
    schema_id = http.post(f"/subjects/{subject}/versions", json={"schema": record("a")}).json()["id"]
    return f"/schemas/ids/{schema_id}"


def test_requests_sent_without_waiting_are_answered_in_their_order(
    registry_url: str, http: httpx2.Client, path: str, subject: str
) -> None:
    schema, versions = http.get(path).content, http.get(f"/subjects/{subject}/versions").content
    asked = [path, f"/subjects/{subject}/versions", path, path, f"{path}?x=1", path, "/subjects/none/versions", path]
    with connection(registry_url) as made:
        made.sendall(b"".join(get(each) for each in asked))
        found = replies(made, len(asked))
    assert [status for status, _ in found] == [200] * 6 + [404, 200]
    assert [found[place][1] for place in (0, 2, 3, 4, 5, 7)] == [schema] * 6
    assert found[1][1] == versions


def test_a_request_in_pieces_and_one_with_a_body_are_answered(
    registry_url: str, http: httpx2.Client, path: str
) -> None:
    wanted = [(200, http.get(path).content)] * 3
    with connection(registry_url) as made:
        for octet in get(path):
            made.sendall(bytes([octet]))
        made.sendall(get(path, "Content-Length: 2\r\n") + b"{}" + get(path))
        assert replies(made, 3) == wanted


@pytest.mark.parametrize("asked", [get("{}", "Connection: close\r\n"), get("{}", version="1.0")])
def test_a_connection_ends_where_the_client_wants_it(registry_url: str, path: str, asked: bytes) -> None:
    with connection(registry_url) as made:
        made.sendall(asked.replace(b"{}", path.encode()))
        assert replies(made, 1)[0][0] == 200
        assert made.recv(1) == b""


def test_what_is_answered_at_once_is_counted(registry_url: str, http: httpx2.Client, path: str) -> None:
    def counted(status: int) -> float:
        wanted = f'ioc_registry_requests_total{{operation="schema",status="{status}"}} '
        lines = http.get("/metrics").text.splitlines()
        return sum(float(line.removeprefix(wanted)) for line in lines if line.startswith(wanted))

    before = counted(200), counted(304)
    tag = http.get(path).headers["etag"]
    http.get(path, headers={"If-None-Match": tag})
    assert (counted(200) - before[0], counted(304) - before[1]) == (1, 1)
