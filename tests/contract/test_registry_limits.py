"""What is too large or too deep is refused at once, also while others work, and disturbs nobody."""

from __future__ import annotations

import http.client
import json
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
import pytest

from tests.contract.conftest import make_topic
from tests.registry_instance import Instance, record

WITHIN_S = 0.05
ATTEMPTS = 30
"""The quickest of so many counts: a machine that is busy with other things is not the registry."""
LARGE = b'{"schema": "' + b"x" * 10_000_000 + b'"}'
DEEP = json.dumps({"schema": '{"type":"array","items":' * 10_000 + '"int"' + "}" * 10_000}).encode()
DEEP_JSON = json.dumps({"schema": '{"type":"int","more":' + "[" * 10_000 + "]" * 10_000 + "}"}).encode()
DEEP_BODY = b'{"schema": ' + b"[" * 10_000 + b"]" * 10_000 + b"}"
DEEP_RECORDS = json.dumps(
    {
        "schema": "".join(f'{{"type":"record","name":"R{n}","fields":[{{"name":"a","type":' for n in range(10_000))
        + '"int"'
        + "}]}" * 10_000
    }
).encode()


@pytest.fixture(scope="module")
def registry_url(kafka: str) -> Iterator[str]:
    """A process of its own, which does not share Python's lock with the clients."""
    instance = Instance(kafka, make_topic(kafka, f"_schemas-{uuid.uuid4().hex}"), session_s=3)
    instance.start()
    try:
        instance.wait_ready()
        yield instance.url
    finally:
        instance.kill()


@contextmanager
def readers(url: str, path: str) -> Iterator[None]:
    """Two clients that read as fast as they can."""
    ended = threading.Event()

    def read() -> None:
        with httpx2.Client(base_url=url, timeout=20) as client:
            while not ended.is_set():
                assert client.get(path).status_code == 200

    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join(30)


def refused(url: str, body: bytes) -> tuple[int, float]:
    """Status, and seconds from the last header to the answer's first line."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=20)
    try:
        connection.putrequest("POST", "/subjects/bad/versions")
        connection.putheader("Content-Type", "application/json")
        connection.putheader("Content-Length", str(len(body)))
        begun = time.perf_counter()
        connection.endheaders(body)
        answer = connection.getresponse()
        seconds = time.perf_counter() - begun
        assert answer.read()
        return answer.status, seconds
    finally:
        connection.close()


@pytest.mark.parametrize("loaded", [False, True])
@pytest.mark.parametrize(
    ("body", "status"),
    [(LARGE, 413), (DEEP, 422), (DEEP_JSON, 422), (DEEP_BODY, 400), (DEEP_RECORDS, 422)],
    ids=["10 MB", "10,000 arrays", "10,000 levels of JSON", "10,000 levels in the body", "10,000 records"],
)
def test_too_large_and_too_deep_is_refused_at_once(registry_url: str, body: bytes, status: int, loaded: bool) -> None:
    post = httpx2.post(f"{registry_url}/subjects/good/versions", json={"schema": record("a")}, timeout=20)
    path = f"/schemas/ids/{post.json()['id']}"
    if loaded:
        with readers(registry_url, path):
            answers = [refused(registry_url, body) for _ in range(ATTEMPTS)]
    else:
        answers = [refused(registry_url, body) for _ in range(ATTEMPTS)]
    assert {code for code, _ in answers} == {status}
    assert min(seconds for _, seconds in answers) < WITHIN_S
    assert httpx2.get(f"{registry_url}{path}").status_code == 200
    assert httpx2.get(f"{registry_url}/subjects/bad/versions").json()["error_code"] == 40401


def test_a_schema_that_is_too_deep_says_so(http: httpx2.Client, subject: str) -> None:
    for body in (DEEP, DEEP_JSON, DEEP_RECORDS):
        message = http.post(f"/subjects/{subject}/versions", content=body).json()["message"]
        assert "deep" in message


def test_what_grows_beyond_a_record_of_kafka_is_refused_and_the_registry_goes_on(
    http: httpx2.Client, subject: str
) -> None:
    numbers = ",".join(["1e15"] * 180_000)  # short in the request, long as stored
    schema = '{"type":"record","name":"R","fields":[],"more":[' + numbers + "]}"
    assert http.post(f"/subjects/{subject}/versions", json={"schema": schema}).status_code == 413
    assert http.get(f"/subjects/{subject}/versions").status_code == 404
    assert http.post(f"/subjects/{subject}/versions", json={"schema": record("a")}).status_code == 200
