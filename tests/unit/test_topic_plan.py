"""What a plan of topics does, and what it refuses: a table of cases."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hub.topic_plan import DAY_MS, Accepted, Action, RealTopic, TopicSpec, entity_spec, plan_topics
from schemas.contract import load_contracts
from schemas.errors import ContractError
from schemas.topic_settings import topic_settings

NAME = "ioc.test.thing"
KEPT = {"cleanup.policy": "delete", "retention.ms": "-1", "compression.type": "producer"}
SPEC = TopicSpec(NAME, 4, KEPT, of_entity=True)
REAL = RealTopic(NAME, 4, 1, {**KEPT, "segment.ms": "1", "min.insync.replicas": "1"}, records=100, lag=0)
LOG = TopicSpec("_schemas", 1, {"cleanup.policy": "compact"})
DAYS_30, DAYS_400 = str(30 * DAY_MS), str(400 * DAY_MS)


def spec(**changes: str) -> TopicSpec:
    return replace(SPEC, config={**KEPT, **{key.replace("_", "."): value for key, value in changes.items()}})


def real(made: RealTopic = REAL, /, **changes: Any) -> RealTopic:
    shape = {key: changes.pop(key) for key in ("partitions", "replication", "records", "lag") if key in changes}
    settings = {key.replace("_", "."): value for key, value in changes.items()}
    return replace(made, config={**made.config, **settings}, **shape)


CASES: list[tuple[str, TopicSpec, RealTopic | None, list[tuple[str, Action, str]]]] = [
    ("as declared; what nobody declared is left alone", SPEC, REAL, []),
    ("missing", SPEC, None, [("topic", Action.CREATE, "")]),
    ("more replicas than brokers", replace(SPEC, replication=3), None, [("replication", Action.REFUSE, "2 brokers")]),
    (
        "more in-sync replicas than replicas",
        spec(min_insync_replicas="2"),
        None,
        [("min.insync.replicas", Action.REFUSE, "every write would fail")],
    ),
    ("a name that is none", replace(SPEC, name="ioc.Test.thing"), None, [("name", Action.REFUSE, "lower case")]),
    ("fewer partitions", replace(SPEC, partitions=2), REAL, [("partitions", Action.REFUSE, "cannot take")]),
    ("more partitions", replace(SPEC, partitions=8), REAL, [("partitions", Action.REFUSE, "mid-flow")]),
    (
        "more partitions of a compacted log",
        replace(LOG, partitions=2),
        RealTopic("_schemas", 1, 1, LOG.config, 5),
        [("partitions", Action.REFUSE, "one partition only")],
    ),
    ("other replicas", replace(SPEC, replication=2), REAL, [("replication", Action.REFUSE, "Kafka's own tool")]),
    ("longer retention", spec(retention_ms=DAYS_400), real(retention_ms=DAYS_30), [("retention.ms", Action.ALTER, "")]),
    ("all instead of some", SPEC, real(retention_ms=DAYS_30), [("retention.ms", Action.ALTER, "")]),
    (
        "shorter retention, everything processed",
        spec(retention_ms=DAYS_30),
        REAL,
        [("retention.ms", Action.REFUSE, "would be deleted")],
    ),
    (
        "shorter retention, records not processed",
        spec(retention_ms=DAYS_30),
        real(lag=7),
        [("retention.ms", Action.REFUSE, "7 records are not processed")],
    ),
    (
        "shorter retention, lag not known",
        spec(retention_ms=DAYS_30),
        real(lag=None),
        [("retention.ms", Action.REFUSE, "? records")],
    ),
    (
        "retention shorter than what consumers need",
        spec(retention_ms=str(DAY_MS)),
        REAL,
        [("retention.ms", Action.REFUSE, "catch up")],
    ),
    (
        "shorter retention of an empty topic",
        spec(retention_ms=DAYS_30),
        real(records=0),
        [("retention.ms", Action.ALTER, "")],
    ),
    (
        "compaction of a topic with records",
        spec(cleanup_policy="compact"),
        REAL,
        [("cleanup.policy", Action.REFUSE, "vanish")],
    ),
    (
        "a compacted log turned into one that forgets",
        replace(LOG, config={"cleanup.policy": "delete"}),
        RealTopic("_schemas", 1, 1, LOG.config, 5),
        [("cleanup.policy", Action.REFUSE, "go with time")],
    ),
    (
        "compaction of an empty topic",
        spec(cleanup_policy="compact"),
        real(records=0),
        [("cleanup.policy", Action.ALTER, "")],
    ),
    (
        "fewer in-sync replicas wanted than there are replicas",
        spec(min_insync_replicas="2"),
        real(replication=1),
        [("min.insync.replicas", Action.REFUSE, "every write would fail")],
    ),
    ("another compression", SPEC, real(compression_type="gzip"), [("compression.type", Action.ALTER, "")]),
]


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub.language.LANGUAGE", "en")


@pytest.mark.parametrize(("declared", "found", "wanted"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_difference_is_a_step_or_a_refusal_with_its_reason(
    declared: TopicSpec, found: RealTopic | None, wanted: list[tuple[str, Action, str]]
) -> None:
    steps = plan_topics([declared], {found.name: found} if found else {}, 2)
    assert [(step.setting, step.action) for step in steps] == [case[:2] for case in wanted]
    for step, (_, action, reason) in zip(steps, wanted, strict=True):
        assert reason in step.reason
        assert bool(step.cure) == (action is Action.REFUSE)


def test_more_partitions_are_grown_by_the_command_that_keeps_the_order() -> None:
    (step,) = plan_topics([replace(SPEC, partitions=8)], {NAME: REAL}, 1)
    assert step.cure == f"ioc topics grow {NAME} --partitions 8"


def test_shorter_retention_is_done_once_it_is_accepted_and_everything_is_processed() -> None:
    shorter, accepted = spec(retention_ms=DAYS_30), Accepted(frozenset({NAME}))
    (step,) = plan_topics([shorter], {NAME: REAL}, 1, accepted)
    assert (step.action, step.declared, step.actual) == (Action.ALTER, "30 d", "all")
    (step,) = plan_topics([shorter], {NAME: real(lag=1)}, 1, accepted)
    assert step.action is Action.REFUSE


def test_a_topic_that_kafka_could_not_tell_from_another_is_refused() -> None:
    other = TopicSpec("ioc.test_thing.x", 4, KEPT)
    (step,) = plan_topics([other], {"ioc.test.thing_x": replace(REAL, name="ioc.test.thing_x")}, 1)[:1]
    assert (step.setting, step.action) == ("name", Action.REFUSE)
    assert "ioc.test.thing_x" in step.reason


def test_a_topic_that_no_contract_declares_is_named_and_left() -> None:
    (step,) = plan_topics([], {NAME: REAL}, 1)
    assert (step.topic, step.action) == (NAME, Action.NOTE)


def test_a_plan_that_is_done_leaves_nothing_to_do() -> None:
    specs = [entity_spec(contract, 4, 1) for contract in load_contracts().values()]
    made = {one.name: RealTopic(one.name, one.partitions, 1, dict(one.config)) for one in specs}
    assert {step.action for step in plan_topics(specs, {}, 1)} == {Action.CREATE}
    assert plan_topics(specs, made, 1) == []


def test_settings_follow_the_contract_then_its_kind() -> None:
    dossier = load_contracts()["dossier"]
    assert entity_spec(dossier, 4, 1).config == KEPT
    assert entity_spec(dossier, 4, 3).config == {**KEPT, "min.insync.replicas": "2"}
    fact = replace(dossier, kind="fact")
    assert entity_spec(fact, 4, 1).config["retention.ms"] == DAYS_400
    said = {"partitions": 6, "retention_days": 30, "min_insync_replicas": 1, "max_message_bytes": 2**20}
    told = entity_spec(replace(fact, schema={**fact.schema, "topic": said}), 4, 3)
    assert told.partitions == 6
    assert told.config == {**KEPT, "retention.ms": DAYS_30, "min.insync.replicas": "1", "max.message.bytes": "1048576"}


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"retention_day": 3}, "x.avsc.topic.retention_day: .*retention_days"),
        ({"retention_days": 3}, "x.avsc.topic.retention_days: 3 is no whole number from 7"),
        ({"retention_days": "30"}, 'x.avsc.topic.retention_days: .*or "all"'),
        ({"partitions": True}, "x.avsc.topic.partitions: True"),
        ([], r"x.avsc.topic: \[\] is no object"),
    ],
)
def test_a_wrong_setting_is_refused_with_its_path_and_what_it_may_be(said: Any, message: str) -> None:
    with pytest.raises(ContractError, match=message):
        topic_settings({"topic": said}, "x.avsc")
