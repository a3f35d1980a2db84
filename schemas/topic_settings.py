"""What a contract says of its topic, beside the types: `"topic": {"retention_days": 400, …}`. Pure.

Everything is optional; what is left out follows the contract's kind and the cluster (`hub.topic_plan`).
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from schemas.errors import ContractError

KEEP_ALL = "all"

LEAST_RETENTION_DAYS = 7
"""A topic is what a worker catches up from: over a long weekend's outage, and after a warehouse is restored from its
last backup."""

BOUNDS = {
    "partitions": (1, 1024),
    "retention_days": (LEAST_RETENTION_DAYS, 36_500),
    "min_insync_replicas": (1, 16),
    "max_message_bytes": (64 * 1024, 64 * 1024 * 1024),
}
"""Key → least and most."""


@dataclass(frozen=True, slots=True)
class TopicSettings:
    """None: not said. `retention_days` may be `KEEP_ALL`."""

    partitions: int | None = None
    retention_days: int | str | None = None
    min_insync_replicas: int | None = None
    max_message_bytes: int | None = None


def topic_settings(schema: Mapping[str, Any], where: str) -> TopicSettings:
    """Read a contract's `topic`; `where` names the file. ContractError names the key and what it may be."""
    raw = schema.get("topic", {})
    if not isinstance(raw, dict):
        raise ContractError(
            f'{where}.topic: {raw!r} is no object; write "topic": {{"retention_days": 400}}',
            f'{where}.topic: {raw!r} không phải đối tượng; hãy viết "topic": {{"retention_days": 400}}',
        )
    for key in raw:
        if key not in BOUNDS:
            near = difflib.get_close_matches(key, BOUNDS, n=1) or sorted(BOUNDS)
            raise ContractError(
                f"{where}.topic.{key}: there is no such setting; known: {', '.join(near)}",
                f"{where}.topic.{key}: không có thiết lập này; hiện có: {', '.join(near)}",
            )
    return TopicSettings(**{key: _checked(key, value, where) for key, value in raw.items()})


def _checked(key: str, value: Any, where: str) -> Any:
    least, most = BOUNDS[key]
    if key == "retention_days" and value == KEEP_ALL:
        return value
    if type(value) is int and least <= value <= most:
        return value
    more_vi, more_en = (', hoặc "all"', ', or "all"') if key == "retention_days" else ("", "")
    raise ContractError(
        f"{where}.topic.{key}: {value!r} is no whole number from {least} to {most}{more_en}",
        f"{where}.topic.{key}: {value!r} không phải số nguyên từ {least} đến {most}{more_vi}",
    )
