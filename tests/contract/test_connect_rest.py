"""The connectors' interface: from a manifest to a live feed, changed and watched over HTTP."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from hub.topics import ensure_topics
from tests.connect_place import make_place
from tests.connect_world import CONTRACTS, ConnectWorld, connect_world, manifest, without_login
from tests.portal_server import portal_server, record


@pytest.fixture(scope="module")
def world(kafka: str) -> Iterator[ConnectWorld]:
    ensure_topics(kafka, [CONTRACTS["dossier"]], 2, 1)
    feed = [record(number) for number in range(20)]
    with portal_server(feed) as portal, connect_world(kafka, portal, make_place(kafka)) as made:
        yield made


@pytest.fixture
def name(world: ConnectWorld) -> Iterator[str]:
    """Of one connector, gone after the test: the portal knows one token at a time."""
    made = f"c-{uuid.uuid4().hex[:8]}"
    yield made
    with world.client() as client:
        for listed in client.get("/connectors").json():
            client.delete(f"/connectors/{listed}")


@pytest.fixture
def http(world: ConnectWorld) -> Iterator[httpx2.Client]:
    with world.client() as client:
        yield client


def offsets(http: httpx2.Client, name: str) -> Any:
    return http.get(f"/connectors/{name}/offsets").json()["offsets"]


def published(http: httpx2.Client, name: str, at_least: int, within_s: float = 20) -> int:
    """Records published, once they are so many."""
    deadline = time.monotonic() + within_s
    while True:
        told = http.get(f"/connectors/{name}/status").json()["ioc"]
        if told.get("published", 0) >= at_least:
            return int(told["published"])
        assert time.monotonic() < deadline, told
        time.sleep(0.02)


def test_an_applied_manifest_runs_without_a_restart(world: ConnectWorld, http: httpx2.Client, name: str) -> None:
    answer = world.apply(name)
    assert answer.status_code == 201
    assert answer.headers["location"] == f"{world.url}/connectors/{name}"
    told = world.until(name, "RUNNING")
    assert told["type"] == "source"
    assert told["ioc"]["version"] == told["ioc"]["approved_version"] == 1
    published(http, name, 20)
    assert http.get(f"/connectors/{name}/topics").json() == {name: {"topics": ["ioc.administration.dossier"]}}
    assert http.get(f"/connectors/{name}/manifest").text == manifest(name)
    assert world.apply(name).status_code == 200
    assert http.get(f"/connectors/{name}").json()["ioc"]["version"] == 1


def test_what_a_flat_config_says_comes_back_and_secrets_are_references(
    world: ConnectWorld, http: httpx2.Client, name: str
) -> None:
    world.apply(name)
    config = http.get(f"/connectors/{name}/config").json()
    assert config["name"] == name
    assert config["connector.class"] == "ioc.connectors.RestSourceConnector"
    assert config["source.auth.client_secret"] == "${env:IOC_SECRET_PORTAL_CLIENT_SECRET}"
    assert all(isinstance(value, str) for value in config.values())
    hidden = config | {"source.auth.client_secret": "******", "sla.cadence_s": "600"}
    answer = http.put(f"/connectors/{name}/config", json=hidden)
    assert answer.status_code == 200, answer.text
    assert answer.json()["config"] == config | {"sla.cadence_s": "600"}
    assert answer.json()["ioc"]["version"] == 2
    world.until(name, "RUNNING")
    patched = http.patch(f"/connectors/{name}/config", json={"sla.error_s": None, "sla.cadence_s": 60})
    assert patched.status_code == 200
    after = patched.json()["config"]
    assert after["sla.cadence_s"] == "60" and "sla.error_s" not in after


def test_a_secret_in_the_open_is_refused_and_never_shown(http: httpx2.Client, world: ConnectWorld, name: str) -> None:
    world.apply(name)
    config = http.get(f"/connectors/{name}/config").json() | {"source.auth.client_secret": "hunter2-of-the-portal"}
    answer = http.put(f"/connectors/{name}/config", json=config)
    assert answer.status_code == 400
    assert "source.auth.client_secret" in answer.json()["message"]
    assert "hunter2" not in answer.text
    masked = http.post("/connectors", json={"name": f"{name}-x", "config": config | {
        "name": f"{name}-x", "source.auth.client_secret": "******"}})  # fmt: skip
    assert masked.status_code == 400
    assert "source.auth.client_secret" in masked.json()["message"]


def test_pause_resume_and_stop_are_followed_within_five_seconds(
    world: ConnectWorld, http: httpx2.Client, name: str
) -> None:
    world.apply(name)
    world.until(name, "RUNNING")
    for act, code, state in (("pause", 202, "PAUSED"), ("resume", 202, "RUNNING"), ("stop", 204, "STOPPED")):
        begun = time.monotonic()
        answer = http.put(f"/connectors/{name}/{act}")
        assert (answer.status_code, answer.content) == (code, b"")
        told = world.until(name, state, within_s=5)
        assert time.monotonic() - begun < 5
        assert told["ioc"]["target"] == {"pause": "paused", "resume": "running", "stop": "stopped"}[act]
    assert told["tasks"] == []
    assert http.get(f"/connectors/{name}").json()["tasks"] == []
    assert http.get(f"/connectors/{name}/tasks/0/status").status_code == 404
    world.portal.asked.clear()
    time.sleep(0.5)
    assert world.portal.asked == []


def test_a_restart_opens_the_source_anew_and_a_stopped_one_stays_stopped(
    world: ConnectWorld, http: httpx2.Client, name: str
) -> None:
    world.apply(name)
    world.until(name, "RUNNING")
    before = world.portal.tokens_issued
    assert http.post(f"/connectors/{name}/restart").status_code == 204
    answer = http.post(f"/connectors/{name}/restart", params={"includeTasks": "true"})
    assert answer.status_code == 202
    assert answer.json()["tasks"][0]["state"] == "RESTARTING"
    deadline = time.monotonic() + 10
    while world.portal.tokens_issued == before:
        assert time.monotonic() < deadline
    assert http.post(f"/connectors/{name}/tasks/0/restart").status_code == 204
    assert http.post(f"/connectors/{name}/tasks/1/restart").status_code == 404
    http.put(f"/connectors/{name}/stop")
    assert http.post(f"/connectors/{name}/restart").status_code == 204
    world.until(name, "STOPPED")


def test_a_position_is_set_while_stopped_and_read_from_again(
    world: ConnectWorld, http: httpx2.Client, name: str
) -> None:
    world.apply(name)
    before = published(http, name, 20)
    (stored,) = offsets(http, name)
    body = {"offsets": [{"partition": {"connector": name}, "offset": {"since": "2022-01-01T00:00:00+07:00"}}]}
    refused = http.patch(f"/connectors/{name}/offsets", json=body)
    assert refused.status_code == 400 and "STOPPED" in refused.json()["message"]
    http.put(f"/connectors/{name}/stop")
    assert http.patch(f"/connectors/{name}/offsets", json={}).status_code == 400
    wrong = {"offsets": [{"partition": {"file": "x"}, "offset": {}}]}
    assert http.patch(f"/connectors/{name}/offsets", json=wrong).status_code == 400
    altered = http.patch(f"/connectors/{name}/offsets", json=body)
    assert altered.json() == {"message": "The offsets for this connector have been altered successfully"}
    assert offsets(http, name) == [body["offsets"][0]]
    http.put(f"/connectors/{name}/resume")
    published(http, name, before + 20)
    assert offsets(http, name) == [stored]
    http.put(f"/connectors/{name}/stop")
    for _ in range(2):
        reset = http.delete(f"/connectors/{name}/offsets")
        assert reset.json() == {"message": "The offsets for this connector have been reset successfully"}
    assert offsets(http, name) == []


def test_a_deleted_connector_is_gone_and_its_position_is_kept(
    world: ConnectWorld, http: httpx2.Client, name: str
) -> None:
    world.apply(name)
    published(http, name, 20)
    assert http.delete(f"/connectors/{name}").status_code == 204
    assert http.get(f"/connectors/{name}").status_code == 404
    assert name not in http.get("/connectors").json()
    world.apply(name)
    told = world.until(name, "RUNNING")
    assert told["ioc"]["version"] == 2
    assert len(offsets(http, name)) == 1


def test_a_refused_login_is_a_failed_task_with_the_cure(world: ConnectWorld, http: httpx2.Client, name: str) -> None:
    world.portal.refuse_login = True
    try:
        world.apply(name)
        told = world.until(name, "FAILED")
        assert told["connector"]["state"] == "RUNNING"
        assert "client_secret" in told["tasks"][0]["trace"]
        assert told["ioc"]["state"] == "credentials"
        vi = http.get(f"/connectors/{name}/status", headers={"Accept-Language": "vi"}).json()
        assert "từ chối đăng nhập" in vi["tasks"][0]["trace"]
    finally:
        world.portal.refuse_login = False
    http.post(f"/connectors/{name}/restart", params={"onlyFailed": "true", "includeTasks": "true"})
    world.until(name, "RUNNING")


def test_a_source_that_never_answers_delays_no_other_and_stops_within_five_seconds(
    world: ConnectWorld, http: httpx2.Client, name: str
) -> None:
    mute, text = f"{name}-mute", without_login(manifest(f"{name}-mute")).replace("IOC_PORTAL_URL", "IOC_SILENT_URL")
    answer = http.put(f"/connectors/{mute}/manifest", content=text.encode(), headers={"Content-Type": "text/yaml"})
    assert answer.status_code == 201, answer.text
    world.until(mute, "RUNNING")
    world.apply(name)
    published(http, name, 20)
    world.portal.asked.clear()
    deadline = time.monotonic() + 15
    while len(world.portal.asked) < 10:  # it asks every 0.2 s
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert http.get(f"/connectors/{mute}/status").json()["ioc"]["last_poll_ok"] is None
    for act, state in (("pause", "PAUSED"), ("stop", "STOPPED")):
        http.put(f"/connectors/{mute}/{act}")
        world.until(mute, state, within_s=5)


def test_what_a_department_registers_runs_once_the_ioc_approves(world: ConnectWorld, name: str) -> None:
    with world.client("key-of-department") as department, world.client("key-of-operator") as ioc:
        assert world.apply(name, "key-of-department").status_code == 201
        told = world.status(name)
        assert told["connector"]["state"] == "UNASSIGNED" and told["tasks"] == []
        assert told["ioc"]["waiting_for_approval"] and told["ioc"]["state"] == "waiting_for_approval"
        assert department.post(f"/connectors/{name}/approve").status_code == 403
        assert ioc.post(f"/connectors/{name}/approve", json={"version": 7}).status_code == 409
        assert ioc.post(f"/connectors/{name}/approve", json={"version": 1}).status_code == 200
        world.until(name, "RUNNING")
        changed = world.apply(name, "key-of-department", poll_s=0.3)
        assert changed.json()["ioc"]["waiting_for_approval"]
        told = world.until(name, "RUNNING")
        assert (told["ioc"]["version"], told["ioc"]["approved_version"]) == (2, 1)
        ioc.post(f"/connectors/{name}/approve")
        assert not world.status(name)["ioc"]["waiting_for_approval"]
        department.put(f"/connectors/{name}/pause")
        acts = department.get(f"/connectors/{name}/audit").json()
    assert [(act["act"], act["by"], act["version"]) for act in acts] == [
        ("applied", "department:d14", 1),
        ("approved", "operator:o1", 1),
        ("applied", "department:d14", 2),
        ("approved", "operator:o1", 2),
        ("paused", "department:d14", 2),
    ]
    assert all(act["at"] > 1_700_000_000_000 for act in acts)


def test_lists_expand_by_repeated_parameters(world: ConnectWorld, http: httpx2.Client, name: str) -> None:
    world.apply(name)
    assert name in http.get("/connectors/").json()
    expanded = http.get("/connectors?expand=info&expand=status").json()[name]
    assert set(expanded) == {"info", "status"}
    assert expanded["info"]["tasks"] == [{"connector": name, "task": 0}]
    assert http.get("/connectors?expand=info,status").json()[name] == {}


def test_validation_asks_no_source_and_names_what_is_missing(http: httpx2.Client) -> None:
    plugins = http.get("/connector-plugins").json()
    assert {"ioc.connectors.RestSourceConnector", "ioc.connectors.WebhookSourceConnector"} <= {
        plugin["class"] for plugin in plugins
    }
    for plugin in plugins:
        simple = plugin["class"].rpartition(".")[2]
        begun = time.monotonic()
        answer = http.put(
            f"/connector-plugins/{simple}/config/validate", json={"connector.class": plugin["class"], "topics": "x"}
        )
        assert answer.status_code == 200
        assert time.monotonic() - begun < 1
        body = answer.json()
        assert body["error_count"] == sum(len(item["value"]["errors"]) for item in body["configs"]) >= 2
        assert http.get(f"/connector-plugins/{simple}/config").json() == [
            item["definition"] for item in body["configs"]
        ]


def test_a_good_config_validates_without_errors(world: ConnectWorld, http: httpx2.Client, name: str) -> None:
    world.apply(name)
    config = http.get(f"/connectors/{name}/config").json()
    body = http.put("/connector-plugins/RestSource/config/validate", json=config).json()
    assert body["error_count"] == 0, [item["value"] for item in body["configs"] if item["value"]["errors"]]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/connectors", b"{", 400),
        ("POST", "/connectors", b"", 400),
        ("POST", "/connectors", b"[]", 400),
        ("POST", "/connectors", b'{"name":"x"}', 400),
        ("POST", "/connectors", b'{"config":{}}', 400),
        ("POST", "/connectors", b'{"name":"x","config":{},"colour":1}', 400),
        ("POST", "/connectors", b'{"name":"x","config":{"a":{"b":1}}}', 400),
        ("POST", "/connectors", b'{"name":"x","config":{"connector.class":"FileStream"}}', 400),
        ("POST", "/connectors", b'{"name":"x","config":{"connector.class":"RestSource"},"initial_state":"off"}', 400),
        ("POST", "/connectors", '{"name":"Tên có dấu","config":{"connector.class":"RestSource"}}'.encode(), 400),
        ("PUT", "/connectors/absent/pause", None, 404),
        ("GET", "/connectors/absent/status", None, 404),
        ("GET", "/connectors/absent/offsets", None, 404),
        ("PATCH", "/connectors/absent/config", b"{}", 404),
        ("DELETE", "/connectors/absent", None, 404),
        ("GET", "/connectors/a%2Fb", None, 400),
        ("GET", "/nothing", None, 404),
        ("DELETE", "/connectors", None, 405),
        ("PUT", "/connector-plugins/Nothing/config/validate", b"{}", 400),
        ("GET", "/admin/loggers/no.such", None, 404),
        ("PUT", "/admin/loggers/root", b'{"level":"LOUD"}', 404),
        ("PUT", "/admin/loggers/root", b"{}", 400),
    ],
)
def test_what_is_wrong_is_told_in_kafka_connects_shape(
    http: httpx2.Client, method: str, path: str, body: bytes | None, status: int
) -> None:
    headers = {"Content-Type": "application/json"} if body is not None else {}
    answer = http.request(method, path, content=body, headers=headers)
    assert answer.status_code == status, answer.text
    assert set(answer.json()) == {"error_code", "message"}
    assert answer.json()["error_code"] == status
    assert answer.json()["message"]


def test_types_other_than_json_are_refused(http: httpx2.Client, world: ConnectWorld, name: str) -> None:
    world.apply(name)
    wrong = http.put(f"/connectors/{name}/pause", headers={"Content-Type": "text/plain"})
    assert wrong.status_code == 415
    assert http.get("/connectors", headers={"Accept": "text/html"}).status_code == 406
    charset = {"Content-Type": "application/json; charset=utf-8"}
    assert http.put(f"/connectors/{name}/pause", headers=charset).status_code == 202


def test_log_levels_are_shown_and_set(http: httpx2.Client) -> None:
    assert set(http.get("/admin/loggers").json()["root"]) == {"level", "last_modified"}
    assert "aiokafka" in http.put("/admin/loggers/aiokafka", json={"level": "ERROR"}).json()
    assert http.get("/admin/loggers/aiokafka").json()["level"] == "ERROR"
    assert http.put("/admin/loggers/aiokafka?scope=cluster", json={"level": "WARN"}).status_code == 204


def test_health_needs_no_key(world: ConnectWorld) -> None:
    with world.client(None) as client:
        assert client.get("/health").json()["status"] == "healthy"
        for path in ("/livez", "/readyz", "/readyz?verbose", "/metrics"):
            assert client.get(path).status_code == 200
