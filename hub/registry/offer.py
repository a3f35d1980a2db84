"""A schema as offered by a client: checked, parsed, and its form for comparing. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson

from schemas.avro_parser import InvalidSchemaError, load_schema, parse_schema
from schemas.avro_tree import PRIMITIVES, Node

PARSED_LIMIT = 4096
"""Schemas kept parsed: compatibility checks of hot subjects should not parse again."""
PARSED_LENGTH = 65_536
"""Longest text kept parsed, in characters: a contract has some thousand."""


@dataclass(frozen=True, slots=True)
class Offer:
    """`text` is what is stored, `form` decides sameness (blanks and key order do not count)."""

    text: str
    form: bytes
    node: Node


def offer(text: str, *, normalize: bool = False) -> Offer:
    """Check and parse. `normalize` writes `{"type": "int"}` as `"int"`. Raises InvalidSchemaError."""
    parse = _offer if len(text) <= PARSED_LENGTH else _offer.__wrapped__
    return parse(text, normalize)


@lru_cache(PARSED_LIMIT)
def _offer(text: str, normalize: bool) -> Offer:
    schema = load_schema(text)
    if normalize:
        schema = _normalized(schema)
    node = parse_schema(schema)
    try:
        return Offer(orjson.dumps(schema).decode(), form_of(schema), node)
    except orjson.JSONEncodeError as error:  # members that are no types may be nested without end
        raise InvalidSchemaError("", "the JSON is nested too deeply") from error


def form_of(schema: Any) -> bytes:
    """The same bytes for the same schema, whatever the order of keys."""
    return orjson.dumps(schema, option=orjson.OPT_SORT_KEYS)


def _normalized(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_normalized(branch) for branch in schema]
    if not isinstance(schema, dict):
        return schema
    if set(schema) == {"type"} and schema["type"] in PRIMITIVES:
        return schema["type"]
    return {key: _normalized_member(key, value) for key, value in schema.items()}


def _normalized_member(key: str, value: Any) -> Any:
    if key in ("items", "values"):
        return _normalized(value)
    if key == "fields" and isinstance(value, list):
        return [
            {**item, "type": _normalized(item["type"])} if isinstance(item, dict) and "type" in item else item
            for item in value
        ]
    return value
