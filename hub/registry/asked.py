"""What a request asks for, read from its path, query and body: versions, schemas, levels, modes, pages. Pure.

Whatever is wrong with it is a Fault.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Any, TypeVar

from hub.registry import faults
from hub.registry.decisions import Wanted
from hub.registry.exchange import Ask
from hub.registry.library import Library
from hub.registry.offer import Offer
from hub.registry.records import AVRO, Mode, Reference
from schemas.avro_parser import InvalidSchemaError
from schemas.compatibility import Level

LATEST = ("latest", "-1")
MAX_NUMBER = 2**31 - 1
"""Greatest version and id, as in Confluent's registry."""
ANY_CONTEXT = ":*:"
"""Confluent's clients put it in front of a prefix that counts for all contexts."""

Item = TypeVar("Item")


def valid_subject(name: str) -> str:
    """A subject that may be registered: any characters but control ones, and not only blanks."""
    if not name.strip() or any(unicodedata.category(char) in ("Cc", "Cs") for char in name):
        raise faults.invalid_subject(name)
    return name


def version_number(given: str) -> int | None:
    """A version's number, None for the latest."""
    if given in LATEST:
        return None
    number = _digits(given)
    if number is None or number == 0:
        raise faults.invalid_version(given)
    return number


def schema_id(given: str) -> int:
    """An id; what is no number is no path, what is beyond all ids is unknown."""
    if not given.isascii() or not given.removeprefix("-").isdigit():
        raise faults.plain(404, "Not Found")
    number = _digits(given)
    if number is None:
        raise faults.schema_not_found(f"Schema {given}")
    return number


def _digits(given: str) -> int | None:
    if not given.isascii() or not given.isdigit() or len(given) > len(str(MAX_NUMBER)):
        return None
    return int(given) if int(given) <= MAX_NUMBER else None


def offered(ask: Ask, library: Library) -> Offer:
    """The body's schema, checked, with its references."""
    text = ask.body.get("schema")
    if not isinstance(text, str) or not text.strip():
        raise faults.invalid_request_schema("the schema is missing, empty or no text")
    if ask.body.get("schemaType") not in (None, AVRO):
        raise faults.invalid_request_schema(f"schemaType {ask.body['schemaType']!r} is not supported; send AVRO")
    try:
        return library.offer(text, _references(ask.body.get("references")), normalize=ask.flag("normalize"))
    except InvalidSchemaError as error:
        raise faults.invalid_schema(error) from error


def _references(given: Any) -> list[Reference]:
    if given is None:
        return []
    if not isinstance(given, list):
        raise faults.invalid_request_schema('"references" is a list of {"name", "subject", "version"}')
    return [_reference(item) for item in given]


def _reference(item: Any) -> Reference:
    name, subject, version = (item.get(key) if isinstance(item, dict) else None for key in _REFERENCE)
    if not isinstance(name, str) or not isinstance(subject, str) or type(version) is not int:
        raise faults.invalid_request_schema('a reference has a "name" and a "subject" (texts) and a "version" (number)')
    if version != -1 and not 1 <= version <= MAX_NUMBER:
        raise faults.invalid_request_schema(f"the reference {name!r}: {version} is no version; -1 is the latest")
    return Reference(name, subject, version)


_REFERENCE = ("name", "subject", "version")


def wanted(ask: Ask, library: Library) -> Wanted:
    """The body's schema to be registered, with the id and version that an import gives."""
    return Wanted(offered(ask, library), _given(ask, "id"), _given(ask, "version"))


def _given(ask: Ask, name: str) -> int | None:
    number = ask.body.get(name)
    if number is None or number in (0, -1):
        return None
    if type(number) is not int or not 1 <= number <= MAX_NUMBER:
        raise faults.invalid_request_schema(f'"{name}" is a number from 1 to {MAX_NUMBER}, not {number!r}')
    return number


def level(ask: Ask) -> Level:
    """The body's compatibility level."""
    given = ask.body.get("compatibility")
    if not isinstance(given, str) or given not in Level.__members__:
        raise faults.invalid_level(given)
    return Level(given)


def mode(ask: Ask) -> Mode:
    """The body's mode, in any case of letters."""
    given = ask.body.get("mode")
    name = given.upper() if isinstance(given, str) else ""
    if name not in Mode.__members__ or (ask.segments and name == Mode.READONLY_OVERRIDE.value):
        raise faults.invalid_mode(given)
    return Mode(name)


def page(items: Sequence[Item], ask: Ask) -> list[Item]:
    """The items from `offset` on, at most `limit` if that is positive."""
    offset, limit = max(_integer(ask, "offset", 0), 0), _integer(ask, "limit", -1)
    return list(items[offset : offset + limit] if limit > 0 else items[offset:])


def _integer(ask: Ask, name: str, default: int) -> int:
    given = ask.query.get(name, "")
    if not given:
        return default
    if not given.isascii() or not given.removeprefix("-").isdigit() or len(given) > len(str(MAX_NUMBER)):
        raise faults.bad_query(name, given)
    return int(given)


def prefix(ask: Ask) -> str:
    """The beginning of the subjects that are asked for."""
    return ask.query.get("subjectPrefix", "").removeprefix(ANY_CONTEXT)


def deleted_only(ask: Ask) -> bool:
    """Whether only what was soft-deleted is asked for; confluent-kafka's client writes it in another way."""
    return ask.flag("deletedOnly") or ask.flag("deleted_only")
