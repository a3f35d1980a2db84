"""Titles of a manifest's fields in both languages: forms and editors show them."""

from __future__ import annotations

from typing import Any

from pydantic import Field
from pydantic_core import PydanticUndefined


def about(vi: str, en: str, *, default: Any = PydanticUndefined, **more: Any) -> Any:
    """A pydantic field titled in Vietnamese, described in English (`title`, `description` of the JSON Schema)."""
    if "default_factory" in more:
        return Field(title=vi, description=en, json_schema_extra={"title_en": en}, **more)
    return Field(default, title=vi, description=en, json_schema_extra={"title_en": en}, **more)
