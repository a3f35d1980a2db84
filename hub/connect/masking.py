"""Secrets of a flat config: references are shown, values never; what a client writes back masked is kept. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit, urlunsplit

from connectors.secrets import PATTERN

MASK = "******"
SECRET_WORDS = ("key", "token", "password", "secret", "credential")
"""Ends of keys that Kafka Connect's clients mask, too."""


def masked(flat: Mapping[str, str]) -> dict[str, str]:
    """The map as it may be shown. Manifests hold no secrets; what looks like one all the same is not shown."""
    return {key: _shown(key, value) for key, value in flat.items()}


def _shown(key: str, value: str) -> str:
    if PATTERN.search(value):
        return value
    if not key.startswith("mapping.") and key.rpartition(".")[2].lower().endswith(SECRET_WORDS):
        return MASK
    if "://" in value and "@" in value:
        parts = urlsplit(value)
        if parts.password is not None:
            host = parts.netloc.rpartition("@")[2]
            return urlunsplit(parts._replace(netloc=f"{parts.username}:{MASK}@{host}"))
    return value


def unmasked(flat: Mapping[str, str], kept: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """The map with every masked value taken from `kept`, and the keys of which nothing is kept."""
    found: dict[str, str] = {}
    lost: list[str] = []
    for key, value in flat.items():
        if MASK not in value:
            found[key] = value
        elif key in kept and value in (MASK, _shown(key, kept[key])):
            found[key] = kept[key]
        else:
            lost.append(key)
    return found, lost
