"""Several registries over one log: whoever is killed or frozen, no id is given twice and no version is missing."""

from __future__ import annotations

import itertools
import json
import random
import signal
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import httpx2
import pytest
from kafka import KafkaConsumer

from tests.contract.conftest import make_topic
from tests.registry_instance import Instance, leader_of, record

SESSION_S = 1.5
TAKEN_OVER_WITHIN_S = SESSION_S + 3
SUBJECTS = 20
CLIENTS = 6
ATTEMPT_S = 8.0
"""A client's patience with one instance that does not answer, as one that is frozen."""


class Clients:
    """Register schemas of their own at any instance, again and again until each is answered."""

    def __init__(self, instances: list[Instance]) -> None:
        self._instances = instances
        self._numbers = itertools.count()
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._run, args=(seed,)) for seed in range(CLIENTS)]
        self.answered: dict[tuple[str, str], int] = {}
        self.refused: list[str] = []

    def __enter__(self) -> Clients:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(60)

    def _run(self, seed: int) -> None:
        dice = random.Random(seed)
        with httpx2.Client(timeout=ATTEMPT_S) as http:
            while not self._ended.is_set():
                subject, schema = f"s{dice.randrange(SUBJECTS)}", record(f"f{next(self._numbers)}")
                self._until_answered(http, dice, subject, schema)

    def _until_answered(self, http: httpx2.Client, dice: random.Random, subject: str, schema: str) -> None:
        while not self._ended.is_set():
            url = dice.choice(self._instances).url
            with suppress(httpx2.HTTPError):
                answer = http.post(f"{url}/subjects/{subject}/versions", json={"schema": schema})
                if answer.status_code == 200:
                    with self._lock:
                        self.answered[subject, schema] = int(answer.json()["id"])
                    return
                if answer.status_code != 503:
                    self.refused.append(answer.text)
                    return
            time.sleep(0.02)


@contextmanager
def registries(kafka: str, count: int) -> Iterator[list[Instance]]:
    topic = make_topic(kafka, f"_schemas-{uuid.uuid4().hex}")
    instances = [Instance(kafka, topic, SESSION_S) for _ in range(count)]
    try:
        for instance in instances:
            instance.start()
        for instance in instances:
            instance.wait_ready()
        httpx2.put(f"{instances[0].url}/config", json={"compatibility": "NONE"}, timeout=20).raise_for_status()
        yield instances
    finally:
        for instance in instances:
            instance.kill()


def seconds_to_next_write(instances: list[Instance], since: float) -> float:
    """From `since` until a schema that nobody had sent before is registered at one of them."""
    with httpx2.Client(timeout=ATTEMPT_S) as http:
        for instance in itertools.cycle(instances):
            body = {"schema": record(f"probe{uuid.uuid4().hex}")}
            with suppress(httpx2.HTTPError):
                if http.post(f"{instance.url}/subjects/probe/versions", json=body).status_code == 200:
                    return time.monotonic() - since
            time.sleep(0.01)
    raise AssertionError


def records_of(bootstrap: str, topic: str) -> list[tuple[dict[str, Any], Any]]:
    """Every record of the log as it stands in Kafka, in order."""
    consumer = KafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    deadline, found = time.monotonic() + 60, []
    while not consumer.assignment():
        consumer.poll(timeout_ms=100)
        assert time.monotonic() < deadline
    (partition,) = consumer.assignment()
    end = consumer.end_offsets([partition])[partition]
    consumer.seek_to_beginning(partition)
    while consumer.position(partition) < end:
        for batch in consumer.poll(timeout_ms=1_000).values():
            found += [(json.loads(message.key), json.loads(message.value or "null")) for message in batch]
        assert time.monotonic() < deadline
    consumer.close()
    return found


def hold_against_the_log(kafka: str, instances: list[Instance], clients: Clients) -> None:
    assert clients.refused == []
    assert len(clients.answered) > 50
    schema_of: dict[int, str] = {}
    versions: defaultdict[str, list[int]] = defaultdict(list)
    ids: dict[tuple[str, str], list[int]] = defaultdict(list)
    for key, value in records_of(kafka, instances[0].topic):
        if key["keytype"] == "SCHEMA":
            text = json.dumps(json.loads(value["schema"]))
            assert schema_of.setdefault(value["id"], text) == text, f"id {value['id']} was given twice"
            versions[key["subject"]].append(key["version"])
            ids[key["subject"], text].append(value["id"])
    for subject, numbers in versions.items():
        assert numbers == list(range(1, len(numbers) + 1)), f"{subject}: a version is missing or was written twice"
    for (subject, schema), schema_id in clients.answered.items():
        assert ids[subject, json.dumps(json.loads(schema))] == [schema_id], f"{subject}: {schema}"
    for instance in instances:
        with httpx2.Client(base_url=instance.url, timeout=20) as http:
            for (_, schema), schema_id in random.Random(1).sample(sorted(clients.answered.items()), 30):
                assert json.loads(http.get(f"/schemas/ids/{schema_id}").json()["schema"]) == json.loads(schema)
            for subject, numbers in versions.items():
                assert http.get(f"/subjects/{subject}/versions").json() == numbers


def kill_leaders(kafka: str, kills: int) -> list[float]:
    """Seconds from each kill to the next write, with clients registering all the time."""
    delays = []
    with registries(kafka, 3) as instances:
        with Clients(instances) as clients:
            for _ in range(kills):
                leader = leader_of(instances)
                others = [instance for instance in instances if instance is not leader]
                killed = time.monotonic()
                leader.kill()
                delays.append(seconds_to_next_write(others, killed))
                leader.start()
                leader.wait_ready()
        hold_against_the_log(kafka, instances, clients)
    return delays


@pytest.mark.long
def test_the_leader_killed_a_few_times_under_concurrent_registration(kafka: str) -> None:
    delays = kill_leaders(kafka, 3)
    assert max(delays) <= TAKEN_OVER_WITHIN_S, delays


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_the_leader_killed_fifty_times_under_concurrent_registration(kafka: str) -> None:
    delays = kill_leaders(kafka, 50)
    print(f"next write after a kill: median {sorted(delays)[25]:.2f} s, longest {max(delays):.2f} s")
    assert max(delays) <= TAKEN_OVER_WITHIN_S, delays


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_frozen_leader_that_wakes_writes_nothing_more(kafka: str) -> None:
    with registries(kafka, 3) as instances:
        with Clients(instances) as clients:
            for _ in range(8):
                leader = leader_of(instances)
                others = [instance for instance in instances if instance is not leader]
                frozen = time.monotonic()
                leader.send(signal.SIGSTOP)
                seconds_to_next_write(others, frozen)
                leader.send(signal.SIGCONT)
                leader.wait_ready()
        hold_against_the_log(kafka, instances, clients)
