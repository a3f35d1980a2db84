"""What was registered stays: through restarts, many clients at once, an absent topic and an absent broker."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
from kafka import KafkaConsumer

from hub.security.access import Principal
from tests.conftest import free_port
from tests.contract.conftest import make_topic, serve_registry, wait_ready


def record(*names: str) -> str:
    fields = [{"name": name, "type": "string", "default": ""} for name in names]
    return json.dumps({"type": "record", "name": "R", "fields": fields})


def register(url: str, subject: str, schema: str) -> httpx2.Response:
    return httpx2.post(f"{url}/subjects/{subject}/versions", json={"schema": schema}, timeout=30)


def at_once(count: int, call: Callable[[int], Any]) -> list[Any]:
    """The answers of `count` calls begun together."""
    gate = threading.Barrier(count)

    def begin(number: int) -> Any:
        gate.wait()
        return call(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(begin, range(count)))


def test_a_restart_keeps_ids_versions_and_levels(kafka: str, schemas_topic: str) -> None:
    with serve_registry(kafka, schemas_topic) as url:
        ids = [register(url, "s", record(*"abc"[: n + 1])).json()["id"] for n in range(3)]
        httpx2.put(f"{url}/config/s", json={"compatibility": "FULL"})
        httpx2.put(f"{url}/config", json={"compatibility": "NONE"})
        httpx2.delete(f"{url}/config")
        shown = httpx2.get(f"{url}/schemas").json()
    with serve_registry(kafka, schemas_topic) as url:
        assert httpx2.get(f"{url}/schemas").json() == shown
        assert httpx2.get(f"{url}/config/s").json() == {"compatibilityLevel": "FULL"}
        assert httpx2.get(f"{url}/config").json() == {"compatibilityLevel": "BACKWARD"}
        assert [register(url, "s", record(*"abc"[: n + 1])).json()["id"] for n in range(3)] == ids
        assert register(url, "t", record("z")).json()["id"] == max(ids) + 1


def test_many_who_register_the_same_schema_get_one_id_and_one_version(kafka: str, schemas_topic: str) -> None:
    with serve_registry(kafka, schemas_topic) as url:
        answers = at_once(16, lambda _: register(url, "same", record("a")).json()["id"])
        assert len(set(answers)) == 1
        assert httpx2.get(f"{url}/subjects/same/versions").json() == [1]


def test_many_who_register_different_schemas_leave_no_gap_and_no_id_twice(kafka: str, schemas_topic: str) -> None:
    with serve_registry(kafka, schemas_topic) as url:
        answers = at_once(16, lambda number: register(url, "many", record(f"f{number}")).json()["id"])
        assert sorted(answers) == list(range(1, 17))
        assert httpx2.get(f"{url}/subjects/many/versions").json() == list(range(1, 17))


def test_of_clashing_schemas_only_compatible_ones_get_in(kafka: str, schemas_topic: str) -> None:
    kinds = ["string", "int", "boolean", "double", "bytes", "long"] * 2
    schemas = [json.dumps({"type": "record", "name": "R", "fields": [{"name": "a", "type": kind}]}) for kind in kinds]
    with serve_registry(kafka, schemas_topic) as url:
        answers = at_once(len(kinds), lambda number: register(url, "clash", schemas[number]).status_code)
        assert set(answers) == {200, 409}
        versions = httpx2.get(f"{url}/subjects/clash/versions").json()
        assert versions == list(range(1, len(versions) + 1))
        assert httpx2.get(f"{url}/schemas/ids/{len(versions) + 1}").status_code == 404


def test_the_log_has_confluents_record_format(kafka: str, schemas_topic: str) -> None:
    with serve_registry(kafka, schemas_topic) as url:
        register(url, "s", record("a"))
        httpx2.put(f"{url}/config/s", json={"compatibility": "FULL"})
    consumer = KafkaConsumer(schemas_topic, bootstrap_servers=kafka, auto_offset_reset="earliest")
    records = []
    while len(records) < 3:
        for batch in consumer.poll(timeout_ms=5_000).values():
            records += [(message.key, json.loads(message.value or "null")) for message in batch]
    consumer.close()
    (mark_key, _), (schema_key, schema), (level_key, level) = records
    assert mark_key == b'{"keytype":"NOOP","magic":0}'
    assert schema_key == b'{"keytype":"SCHEMA","subject":"s","version":1,"magic":1}'
    assert json.loads(schema.pop("schema")) == json.loads(record("a"))
    assert schema == {"subject": "s", "version": 1, "id": 1, "deleted": False}
    assert level_key == b'{"keytype":"CONFIG","subject":"s","magic":0}'
    assert level == {"subject": "s", "compatibilityLevel": "FULL"}


def test_without_its_topic_the_registry_is_red_and_recovers_by_itself(kafka: str, schemas_topic: str) -> None:
    late = f"{schemas_topic}-late"
    causes: list[str] = []

    def mend(url: str) -> None:
        ready = httpx2.get(f"{url}/readyz?verbose")
        assert ready.status_code == 503
        causes.append(ready.json()["checks"]["log"]["cause"])
        make_topic(kafka, late)

    with serve_registry(kafka, late, before_ready=mend) as url:
        assert register(url, "s", record("a")).status_code == 200
    assert late in causes[0] or "not read yet" in causes[0]


def test_without_a_broker_the_cause_is_told_and_nothing_is_answered_wrongly() -> None:
    seen: list[tuple[int, Any]] = []

    def look(url: str) -> None:
        ready = httpx2.get(f"{url}/readyz?verbose")
        asked = httpx2.get(f"{url}/schemas/ids/1")
        seen.extend([(ready.status_code, ready.json()), (asked.status_code, asked.json())])

    with serve_registry(f"127.0.0.1:{free_port()}", "_schemas", before_ready=look, becomes_ready=False):
        pass
    (ready, checks), (status, fault) = seen
    assert (ready, checks["checks"]["log"]["ok"]) == (503, False)
    assert (status, fault["error_code"]) == (503, 50001)


def test_only_who_holds_a_key_gets_in_and_only_to_what_the_role_may(kafka: str, schemas_topic: str) -> None:
    holders = {"reader": Principal("operator"), "writer": Principal("service"), "admin": Principal("admin")}
    with serve_registry(kafka, schemas_topic, holders.get) as url:

        def status(method: str, path: str, key: str | None, **more: Any) -> int:
            headers = {"Authorization": f"Bearer {key}"} if key else {}
            return httpx2.request(method, url + path, headers=headers, **more).status_code

        new = {"schema": record("a")}
        level = {"compatibility": "FULL"}
        assert [status("GET", "/subjects", key) for key in (None, "wrong", "reader")] == [401, 401, 200]
        assert [status("POST", "/subjects/s/versions", key, json=new) for key in ("reader", "writer")] == [403, 200]
        assert [status("PUT", "/config", key, json=level) for key in ("writer", "admin")] == [403, 200]
        assert httpx2.get(f"{url}/subjects", auth=("anybody", "reader")).status_code == 200
        assert "Bearer" in httpx2.get(f"{url}/subjects").headers["www-authenticate"]
        assert httpx2.get(f"{url}/livez").status_code == 200
        wait_ready(url)


def test_metrics_count_by_operation(kafka: str, schemas_topic: str) -> None:
    with serve_registry(kafka, schemas_topic) as url:
        register(url, "s", record("a"))
        httpx2.get(f"{url}/schemas/ids/1")
        httpx2.get(f"{url}/schemas/ids/2")
        text = httpx2.get(f"{url}/metrics").text
    assert 'ioc_registry_requests_total{operation="schema",status="404"} 1.0' in text
    assert 'ioc_registry_requests_total{operation="register",status="200"} 1.0' in text
    assert "ioc_registry_versions 1.0" in text
