"""Several registries over one log: writes at any, reads at any, one writer that Kafka itself keeps alone."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import httpx2
import pytest
from kafka import KafkaConsumer, TopicPartition

from hub.registry.fenced_writer import FencedError, FencedWriter
from hub.security.access import Principal
from tests.contract.conftest import make_topic, serve_registry
from tests.registry_instance import record

HOLDERS = {"reader": Principal("operator"), "writer": Principal("service"), "admin": Principal("admin")}


@pytest.fixture(scope="module")
def urls(kafka: str) -> Iterator[list[str]]:
    """Three instances for the tests that stop none; they use subjects of their own."""
    topic = make_topic(kafka, f"_schemas-{uuid.uuid4().hex}")
    with ExitStack() as running:
        yield [running.enter_context(serve_registry(kafka, topic, HOLDERS.get)) for _ in range(3)]


HTTP = httpx2.Client(timeout=20)


@pytest.fixture(scope="module", autouse=True)
def _connections() -> Iterator[None]:
    yield
    HTTP.close()


def ask(method: str, url: str, key: str = "admin", **more: Any) -> httpx2.Response:
    return HTTP.request(method, url, headers={"Authorization": f"Bearer {key}"}, **more)


def register(url: str, subject: str, schema: str, key: str = "writer") -> httpx2.Response:
    return ask("POST", f"{url}/subjects/{subject}/versions", key, json={"schema": schema})


def epoch(url: str) -> int:
    for line in HTTP.get(f"{url}/metrics").text.splitlines():
        if line.startswith("ioc_registry_epoch "):
            return int(float(line.split()[1]))
    raise AssertionError(url)


def test_who_writes_at_any_instance_reads_it_there_and_by_id_everywhere(urls: list[str], subject: str) -> None:
    for number in range(30):
        url = urls[number % len(urls)]
        schema = record(*(f"f{each}" for each in range(number + 1)))
        schema_id = register(url, subject, schema).json()["id"]
        assert ask("GET", f"{url}/subjects/{subject}/versions").json() == list(range(1, number + 2))
        latest = ask("GET", f"{url}/subjects/{subject}/versions/latest").json()
        assert json.loads(latest["schema"]) == json.loads(schema)
        for other in urls:
            assert json.loads(ask("GET", f"{other}/schemas/ids/{schema_id}").json()["schema"]) == json.loads(schema)
            assert ask("GET", f"{other}/subjects/{subject}/versions/{number + 1}").json()["id"] == schema_id
            assert ask("POST", f"{other}/subjects/{subject}", json={"schema": schema}).json()["id"] == schema_id
    assert sorted(epoch(url) >= 0 for url in urls) == [False, False, True]


def test_all_instances_at_once_leave_no_gap_and_no_id_twice(urls: list[str], subject: str) -> None:
    ask("PUT", f"{urls[1]}/config/{subject}", json={"compatibility": "NONE"})
    before = register(urls[0], subject, record("first")).json()["id"]
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda n: register(urls[n % 3], subject, record(f"g{n}")).json()["id"], range(60)))
    assert sorted(answers) == list(range(before + 1, before + 61))
    for url in urls:
        assert ask("GET", f"{url}/subjects/{subject}/versions").json() == list(range(1, 62))


def test_what_is_refused_is_refused_everywhere_with_the_leaders_reason(urls: list[str], subject: str) -> None:
    assert register(urls[0], subject, record("a")).status_code == 200
    clash = json.dumps({"type": "record", "name": "R", "fields": [{"name": "a", "type": "int"}]})
    for url in urls:
        refused = register(url, subject, clash)
        assert (refused.status_code, refused.json()["error_code"]) == (409, 409)
        assert "'a'" in refused.json()["message"]
        assert register(url, subject, clash, "reader").status_code == 403
        assert register(url, subject, clash, "nobody").status_code == 401
        assert ask("PUT", f"{url}/config", "writer", json={"compatibility": "NONE"}).status_code == 403


def test_levels_set_at_one_instance_are_those_of_the_leader(urls: list[str], subject: str) -> None:
    for url, level in zip(urls, ("NONE", "FULL", "FORWARD"), strict=True):
        assert ask("PUT", f"{url}/config/{subject}", json={"compatibility": level}).json() == {"compatibility": level}
        assert ask("GET", f"{url}/config/{subject}").json() == {"compatibilityLevel": level}


def test_a_forwarded_write_is_not_forwarded_again(urls: list[str], subject: str) -> None:
    register(urls[0], f"{subject}-2", record("a"))
    (follower, *_) = [url for url in urls if epoch(url) < 0]
    answer = HTTP.post(
        f"{follower}/subjects/{subject}/versions",
        json={"schema": record("b")},
        headers={"Authorization": "Bearer writer", "X-Forward": "false"},
    )
    assert (answer.status_code, answer.json()["error_code"]) == (503, 50004)


def test_a_newcomer_does_not_take_the_turn_from_who_has_it(kafka: str, schemas_topic: str) -> None:
    with serve_registry(kafka, schemas_topic) as first:
        register(first, "s", record("a"))
        before = epoch(first)
        with serve_registry(kafka, schemas_topic) as second:
            assert register(second, "t", record("b")).status_code == 200
            assert (epoch(first), epoch(second)) == (before, -1)
        assert register(first, "u", record("c")).status_code == 200
        assert epoch(first) == before


def test_who_leaves_hands_the_turn_over_at_once(kafka: str, schemas_topic: str) -> None:
    with serve_registry(kafka, schemas_topic) as stays:
        with serve_registry(kafka, schemas_topic) as leaves:
            assert register(leaves, "s", record("a")).json()["id"] == 1
        assert register(stays, "s", record("a", "b")).json()["id"] == 2


async def test_an_older_writer_is_refused_by_kafka_itself(kafka: str, schemas_topic: str) -> None:
    older = await FencedWriter.take(kafka, schemas_topic, schemas_topic)
    assert await older.append([("k", b"1"), ("k", b"2")]) == 2
    newer = await FencedWriter.take(kafka, schemas_topic, schemas_topic)
    assert newer.epoch > older.epoch
    await newer.append([("mark", None)])
    with pytest.raises(FencedError):
        await older.append([("k", b"too late")])
    await newer.append([("k", b"3")])
    await asyncio.gather(older.close(), newer.close())
    assert values_of(kafka, schemas_topic) == [b"1", b"2", None, b"3"]


def values_of(bootstrap: str, topic: str) -> list[bytes | None]:
    """As Confluent's registry would read it: uncommitted, without a group."""
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, isolation_level="read_uncommitted")
    partition = TopicPartition(topic, 0)
    consumer.assign([partition])
    consumer.seek_to_beginning(partition)
    end, found = consumer.end_offsets([partition])[partition], []
    while consumer.position(partition) < end:
        for batch in consumer.poll(timeout_ms=1_000).values():
            found += [message.value for message in batch]
    consumer.close()
    return found
