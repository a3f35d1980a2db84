"""What of a raw record may be kept in the quarantine: only what the mapping reads as not personal.

Default deny: a field nobody declared is masked, because nobody said that it is not personal.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import orjson

from connectors.manifest import Manifest
from connectors.personal import is_within, paths_of

MASK = "•••"
PAYLOAD_CHARACTERS = 16_384
"""Longest payload kept for a quarantined record."""
PERSONAL_NUMBER = re.compile(r"(?<!\d)(?:\d{12}|\d{9}|(?:0|\+84)\d{9})(?!\d)")
"""CCCD (12 digits), CMND (9) and phone numbers, wherever somebody typed them."""


def masker(manifest: Manifest) -> Callable[[Any], str]:
    """A pure function from a raw record to its masked JSON text."""
    shown: dict[str, Any] = {}
    for rule in manifest.mapping.values():
        if rule.pseudonym is not None:
            continue
        for path in paths_of(rule):
            if any(is_within(path, personal) for personal in manifest.pii):
                continue
            node = shown
            for part in path.split("."):
                node = node.setdefault(part, {})
    return lambda raw: orjson.dumps(_masked(raw, shown)).decode()[:PAYLOAD_CHARACTERS]


def _masked(value: Any, shown: dict[str, Any]) -> Any:
    if isinstance(value, dict):
        return {
            str(key): _masked(item, shown[key]) if key in shown else _hidden(item)
            for key, item in value.items()
            if key in shown or len(str(key)) <= 64
        }
    return _hidden(value) if shown else _leaf(value)


def _leaf(value: Any) -> Any:
    if isinstance(value, str):
        return PERSONAL_NUMBER.sub(MASK, value)
    if isinstance(value, list):
        return _hidden(value)
    if isinstance(value, int) and not isinstance(value, bool) and PERSONAL_NUMBER.fullmatch(str(value)):
        return MASK
    return value


def _hidden(value: Any) -> Any:
    """Shape without content."""
    if isinstance(value, dict):
        return {str(key)[:64]: _hidden(item) for key, item in value.items()}
    if isinstance(value, list):
        return [MASK] if value else []
    return value if value is None else MASK
