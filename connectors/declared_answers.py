"""What the block `source` of a kind has to be told, read from its model: the questions of `ioc connector new`. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from connectors.secrets import Reference
from schemas.declared_types import models_in
from schemas.text import Text


@dataclass(frozen=True, slots=True)
class Question:
    """A needed key. `example`: what a draft holds until somebody answers."""

    key: str
    title: Text
    is_secret: bool
    is_reference: bool
    example: Any


def questions_of(config: type[BaseModel]) -> list[Question]:
    """The needed keys of a kind's model, in its order."""
    return [_question(info.alias or name, info) for name, info in config.model_fields.items() if info.is_required()]


def _question(key: str, info: Any) -> Question:
    extra = info.json_schema_extra or {}
    title = Text(info.title or key, extra.get("title_en") or info.title or key)
    is_reference = info.annotation is Reference
    is_secret = is_reference and any("secret" in str(part) for part in info.metadata)
    return Question(key, title, is_secret, is_reference, _example(info.annotation))


def _example(annotation: Any) -> Any:
    models = list(models_in(annotation))
    if models:
        return _block(models[0])
    if annotation in {int, float}:
        return 60
    if annotation is bool:
        return False
    if get_origin(annotation) in {tuple, list, dict}:
        return {} if get_origin(annotation) is dict else []
    choices = get_args(annotation)
    return choices[0] if choices and isinstance(choices[0], str) else "TODO"


def _block(model: type[BaseModel]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, info in model.model_fields.items():
        if info.is_required():
            found[info.alias or name] = (
                "${env:IOC_SECRET_TODO}" if info.annotation is Reference else _example(info.annotation)
            )
    return found
