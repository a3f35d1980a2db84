"""A schema as offered by a client: checked, parsed with what it refers to, and its form for comparing. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson

from hub.registry.records import Reference
from schemas.avro_parser import InvalidSchemaError, load_schema, parse_with
from schemas.avro_tree import PRIMITIVES, Named, Node

PARSED_LIMIT = 4096
"""Schemas kept parsed: compatibility checks of hot subjects should not parse again."""
PARSED_LENGTH = 65_536
"""Longest text kept parsed, in characters: a contract has some thousand."""
FORM_BYTES = 16
"""Length of a form; as many as Confluent's MD5, which two schemas of one registry do not share by chance."""


@dataclass(frozen=True, slots=True)
class Offer:
    """`text` is what is stored, `form` decides sameness: blanks and key order do not count, references do.

    `named` are the types that are known after the schema, by full name.
    """

    text: str
    form: bytes
    node: Node
    named: Mapping[str, Named]
    references: tuple[Reference, ...] = ()


def offer(text: str, *, normalize: bool = False) -> Offer:
    """Check and parse a schema without references. `normalize` writes `{"type": "int"}` as `"int"`.

    Raises InvalidSchemaError.
    """
    parse = _offer if len(text) <= PARSED_LENGTH else _offer.__wrapped__
    return parse(text, normalize)


@lru_cache(PARSED_LIMIT)
def _offer(text: str, normalize: bool) -> Offer:
    return offer_with(text, (), {}, normalize=normalize)


def offer_with(
    text: str, references: Sequence[Reference], known: Mapping[str, Named], *, normalize: bool = False
) -> Offer:
    """As `offer`, of a schema that uses the types its references brought. Raises InvalidSchemaError."""
    schema = load_schema(text)
    if normalize:
        schema = _normalized(schema)
    node, named = parse_with(schema, known)
    try:
        return Offer(orjson.dumps(schema).decode(), _form(schema, references), node, named, tuple(references))
    except orjson.JSONEncodeError as error:  # members that are no types may be nested without end
        raise InvalidSchemaError("", "the JSON is nested too deeply") from error


def stored_form(text: str, references: Sequence[Reference]) -> bytes:
    """The form of a schema of the log, whatever another registry may have written there."""
    try:
        return _form(orjson.loads(text), references)
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return _digest(text.encode())  # a bare name, another language, or nested without end


def _form(schema: Any, references: Sequence[Reference]) -> bytes:
    told = sorted((item.name, item.subject, item.version) for item in references)
    return _digest(orjson.dumps([schema, told] if told else schema, option=orjson.OPT_SORT_KEYS))


def _digest(octets: bytes) -> bytes:
    return hashlib.blake2b(octets, digest_size=FORM_BYTES).digest()


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
