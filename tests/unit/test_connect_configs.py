"""The configs' topic, folded: newest, approved, target, removed."""

from __future__ import annotations

import random

from connectors.configs import (
    Approved,
    Configs,
    Entry,
    Registered,
    Removed,
    Target,
    encoded,
    key_of,
    partition_key,
    shard_of,
)
from connectors.partition import partition_of


def records(connector: str, *entries: Entry) -> list[tuple[str, bytes]]:
    return [(key_of(type(entry), connector), encoded(entry)) for entry in entries]


def folded(*parts: list[tuple[str, bytes]]) -> Configs:
    configs = Configs()
    for part in parts:
        for key, value in part:
            configs.apply(key, value)
    return configs


def registered(version: int) -> Registered:
    return Registered(version, f"id: a # {version}", "key-1", 1000 + version)


def approved(version: int) -> Approved:
    return Approved(version, f"id: a # {version}", "admin", 2000 + version)


def test_a_registered_connector_waits_until_its_version_is_approved() -> None:
    first = folded(records("a", registered(1))).get("a")
    assert first is not None and first.waits and first.approved is None
    second = folded(records("a", registered(1), approved(1), registered(2))).get("a")
    assert second is not None and second.waits
    assert second.approved is not None and second.approved.version == 1
    third = folded(records("a", registered(2), approved(2))).get("a")
    assert third is not None and not third.waits


def test_what_shall_happen_is_running_unless_somebody_said_otherwise() -> None:
    known = folded(records("a", registered(1)), records("b", registered(1), Target("paused", 3, "op", 5)))
    assert [(item.id, item.target.state, item.target.restarts) for item in known] == [
        ("a", "running", 0),
        ("b", "paused", 3),
    ]


def test_a_removed_connector_is_unknown_and_its_removal_is_remembered() -> None:
    configs = folded(records("a", registered(1), approved(1), Removed("abc", "op", 9)))
    configs.apply(key_of(Registered, "a"), None)
    configs.apply(key_of(Approved, "a"), None)
    assert configs.get("a") is None
    assert configs.ids() == []
    removed = configs.removed("a")
    assert removed is not None and removed.seed == "abc"


def test_foreign_and_broken_records_change_nothing() -> None:
    configs = folded(records("a", registered(1)))
    for key, value in (("task:a", b"{}"), ("registered:a", b"no json"), ("registered:", b"{}"), ("x", None)):
        assert configs.apply(key, value) is None
    assert configs.get("a") is not None


def test_keys_of_a_newer_release_are_ignored() -> None:
    configs = Configs()
    configs.apply("target:a", b'{"state":"paused","restarts":1,"by":"x","at":1,"colour":"red"}')
    configs.apply(*records("a", registered(1))[0])
    declared = configs.get("a")
    assert declared is not None and declared.target.state == "paused"


def test_connectors_do_not_touch_each_other_whatever_the_order() -> None:
    parts = [records(name, registered(1), approved(1), Target("stopped")) for name in ("a", "b", "c")]
    flat = [record for part in parts for record in part]
    expected = list(folded(flat))
    random.Random(3).shuffle(flat)
    assert list(folded(flat)) == expected


def test_all_keys_of_a_connector_fall_into_the_shard_of_its_name() -> None:
    for connector in ("portal", "feedback-1022", "air-quality"):
        keys = [key_of(kind, connector).encode() for kind in (Registered, Approved, Target, Removed)]
        assert {partition_of(partition_key(key), 32) for key in keys} == {shard_of(connector, 32)}
