"""`ioc topics plan`: the topics as the contracts want them against those that the cluster has. Pure.

What can be done safely is a step; what would lose records, order or writes is refused, with the reason and the way
round. Everything else that differs – settings that nobody declared – is left to whoever set it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from hub.language import t
from schemas.contract import Contract
from schemas.topic_settings import KEEP_ALL, LEAST_RETENTION_DAYS

DAY_MS = 24 * 3600 * 1000

FACT_DAYS = 400
"""Of facts so many days stay on the topic: over a year, so that a year can be compared with the one before."""

FOREVER = "-1"

NAME = re.compile(r"ioc\.[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*")
LONGEST_NAME = 249


class Action(StrEnum):
    """What is to be done about one setting of a topic."""

    CREATE = "create"
    ALTER = "alter"
    REFUSE = "refuse"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """A topic as it should be; its `config` are the settings that the hub looks after. `of_entity`: workers catch up
    from it, and its partitions can be grown."""

    name: str
    partitions: int
    config: Mapping[str, str]
    replication: int = 1
    of_entity: bool = False


@dataclass(frozen=True, slots=True)
class RealTopic:
    """A topic as it is. `config` are all its settings, `records` how many its partitions hold; `lag` is what the
    stream's group has not processed, None if that is not known or not asked."""

    name: str
    partitions: int
    replication: int
    config: Mapping[str, str]
    records: int = 0
    lag: int | None = 0


@dataclass(frozen=True, slots=True)
class Step:
    """One difference. `reason` and `cure` are said in the process's language."""

    topic: str
    setting: str
    declared: str
    actual: str
    action: Action
    reason: str = ""
    cure: str = ""


@dataclass(frozen=True, slots=True)
class Accepted:
    """What the person at the terminal has accepted: topics whose retention may become shorter."""

    shorter_retention: frozenset[str] = field(default_factory=frozenset)


def entity_spec(contract: Contract, partitions: int, replication: int) -> TopicSpec:
    """An entity's topic: what its contract says, else by its kind and the cluster's defaults."""
    said = contract.topic_settings
    days = said.retention_days or (max(FACT_DAYS, contract.remember_days or 0) if contract.kind == "fact" else KEEP_ALL)
    config = {
        "cleanup.policy": "delete",
        "retention.ms": FOREVER if days == KEEP_ALL else str(int(days) * DAY_MS),
        "compression.type": "producer",
    }
    if said.min_insync_replicas is not None or replication > 1:
        # Two of three: a write is on two machines before it counts, and one machine may be away.
        config["min.insync.replicas"] = str(said.min_insync_replicas or 2)
    if said.max_message_bytes is not None:
        config["max.message.bytes"] = str(said.max_message_bytes)
    return TopicSpec(contract.topic, said.partitions or partitions, config, replication, of_entity=True)


def plan_topics(
    wanted: Iterable[TopicSpec], real: Mapping[str, RealTopic], brokers: int, accepted: Accepted = Accepted()
) -> list[Step]:
    """All differences, topic by topic; none: the cluster is as the contracts want it."""
    specs = list(wanted)
    steps: list[Step] = []
    for spec in specs:
        found = real.get(spec.name)
        bad_name = _name_clash(spec, specs, real) if found is None else None
        if bad_name is not None:
            steps.append(bad_name)
        elif found is None:
            steps.append(_create(spec, brokers))
        else:
            steps += _shape(spec, found)
            steps += [step for key in spec.config if (step := _setting(spec, found, key, accepted)) is not None]
    known = {spec.name for spec in specs}
    return steps + [_orphan(topic) for name, topic in sorted(real.items()) if name not in known]


