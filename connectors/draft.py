"""A first manifest from a few answers: what kind and contract need, and guesses where a record shows them. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml
from pydantic import BaseModel

from connectors.declared_answers import Question, questions_of
from connectors.inference import TIME
from connectors.personal_data import find_personal, leaves
from connectors.source import REVISION
from schemas.contract import Contract, Field
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


def draft(answers: Answers, contract: Contract, config: type[BaseModel], records: Sequence[Any]) -> dict[str, Any]:
    """The manifest as a tree in the usual order of keys. `records`: a sample, empty if there is none."""
    samples = _samples(records)
    personal = [finding.path for finding in find_personal(records)]
    mapping = {field.name: rule for field in contract.fields if (rule := _rule(field, answers, samples)) is not None}
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
    text = str(yaml.safe_dump(dict(tree), allow_unicode=True, sort_keys=False, width=120, default_flow_style=None))
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


def _rule(field: Field, answers: Answers, samples: Mapping[str, Any]) -> dict[str, Any] | None:
    fixed: dict[str, dict[str, Any]] = {
        "source_system": {"const": answers.id},
        "ingest_time": {"ingest_time": True},
        "admin_codeset": {"const": "2025"},
    }
    if answers.kind in NUMBERED:
        fixed["revision"] = {"from": REVISION}
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
