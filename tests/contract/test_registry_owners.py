"""A department's rights at the registry follow its connectors while the registry runs."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
from kafka import KafkaProducer

import connectors
from connectors.compacted import CompactedTopic
from connectors.configs import Approved, Entry, Registered, Removed, digest, encoded, key_of, partition_key
from connectors.seeds import Seed, parse_manifest
from hub.registry.owners import Owners, Tree
from hub.security.access import Principal
from schemas.errors import ContractError
from tests.contract.conftest import make_topic, serve_registry
from tests.deadline import wait_until
from tests.registry_instance import record

TEXT = (Path(connectors.__file__).parent / "departments" / "feedback-1022.yaml").read_text(encoding="utf-8")
SUBJECT, OTHER = "ioc.urban.feedback-value", "ioc.other.thing-value"
HOLDERS = {
    "admin-key": Principal("admin"),
    "H53.14-key": Principal("department", "H53.14"),
    "H53.15-key": Principal("department", "H53.15"),
}


def manifest(unit: str, name: str = "feedback-1022") -> str:
    return TEXT.replace("org: H53\n", f"org: {unit}\n").replace("id: feedback-1022", f"id: {name}")


def entries(text: str, version: int = 1, *, approved: bool = True) -> list[Entry]:
    registered = Registered(version, text, "someone", 0, "H53.14")
    return [registered, *([Approved(version, text, "ioc", 0)] if approved else [])]


class World:
    def __init__(self, bootstrap: str, configs: str, url: str) -> None:
        self._producer = KafkaProducer(bootstrap_servers=bootstrap, acks="all")
        self._configs = configs
        self._url = url

    def write(self, connector: str, made: Iterable[Entry]) -> None:
        for entry in made:
            self._producer.send(self._configs, encoded(entry), key_of(type(entry), connector).encode())
        self._producer.flush()

    def remove(self, connector: str, seed: str | None = None) -> None:
        self.write(connector, [Removed(seed, "ioc", 0)])
        for kind in (Approved, Registered):
            self._producer.send(self._configs, None, key_of(kind, connector).encode())
        self._producer.flush()

    def may_register(self, unit: str, subject: str = SUBJECT) -> bool:
        return self._asked(f"/subjects/{subject}/versions", unit) == 200

    def may_read(self, unit: str, subject: str = SUBJECT) -> bool:
        body = {"schema": record("a")}
        answer = httpx2.post(f"{self._url}/subjects/{subject}", json=body, auth=("x", f"{unit}-key"))
        return answer.status_code != 403

    def knows_who_owns(self, unit: str) -> bool:
        return self._asked(f"/subjects/{SUBJECT}/versions", unit) != 503

    def _asked(self, path: str, unit: str) -> int:
        body = {"schema": record("a")}
        return httpx2.post(self._url + path, json=body, auth=("x", f"{unit}-key"), timeout=20).status_code


@contextmanager
def world(kafka: str, seeds: dict[str, Seed]) -> Iterator[World]:
    configs = make_topic(kafka, f"configs-{uuid.uuid4().hex}")
    topic = CompactedTopic(kafka, configs, partition_key, keep_values=False)
    owners = Owners(topic, lambda: Tree({"feedback": SUBJECT}, seeds, parse_manifest))
    schemas = make_topic(kafka, f"_schemas-{uuid.uuid4().hex}")
    with serve_registry(kafka, schemas, HOLDERS.get, owners=owners) as url:
        yield World(kafka, configs, url)


@pytest.fixture
def empty(kafka: str) -> Iterator[World]:
    with world(kafka, {}) as made:
        yield made


def test_a_connector_gives_its_unit_rights_once_it_is_approved_and_takes_them_when_it_goes(empty: World) -> None:
    text = manifest("H53.14")
    empty.write("one", entries(text, approved=False))
    wait_until(lambda: empty.knows_who_owns("H53.14"), 20)
    assert not empty.may_register("H53.14")
    empty.write("one", entries(text))
    wait_until(lambda: empty.may_register("H53.14"), 20)
    assert not empty.may_register("H53.15")
    assert not empty.may_register("H53.14", OTHER)
    empty.remove("one")
    wait_until(lambda: not empty.may_register("H53.14"), 20)
    assert not empty.may_read("H53.14")


def test_a_second_units_connector_makes_the_contract_shared_which_both_read_and_neither_changes(empty: World) -> None:
    empty.write("one", entries(manifest("H53.14")))
    wait_until(lambda: empty.may_register("H53.14"), 20)
    empty.write("two", entries(manifest("H53.15", "two")))
    wait_until(lambda: not empty.may_register("H53.14"), 20)
    assert empty.may_read("H53.14")
    assert empty.may_read("H53.15")
    empty.write("two", entries(manifest("H53.14", "two"), version=2))
    wait_until(lambda: empty.may_register("H53.14"), 20)
    assert not empty.may_read("H53.15")


def test_what_is_no_manifest_gives_nobody_rights_and_the_others_go_on(empty: World) -> None:
    empty.write("bad", entries("id: [no manifest"))
    empty.write("one", entries(manifest("H53.14")))
    wait_until(lambda: empty.may_register("H53.14"), 20)


def test_a_connector_of_the_tree_counts_until_the_configs_say_otherwise(kafka: str) -> None:
    text = manifest("H53.14")
    seed = Seed(text, parse_manifest(text, "feedback-1022.yaml"))
    with world(kafka, {"feedback-1022": seed}) as made:
        wait_until(lambda: made.may_register("H53.14"), 20)
        made.write("feedback-1022", entries(manifest("H53.15")))
        wait_until(lambda: made.may_register("H53.15"), 20)
        assert not made.may_register("H53.14")
        made.remove("feedback-1022", digest(text))
        wait_until(lambda: not made.may_register("H53.15"), 20)


def test_a_wrong_file_of_the_tree_gives_departments_nothing_and_stops_nobody_else(kafka: str) -> None:
    def load() -> Tree:
        raise ContractError("thing.avsc: wrong", "thing.avsc: sai")

    configs, schemas = (make_topic(kafka, f"{name}-{uuid.uuid4().hex}") for name in ("configs", "_schemas"))
    owners = Owners(CompactedTopic(kafka, configs, partition_key, keep_values=False), load)
    with serve_registry(kafka, schemas, HOLDERS.get, owners=owners) as url:
        made = World(kafka, configs, url)
        wait_until(lambda: made.knows_who_owns("H53.14"), 20)
        assert not made.may_read("H53.14")
        assert httpx2.get(f"{url}/subjects", auth=("x", "admin-key")).status_code == 200
