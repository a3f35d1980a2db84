"""A first manifest from a few answers: what kind and contract need, and guesses where a record shows them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from connectors.declared_answers import Question, questions_of
from connectors.inference import TIME
from connectors.manifest import Manifest
from connectors.personal_data import find_personal, leaves
from connectors.rules import FieldRule
from connectors.source import REVISION
from connectors.yaml_text import to_yaml
from schemas.contract import ENVELOPE, Contract, Field
from schemas.declaration import nearest

TODO = "TODO"
"""What stands where an officer has to decide; a field of that name does not exist at the source."""
NUMBERED = frozenset({"files", "sql", "station_txt"})
"""Kinds that give every record the connector's own growing number."""
PSEUDONYMS = {"citizen_id": "citizen_id", "phone": "phone", "name": "name"}
PATTERNS = ("%d/%m/%Y %H:%M:%S", "%d/%m/%Y %H:%M", "%d/%m/%Y", "%Y-%m-%d %H:%M:%S")


@dataclass(frozen=True, slots=True)
class Answers:
    """What only a person can say. `source`: the kind's own keys as far as they are known, nested."""

    id: str
    kind: str
    name_vi: str
    name_en: str
    department: str
    contact: str
    org: str
    sla: Mapping[str, Any]
    source: Mapping[str, Any]


def draft(
    answers: Answers,
    contract: Contract,
    config: type[BaseModel],
    records: Sequence[Any],
    others: Iterable[Manifest] = (),
) -> dict[str, Any]:
    """The manifest as a tree in the usual order of keys. `records`: a sample, empty if there is none. `others`:
    manifests whose rules are taken over for fields of the same name that the sample fits."""
    samples = _samples(records)
    personal = [finding.path for finding in find_personal(records)]
    known = list(others)
    mapping = {
        field.name: rule
        for field in contract.fields
        if (rule := _rule(field, answers, samples, learned(field.name, contract.entity, samples, known))) is not None
    }
    return {
        "id": answers.id,
        "kind": answers.kind,
        "entity": contract.entity,
        "source_system": answers.id,
        "name": {"vi": answers.name_vi, "en": answers.name_en},
        "owner": {"department": answers.department, "contact": answers.contact, "org": answers.org},
        "sla": dict(answers.sla),
        "timezone": "Asia/Ho_Chi_Minh",
        "source": {**_needed(answers, config), **answers.source},
        "pii": personal,
        "mapping": mapping,
    }


def as_yaml(tree: Mapping[str, Any], heading: str) -> str:
    """The text of the file: short blocks on one line, the mapping a line a field."""
    text = to_yaml(dict(tree), sort_keys=False, width=120, default_flow_style=None)
    return f"# {heading}\n{text}"


def unanswered(config: type[BaseModel], source: Mapping[str, Any]) -> list[Question]:
    """What the kind's block `source` needs and `source` does not hold."""
    return [question for question in questions_of(config) if question.key not in source]


def _needed(answers: Answers, config: type[BaseModel]) -> dict[str, Any]:
    word = re.sub(r"[^A-Z0-9]+", "_", answers.id.upper())
    found: dict[str, Any] = {}
    for question in unanswered(config, answers.source):
        if question.is_secret:
            found[question.key] = f"${{env:IOC_SECRET_{word}_{question.key.upper()}}}"
        elif question.is_reference:
            found[question.key] = f"${{env:IOC_{word}_{question.key.upper()}}}"
        else:
            found[question.key] = question.example
    return found


def _samples(records: Sequence[Any]) -> dict[str, Any]:
    """A value for each path: the first that is not empty."""
    found: dict[str, Any] = {}
    for record in records:
        for path, value in leaves(record):
            if found.get(path) in (None, ""):
                found[path] = value
    return found


def learned(field: str, entity: str, samples: Mapping[str, Any], others: Sequence[Manifest]) -> dict[str, Any] | None:
    """How other systems' manifests read the field, from a path that the sample has with a value that fits; those of the
    same entity first, of others only what every entity has."""
    for manifest in sorted(others, key=lambda other: other.entity != entity):
        rule = manifest.mapping.get(field)
        if rule is None or (manifest.entity != entity and field not in ENVELOPE):
            continue
        path = rule.source
        if path is not None and path in samples and rule.expr is None and _fits(rule, samples[path]):
            return {key: _plain(value) for key, value in rule.model_dump(by_alias=True, exclude_defaults=True).items()}
    return None


def _fits(rule: FieldRule, value: Any) -> bool:
    """Whether a rule may be one for values such as this; of nothing it is not known, and the name counts."""
    if value in (None, ""):
        return True
    if rule.codes is not None and value not in rule.codes:
        return False
    if rule.times and not (isinstance(value, str) and _time_form(value) in rule.times):
        return False
    return rule.pattern is None or re.fullmatch(rule.pattern, str(value)) is not None


def _plain(value: Any) -> Any:
    """As people write it in YAML: lists for tuples, 1 for 1.0."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def _rule(
    field: Field, answers: Answers, samples: Mapping[str, Any], elsewhere: dict[str, Any] | None
) -> dict[str, Any] | None:
    fixed: dict[str, dict[str, Any]] = {
        "source_system": {"const": answers.id},
        "ingest_time": {"ingest_time": True},
        "admin_codeset": {"const": "2025"},
    }
    if answers.kind in NUMBERED:
        fixed["revision"] = {"from": REVISION}
    if elsewhere is not None and (field.name == "admin_codeset" or field.name not in fixed):
        return elsewhere
    if field.name in fixed and not (field.name == "admin_codeset" and field.base != "string"):
        return fixed[field.name]
    path = guess(field.name, samples)
    if path is None:
        if field.name == "op":
            return {"const": "UPSERT"}
        if field.name == "org_code":
            return {"const": answers.org}
        return None if field.nullable or field.has_default else {"from": TODO, **_shape(field, None)}
    return {"from": path, **_shape(field, samples[path])}


def guess(name: str, samples: Mapping[str, Any]) -> str | None:
    """The path whose last part is most like a field's name."""
    by_word = {_word(path.rpartition(".")[2]): path for path in samples}
    word = _word(name)
    if word in by_word:
        return by_word[word]
    close = nearest(word, [known for known in by_word if abs(len(known) - len(word)) <= 3])
    return by_word[close] if close is not None and close[:3] == word[:3] else None


def _word(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _shape(field: Field, value: Any) -> dict[str, Any]:
    """The keys that a field's type needs."""
    if field.base == "timestamp":
        return {"time": _time_form(value)}
    if field.pii is not None:
        return {"pseudonym": PSEUDONYMS.get(field.pii, "text")}
    if field.base in {"int", "long", "float", "double"} and isinstance(value, str) and re.search(r",\d+$", value):
        return {"decimal": ","}
    return {}


def _time_form(value: Any) -> str:
    if not isinstance(value, str) or not TIME(value) or "T" in value:
        return "iso"
    return PATTERNS[0] if value.count(":") == 2 else PATTERNS[1] if ":" in value else PATTERNS[2]
