"""One slow or broken source delays no other: how soon the others' records are on Kafka, without and with it."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from kafka import KafkaConsumer, TopicPartition
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hub.topics import ensure_topics
from tests.connect_place import make_place
from tests.connect_world import CONTRACTS, ConnectWorld, connect_world, manifest, without_login
from tests.portal_server import portal_server, record, serve

HEALTHY = ("well-1", "well-2", "well-3")
SAMPLES, ROUNDS = 100, 3
SHARE, NOISE_S = 1.2, 0.015
"""At most a fifth slower; differences below a timer's tick of a busy machine say nothing."""


@contextmanager
def broken_portal() -> Iterator[str]:
    """Answers every request with an error, late."""

    def changes(request: Request) -> Response:
        time.sleep(0.2)
        return Response(b"{}", 500)

    with serve(Starlette(routes=[Route("/api/v1/ho-so/thay-doi", changes)])) as url:
        yield url


@pytest.mark.long
def test_slow_and_broken_sources_delay_the_others_by_at_most_a_fifth(kafka: str) -> None:
    ensure_topics(kafka, [CONTRACTS["dossier"]], 2, 1)
    with (
        portal_server([]) as portal,
        broken_portal() as broken,
        connect_world(kafka, portal, make_place(kafka)) as world,
        world.client() as http,
    ):
        portal.open = True
        for name in HEALTHY:
            put(world, http, name, without_login(manifest(name, poll_s=0.05)))
        faulty = [f"mute-{number}" for number in range(3)] + [f"broken-{number}" for number in range(2)]
        for name in faulty:
            text = without_login(manifest(name, poll_s=0.05))
            mute = name.startswith("mute")
            text = text.replace("${env:IOC_PORTAL_URL}", "${env:IOC_SILENT_URL}" if mute else broken)
            put(world, http, name, text)
        consumer = at_the_end(kafka)
        found: dict[str, list[float]] = {"without": [], "with": []}
        number = 0
        for _ in range(ROUNDS):
            for side, act in (("without", "stop"), ("with", "resume")):
                for name in faulty:
                    http.put(f"/connectors/{name}/{act}")
                    world.until(name, "STOPPED" if act == "stop" else "RUNNING", within_s=20)
                seconds = []
                for _ in range(SAMPLES):
                    number += 1
                    seconds.append(delay(world, consumer, number))
                found[side].append(statistics.quantiles(seconds, n=100)[98])
        consumer.close()
    without, beside = statistics.median(found["without"]), statistics.median(found["with"])
    assert beside <= without * SHARE + NOISE_S, found


def put(world: ConnectWorld, http: Any, name: str, text: str) -> None:
    answer = http.put(
        f"/connectors/{name}/manifest", content=text.encode(), headers={"Content-Type": "text/yaml"}, timeout=30
    )
    assert answer.status_code == 201, answer.text
    world.until(name, "RUNNING")


def at_the_end(bootstrap: str) -> KafkaConsumer:
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, fetch_max_wait_ms=5)
    topic = CONTRACTS["dossier"].topic
    # Whoever used this broker before may have made the topic, with more of them.
    places = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
    consumer.assign(places)
    consumer.seek_to_end()
    for place in places:
        consumer.position(place)
    return consumer


def delay(world: ConnectWorld, consumer: KafkaConsumer, number: int) -> float:
    """Seconds from a new record at the source until all healthy connectors have it on Kafka."""
    at = f"2022-08-23T{8 + number // 3600:02d}:{number // 60 % 60:02d}:{number % 60:02d}+07:00"
    begun, came = time.monotonic(), 0
    world.portal.feed[:] = [record(number, at)]
    while came < len(HEALTHY):
        came += sum(len(rows) for rows in consumer.poll(timeout_ms=500).values())
        assert time.monotonic() - begun < 20
    return time.monotonic() - begun
