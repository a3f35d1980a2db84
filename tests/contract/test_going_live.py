"""What stops a manifest from going live: untagged personal data, a broken contract, a host that is not allowed."""

from __future__ import annotations

import time
from collections.abc import Iterator

import httpx2
import pytest

from hub.topics import ensure_topics
from tests.connect_place import make_place
from tests.connect_world import CONTRACTS, ConnectWorld, connect_world, manifest, without_login
from tests.portal_server import portal_server, record


@pytest.fixture(scope="module")
def world(kafka: str) -> Iterator[ConnectWorld]:
    ensure_topics(kafka, [CONTRACTS["dossier"]], 2, 1)
    feed, place = [record(number) for number in range(20)], make_place(kafka)
    with portal_server(feed) as portal, connect_world(kafka, portal, place) as made:
        portal.open = True
        yield made


def put(world: ConnectWorld, name: str, text: str, key: str = "key-of-admin", **parameters: str) -> httpx2.Response:
    with world.client(key) as client:
        path, headers = f"/connectors/{name}/manifest", {"Content-Type": "text/yaml", "Accept-Language": "vi"}
        return client.put(path, content=text.encode(), headers=headers, params=parameters)


def declared(name: str) -> str:
    return without_login(manifest(name))


UNTAGGED = ("pii: [nguoiNop.hoTen, nguoiNop.cccd, nguoiNop.dienThoai]", "pii: []")
REFUSED = [
    ("untagged", *UNTAGGED, ("nguoiNop.hoTen: ",)),
    ("contract", "{from: maHoSo", "{from: linhVuc", ("linhVuc: ",)),
    ("host", "${env:IOC_PORTAL_URL}", "http://10.9.8.7:80", ("source.base_url: ",)),
]


@pytest.mark.parametrize(("name", "old", "new", "paths"), REFUSED, ids=[each[0] for each in REFUSED])
def test_a_manifest_is_refused_with_the_fields_path_and_nothing_is_registered(
    world: ConnectWorld, name: str, old: str, new: str, paths: tuple[str, ...]
) -> None:
    text = declared(name)
    assert old in text, old
    wrong = text.replace(old, new)
    for parameters in ({"dry_run": "true"}, {}):
        answer = put(world, name, wrong, **parameters)
        assert answer.status_code == 400, answer.text
        message = answer.json()["message"]
        assert message.startswith("Chưa được đưa vào chạy")
        assert not [path for path in paths if f"\n{path}" not in message], message
    with world.client() as client:
        assert client.get(f"/connectors/{name}").status_code == 404
    told = put(world, name, text).json()["ioc"]
    assert (told["tried_records"], told["not_tried"]) == (20, None)
    assert put(world, name, wrong).status_code == 400  # nor does it replace the version that runs
    with world.client() as client:
        assert client.get(f"/connectors/{name}").json()["ioc"]["version"] == 1


def test_a_config_by_the_clients_of_kafka_connect_is_held_against_the_same(world: ConnectWorld) -> None:
    with world.client() as client:
        assert put(world, "flat", declared("flat")).status_code == 201
        config = client.get("/connectors/flat/config").json()
        config = {key: value for key, value in config.items() if not key.startswith("pii")}
        answer = client.put("/connectors/flat/config", json=config)
        assert answer.status_code == 400
        assert "nguoiNop.hoTen" in answer.json()["message"]


def test_a_source_that_does_not_answer_may_be_registered_and_says_so(world: ConnectWorld) -> None:
    begun = time.monotonic()
    answer = put(world, "mute", declared("mute").replace("IOC_PORTAL_URL", "IOC_SILENT_URL"))
    assert time.monotonic() - begun < 8
    assert answer.status_code == 201
    assert answer.json()["ioc"]["tried_records"] == 0
    assert "không trả lời" in answer.json()["ioc"]["not_tried"]


def test_personal_data_of_a_source_that_was_away_stops_the_connector_before_anything_is_published(
    world: ConnectWorld,
) -> None:
    held, world.portal.feed[:] = list(world.portal.feed), []
    try:
        answer = put(world, "later", declared("later").replace(*UNTAGGED))
        assert answer.status_code == 201
        assert "chưa có bản ghi" in answer.json()["ioc"]["not_tried"]
        world.until("later", "RUNNING")
    finally:
        world.portal.feed[:] = held
    told = world.until("later", "FAILED")
    assert told["ioc"]["last_error"]["code"] == "untagged_personal_data"
    assert "nguoiNop.hoTen" in told["ioc"]["last_error"]["message_vi"]
    assert told["ioc"]["published"] == 0
    assert put(world, "later", declared("later")).status_code == 200
    world.until("later", "RUNNING")


def test_a_department_does_not_try_a_manifest_with_secrets_that_were_not_approved_for_it(world: ConnectWorld) -> None:
    text = manifest("thief", org="H53.20").replace("IOC_PORTAL_URL", "IOC_SILENT_URL")
    world.portal.asked.clear()
    answer = put(world, "thief", text, key="key-of-another")
    assert answer.status_code == 201
    assert "chưa được IOC duyệt" in answer.json()["ioc"]["not_tried"]
    assert answer.json()["ioc"]["waiting_for_approval"]


def test_an_approval_is_refused_for_what_may_not_go_live(world: ConnectWorld) -> None:
    text = manifest("asked", org="H53.20").replace(*UNTAGGED)
    text = without_login(text)
    assert put(world, "asked", text, key="key-of-another").status_code == 201
    with world.client("key-of-operator") as operator:
        answer = operator.post("/connectors/asked/approve")
        assert answer.status_code == 400
        assert "nguoiNop.hoTen" in answer.json()["message"]
        assert operator.get("/connectors/asked").json()["ioc"]["waiting_for_approval"]