def _name_clash(spec: TopicSpec, specs: Iterable[TopicSpec], real: Mapping[str, RealTopic]) -> Step | None:
    """Kafka names metrics with `_` for `.`, and refuses a topic that would share them with another."""
    alike = {name for name in (*real, *(one.name for one in specs)) if name != spec.name}
    clash = next((name for name in sorted(alike) if name.replace(".", "_") == spec.name.replace(".", "_")), None)
    if clash is not None:
        reason = t(
            f"trùng tên với {clash} khi Kafka đổi “.” thành “_”", f"Kafka cannot tell it from {clash} ('.' = '_')"
        )
        cure = t("đổi tên thực thể trong hợp đồng", "give the entity another name in its contract")
        return Step(spec.name, "name", spec.name, clash, Action.REFUSE, reason, cure)
    if (spec.of_entity and not NAME.fullmatch(spec.name)) or len(spec.name) > LONGEST_NAME:
        reason = t(
            "tên chủ đề là ioc.<lĩnh vực>.<thực thể>, chữ thường", "a topic is ioc.<domain>.<entity>, lower case"
        )
        cure = t("đổi tên thư mục hoặc tệp .avsc", "rename the folder or the .avsc file")
        return Step(spec.name, "name", spec.name, "–", Action.REFUSE, reason, cure)
    return None


def _create(spec: TopicSpec, brokers: int) -> Step:
    declared = f"{spec.partitions} × {spec.replication}"
    insync = int(spec.config.get("min.insync.replicas", "1"))
    if spec.replication > brokers:
        return Step(
            *(spec.name, "replication", str(spec.replication), f"{brokers} broker", Action.REFUSE),
            t(f"cụm chỉ có {brokers} broker", f"the cluster has {brokers} brokers only"),
            t(
                "giảm IOC_KAFKA__REPLICATION_FACTOR hoặc thêm broker",
                "lower IOC_KAFKA__REPLICATION_FACTOR or add brokers",
            ),
        )
    if insync > spec.replication:
        return _too_many_insync(spec, insync, "–", spec.replication)
    return Step(spec.name, "topic", declared, "–", Action.CREATE)


def _too_many_insync(spec: TopicSpec, insync: int, actual: str, replication: int) -> Step:
    return Step(
        *(spec.name, "min.insync.replicas", str(insync), actual, Action.REFUSE),
        t(
            f"chỉ có {replication} bản sao: mọi lần ghi sẽ bị từ chối",
            f"replicas: {replication} only, so every write would fail",
        ),
        t("giảm topic.min_insync_replicas hoặc tăng số bản sao", "lower topic.min_insync_replicas or add replicas"),
    )


def _shape(spec: TopicSpec, real: RealTopic) -> list[Step]:
    steps = []
    if spec.partitions > real.partitions:
        steps.append(_more_partitions(spec, real))
    elif spec.partitions < real.partitions:
        steps.append(
            Step(
                *(spec.name, "partitions", str(spec.partitions), str(real.partitions), Action.REFUSE),
                t("Kafka không thể bớt phân vùng", "Kafka cannot take partitions away"),
                t(
                    f'ghi "topic": {{"partitions": {real.partitions}}} trong hợp đồng, hoặc IOC_KAFKA__PARTITIONS',
                    f'write "topic": {{"partitions": {real.partitions}}} in the contract, or set IOC_KAFKA__PARTITIONS',
                ),
            )
        )
    if spec.replication != real.replication:
        steps.append(
            Step(
                *(spec.name, "replication", str(spec.replication), str(real.replication), Action.REFUSE),
                t(
                    "bản sao được chuyển giữa các broker bằng công cụ của Kafka",
                    "replicas are moved by Kafka's own tool",
                ),
                t("chạy kafka-reassign-partitions", "run kafka-reassign-partitions"),
            )
        )
    return steps


def _more_partitions(spec: TopicSpec, real: RealTopic) -> Step:
    numbers = str(spec.partitions), str(real.partitions)
    if not spec.of_entity:
        return Step(
            *(spec.name, "partitions", *numbers, Action.REFUSE),
            t("thứ tự toàn cục của chủ đề này sẽ mất", "this topic's order holds within one partition only"),
            t("giữ nguyên", "leave it as it is"),
        )
    return Step(
        *(spec.name, "partitions", *numbers, Action.REFUSE),
        t("khóa sẽ đổi phân vùng khi đang ghi, thứ tự từng hồ sơ sẽ mất", "keys would change partitions in mid-flow"),
        f"ioc topics grow {spec.name} --partitions {spec.partitions}",
    )


