"""The requests that Kafka Connect's clients send, as one dialogue with a server: what it answers, as shapes."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx2

Config = dict[str, Any]
SETTLED_S = 2.0


@dataclass(frozen=True, slots=True)
class Side:
    """One server. `config`: a good config without a name; `partition`, `offset`: of its connector's position;
    `plugin`: simple name; `foreign`: a class of the other side."""

    client: httpx2.Client
    config: Config
    partition: Mapping[str, Any]
    offset: Mapping[str, Any]
    plugin: str
    required: str


@dataclass(slots=True)
class Answers:
    """By the step's name: the status and the shape of the body."""

    side: Side
    found: dict[str, tuple[int, Any, Any]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def ask(self, step: str, method: str, path: str, json: Any = None, **more: Any) -> httpx2.Response:
        begun = time.monotonic()
        answer = self.side.client.request(method, path, json=json, **more)
        self.seconds[step] = time.monotonic() - begun
        location = {"location": "str"} if "location" in answer.headers else {}
        self.found[step] = answer.status_code, _shape_of(answer), location
        return answer

    def until(self, name: str, state: str) -> None:
        """Until the connector's task (or the connector without one) is in this state."""
        begun = time.monotonic()
        while True:
            told = self.side.client.get(f"/connectors/{name}/status").json()
            if states_of(told)[-1:] == [state]:
                self.seconds[f"{name} {state}"] = time.monotonic() - begun
                return
            assert time.monotonic() - begun < 30, told
            time.sleep(0.05)

    def settled(self, name: str) -> None:
        """Until its status has been the same for a while: a change of a config makes new tasks a moment later."""
        deadline, since, before = time.monotonic() + 30, time.monotonic(), None
        while time.monotonic() - since < SETTLED_S:
            told = states_of(self.side.client.get(f"/connectors/{name}/status").json())
            if told != before:
                since, before = time.monotonic(), told
            assert time.monotonic() < deadline, told
            time.sleep(0.1)

    def until_offsets(self, name: str) -> None:
        """Until the connector has a position."""
        deadline = time.monotonic() + 30
        while not self.side.client.get(f"/connectors/{name}/offsets").json()["offsets"]:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def _shape_of(answer: httpx2.Response) -> Any:
    if not answer.content:
        return None
    with contextlib.suppress(ValueError):
        return shape(answer.json())
    return "text"


NULLABLE = frozenset({"default_value", "group", "value", "last_modified", "version"})
"""Keys whose values are sometimes null, on either side."""
OWN_WORDS = frozenset({"config", "offset", "partition"})
"""Keys whose objects hold each side's own words."""


def shape(value: Any) -> Any:
    """The kinds of things in a JSON value: what is each side's own, texts of errors and our `ioc` do not count."""
    if isinstance(value, dict):
        return {
            name: "nullable" if name in NULLABLE else _own(item) if name in OWN_WORDS else shape(item)
            for name, item in sorted(value.items())
            if name not in ("ioc", "trace")
        }
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__


def _own(value: Any) -> Any:
    return "object" if isinstance(value, dict) else shape(value)


def states_of(told: dict[str, Any]) -> list[Any]:
    """The states in a status."""
    return [told.get("connector", {}).get("state"), *(task["state"] for task in told.get("tasks", []))]


def dialogue(side: Side) -> Answers:
    """All of it, in order."""
    told = Answers(side)
    for part in (_root, _create, _read, _change, _operate, _position, _plugins, _wrong, _http, _loggers, _end):
        part(told)
    return told


def _root(told: Answers) -> None:
    told.ask("root", "GET", "/")
    told.ask("health", "GET", "/health")
    told.ask("no connectors", "GET", "/connectors")
    told.ask("no connectors, expanded", "GET", "/connectors?expand=info&expand=status")


def _create(told: Answers) -> None:
    config = told.side.config
    told.ask("create", "POST", "/connectors", {"name": "cmp", "config": config})
    told.ask("create again", "POST", "/connectors", {"name": "cmp", "config": config})
    told.ask("create again, invalid", "POST", "/connectors",
             {"name": "cmp", "config": {"connector.class": config["connector.class"]}})  # fmt: skip
    told.ask("create by PUT", "PUT", "/connectors/put/config", config)
    told.ask("create paused", "POST", "/connectors", {"name": "idle", "config": config, "initial_state": "paused"})
    told.ask("create stopped", "POST", "/connectors", {"name": "halt", "config": config, "initial_state": "STOPPED"})
    told.ask("name is trimmed", "POST", "/connectors", {"name": "  trim ", "config": config})
    told.until("cmp", "RUNNING")
    told.until_offsets("cmp")


def _read(told: Answers) -> None:
    for path in ("", "/", "/status", "/tasks", "/tasks/0/status", "/topics", "/offsets"):
        told.ask(f"GET cmp{path}", "GET", f"/connectors/cmp{path}")
    config = told.ask("GET cmp/config", "GET", "/connectors/cmp/config").json()
    assert all(isinstance(value, str) for value in config.values())
    told.found["GET cmp/config"] = (200, "object" if config["name"] == "cmp" else config, {})
    told.ask("list, slash", "GET", "/connectors/")
    expanded = told.ask("list, expanded", "GET", "/connectors?expand=info&expand=status").json()
    told.found["list, expanded"] = (200, {name: shape(expanded[name]) for name in ("cmp",)}, {})
    for step, query in (("comma", "info,status"), ("unknown", "colour")):
        answer = told.ask(f"list, expand {step}", "GET", f"/connectors?expand={query}").json()
        told.found[f"list, expand {step}"] = (200, answer["cmp"], {})
    for path in ("", "/config", "/status", "/tasks", "/tasks/0/status", "/topics", "/offsets"):
        told.ask(f"GET absent{path}", "GET", f"/connectors/absent{path}")
    told.ask("GET cmp/tasks/7/status", "GET", "/connectors/cmp/tasks/7/status")
    told.ask("GET halt", "GET", "/connectors/halt")
    told.ask("GET halt/tasks", "GET", "/connectors/halt/tasks")
    told.ask("GET halt/tasks/0/status", "GET", "/connectors/halt/tasks/0/status")


def _change(told: Answers) -> None:
    config, required = told.side.config, told.side.required
    told.ask("PUT config", "PUT", "/connectors/cmp/config", config)
    told.ask("PUT config, scalars", "PUT", "/connectors/cmp/config", config | {"tasks.max": 1})
    told.ask("PUT config, another name", "PUT", "/connectors/cmp/config", config | {"name": "other"})
    told.ask("PUT config, null", "PUT", "/connectors/cmp/config", config | {"colour": None})
    told.ask("PUT config, invalid", "PUT", "/connectors/cmp/config",
             {"connector.class": config["connector.class"]})  # fmt: skip
    told.ask("PATCH config", "PATCH", "/connectors/cmp/config", {"tasks.max": "1"})
    told.ask("PATCH config, required to null", "PATCH", "/connectors/cmp/config", {required: None})
    told.ask("PATCH config, absent", "PATCH", "/connectors/absent/config", {"tasks.max": "1"})
    told.ask("PATCH config, stopped", "PATCH", "/connectors/halt/config", {"tasks.max": "1"})
    told.settled("cmp")
    told.until("cmp", "RUNNING")


def _operate(told: Answers) -> None:
    for act, state in (("pause", "PAUSED"), ("resume", "RUNNING"), ("stop", "STOPPED")):
        told.ask(act, "PUT", f"/connectors/cmp/{act}")
        told.until("cmp", state)
        told.ask(f"{act}: status", "GET", "/connectors/cmp/status")
        told.ask(f"{act} again", "PUT", f"/connectors/cmp/{act}")
        told.ask(f"{act} absent", "PUT", f"/connectors/absent/{act}")
    told.ask("stopped: restart", "POST", "/connectors/cmp/restart")
    told.ask("stopped: restart, tasks", "POST", "/connectors/cmp/restart?includeTasks=true")
    told.ask("stopped: tasks", "GET", "/connectors/cmp/tasks")
    told.ask("resume after stop", "PUT", "/connectors/cmp/resume")
    told.until("cmp", "RUNNING")
    told.ask("restart", "POST", "/connectors/cmp/restart")
    told.until("cmp", "RUNNING")
    told.ask("restart, tasks", "POST", "/connectors/cmp/restart?includeTasks=true")
    told.until("cmp", "RUNNING")
    told.ask("restart, only failed", "POST", "/connectors/cmp/restart?onlyFailed=true")
    told.ask("restart, no boolean", "POST", "/connectors/cmp/restart?includeTasks=yes")
    told.until("cmp", "RUNNING")
    told.ask("restart absent", "POST", "/connectors/absent/restart")
    told.ask("restart task", "POST", "/connectors/cmp/tasks/0/restart")
    told.ask("restart task 7", "POST", "/connectors/cmp/tasks/7/restart")
    told.ask("reset topics", "PUT", "/connectors/cmp/topics/reset")
    told.ask("reset topics, absent", "PUT", "/connectors/absent/topics/reset")


def _position(told: Answers) -> None:
    side, path = told.side, "/connectors/cmp/offsets"
    told.until("cmp", "RUNNING")
    told.until_offsets("cmp")
    body = {"offsets": [{"partition": side.partition, "offset": side.offset}]}
    told.ask("offsets", "GET", path)
    told.ask("alter while running", "PATCH", path, body)
    told.ask("reset while running", "DELETE", path)
    side.client.put("/connectors/cmp/pause")
    told.until("cmp", "PAUSED")
    told.ask("alter while paused", "PATCH", path, body)
    side.client.put("/connectors/cmp/stop")
    told.until("cmp", "STOPPED")
    told.ask("alter", "PATCH", path, body)
    told.ask("offsets altered", "GET", path)
    told.ask("alter, nothing", "PATCH", path, {})
    told.ask("alter, empty", "PATCH", path, {"offsets": []})
    told.ask("alter, null", "PATCH", path, {"offsets": [{"partition": side.partition, "offset": None}]})
    told.ask("reset", "DELETE", path)
    told.ask("reset again", "DELETE", path)
    told.ask("offsets reset", "GET", path)
    told.ask("alter absent", "PATCH", "/connectors/absent/offsets", body)
    told.ask("reset absent", "DELETE", "/connectors/absent/offsets")


def _plugins(told: Answers) -> None:
    plugin, config = told.side.plugin, told.side.config
    told.ask("plugins", "GET", "/connector-plugins")
    told.ask("plugins, all", "GET", "/connector-plugins?connectorsOnly=false")
    told.ask("plugin config", "GET", f"/connector-plugins/{plugin}/config")
    told.ask("plugin config, unknown", "GET", "/connector-plugins/Nothing/config")
    for step, name in (("simple", plugin), ("alias", plugin.removesuffix("Connector")),
                       ("wrong case", plugin.lower())):  # fmt: skip
        told.ask(f"validate, {step}", "PUT", f"/connector-plugins/{name}/config/validate",
                 config | {"name": "v", "topics": "x"})  # fmt: skip
    bare = told.ask("validate, class and topics", "PUT", f"/connector-plugins/{plugin}/config/validate",
                    {"connector.class": config["connector.class"], "topics": "x"})  # fmt: skip
    body = bare.json()
    assert body["error_count"] == sum(len(item["value"]["errors"]) for item in body["configs"]) > 0
    told.ask("validate, another class", "PUT", f"/connector-plugins/{plugin}/config/validate",
             config | {"connector.class": "Other"})  # fmt: skip


def _wrong(told: Answers) -> None:
    config, as_json = told.side.config, {"Content-Type": "application/json"}
    for step, content in (("malformed", b"{"), ("null", b"null"), ("empty", b""), ("array", b"[]")):
        told.ask(f"create, {step}", "POST", "/connectors", content=content, headers=as_json)
    told.ask("create, unknown field", "POST", "/connectors", {"name": "w", "config": config, "colour": 1})
    told.ask("create, nested", "POST", "/connectors", {"name": "w", "config": config | {"a": {"b": 1}}})
    told.ask("create, no config", "POST", "/connectors", {"name": "w"})
    told.ask("create, empty config", "POST", "/connectors", {"name": "w", "config": {}})
    told.ask("create, bad state", "POST", "/connectors", {"name": "w", "config": config, "initial_state": "off"})
    told.ask("create, no name", "POST", "/connectors", {"config": config})
    told.ask("create, blank name", "POST", "/connectors", {"name": " ", "config": config})
    told.ask("create, name inside", "POST", "/connectors", {"config": config | {"name": "inside"}})
    told.ask("create, unknown class", "POST", "/connectors", {"name": "w", "config": {"connector.class": "Nothing"}})
    told.ask("create, Vietnamese name", "POST", "/connectors", {"name": "Cổng dịch vụ", "config": config})


def _http(told: Answers) -> None:
    told.ask("404", "GET", "/nothing")
    told.ask("404 below", "GET", "/connectors/cmp/nothing")
    told.ask("405", "DELETE", "/connectors")
    told.ask("406", "GET", "/connectors", headers={"Accept": "text/html"})
    told.ask("415", "PUT", "/connectors/cmp/pause", headers={"Content-Type": "text/plain"})
    told.ask("415 with body", "POST", "/connectors", content=b"x", headers={"Content-Type": "text/plain"})
    told.ask("charset", "PUT", "/connectors/cmp/pause", headers={"Content-Type": "application/json; charset=utf-8"})
    for step, name in (("slash", "a%2Fb"), ("percent", "a%25b"), ("backslash", "a%5Cb"), ("control", "a%01b")):
        told.ask(f"encoded {step}", "GET", f"/connectors/{name}")
    told.ask("encoded Vietnamese", "GET", "/connectors/C%E1%BB%95ng")


def _loggers(told: Answers) -> None:
    told.ask("loggers: one", "GET", "/admin/loggers/root")
    told.ask("loggers: unknown", "GET", "/admin/loggers/no.such")
    told.ask("loggers: set", "PUT", "/admin/loggers/root", {"level": "WARN"})
    told.ask("loggers: bad level", "PUT", "/admin/loggers/root", {"level": "LOUD"})
    told.ask("loggers: no level", "PUT", "/admin/loggers/root", {})
    told.ask("loggers: cluster", "PUT", "/admin/loggers/root?scope=cluster", {"level": "WARN"})


def _end(told: Answers) -> None:
    for name in ("cmp", "put", "idle", "halt", "trim"):
        told.ask(f"delete {name}", "DELETE", f"/connectors/{name}")
    told.ask("delete again", "DELETE", "/connectors/cmp")