def _setting(spec: TopicSpec, real: RealTopic, key: str, accepted: Accepted) -> Step | None:
    declared, actual = spec.config[key], real.config.get(key, "")
    if declared == actual:
        return None
    if key == "cleanup.policy":
        return _policy(spec, real, declared, actual)
    if key == "retention.ms":
        return _retention(spec, real, declared, actual, accepted)
    if key == "min.insync.replicas" and int(declared) > real.replication:
        return _too_many_insync(spec, int(declared), actual, real.replication)
    return Step(spec.name, key, declared, actual, Action.ALTER)


def _policy(spec: TopicSpec, real: RealTopic, declared: str, actual: str) -> Step:
    if real.records == 0:
        return Step(spec.name, "cleanup.policy", declared, actual, Action.ALTER)
    deletes = "compact" in actual and "delete" in declared
    reason = (
        t("trạng thái cũ nhất sẽ bị xóa theo thời gian", "the last state of keys would go with time")
        if deletes
        else t(
            "bản ghi cũ của mỗi khóa sẽ bị gộp mất trước khi xử lý", "older records of a key would vanish unprocessed"
        )
    )
    cure = t(
        f"dừng ghi, sao chép chủ đề, xóa rồi chạy lại; hoặc đặt lại: cleanup.policy={actual}",
        f"stop the writers, copy the topic, delete it and run this again; or leave cleanup.policy={actual}",
    )
    return Step(spec.name, "cleanup.policy", declared, actual, Action.REFUSE, reason, cure)


def _retention(spec: TopicSpec, real: RealTopic, declared: str, actual: str, accepted: Accepted) -> Step:
    place = spec.name, "retention.ms", shown_ms(declared), shown_ms(actual)
    if not _shorter(declared, actual) or real.records == 0:
        return Step(*place, Action.ALTER)
    if spec.of_entity and _shorter(declared, str(LEAST_RETENTION_DAYS * DAY_MS)):
        return Step(
            *(*place, Action.REFUSE),
            t(
                "ngắn hơn thời gian bộ xử lý có thể cần để đuổi kịp",
                "shorter than what a worker may have to catch up from",
            ),
            t(f"ít nhất {LEAST_RETENTION_DAYS} ngày", f"at least {LEAST_RETENTION_DAYS} days"),
        )
    if spec.of_entity and real.lag != 0:
        left = "?" if real.lag is None else str(real.lag)
        return Step(
            *(*place, Action.REFUSE),
            t(f"{left} bản ghi chưa xử lý có thể bị xóa", f"{left} records are not processed and could be deleted"),
            t("chờ đến khi ioc lag bằng 0, rồi chạy lại", "wait until ioc lag shows 0, then run again"),
        )
    if spec.name not in accepted.shorter_retention:
        return Step(
            *(*place, Action.REFUSE),
            t("bản ghi cũ hơn sẽ bị xóa khỏi Kafka", "older records would be deleted from Kafka"),
            f"ioc topics apply --shorter-retention {spec.name}",
        )
    return Step(*place, Action.ALTER)


def _shorter(declared: str, actual: str) -> bool:
    if declared == FOREVER:
        return False
    return actual == FOREVER or not actual or int(declared) < int(actual)


def _orphan(topic: RealTopic) -> Step:
    return Step(
        *(topic.name, "topic", "–", t(f"{topic.records} bản ghi", f"{topic.records} records"), Action.NOTE),
        t("không hợp đồng nào khai báo", "no contract declares it"),
        t("xóa bằng công cụ của Kafka nếu không còn ai dùng", "delete it with Kafka's own tool if nobody uses it"),
    )


def shown_ms(value: str) -> str:
    """A retention for people: `all`, or days where they are whole."""
    if value in ("", FOREVER):
        return {"": "–", FOREVER: KEEP_ALL}[value]
    days, rest = divmod(int(value), DAY_MS)
    return f"{days} d" if rest == 0 else f"{value} ms"
