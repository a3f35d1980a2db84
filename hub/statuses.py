"""Reports of connectors and stream workers, decoded as they arrive from their compacted topics."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

import structlog

from connectors.compacted import CompactedTopic
from connectors.holds import is_hold
from connectors.status import ConnectorStatus
from hub.health.writing import WriteReport

Report = TypeVar("Report")

log = structlog.get_logger("ioc.hub")


class Reports(Generic[Report]):
    """The latest report of each key; what cannot be read is logged and left as it was."""

    def __init__(
        self, topic: CompactedTopic, decode: Callable[[bytes], Report], passes: Callable[[str], bool] = lambda key: True
    ) -> None:
        self._by_key: dict[str, Report] = {}
        self._decode = decode
        self._passes = passes
        topic.on_change(self._changed)

    def _changed(self, key: str, value: bytes | None) -> None:
        if not self._passes(key):
            return
        try:
            if value is None:
                self._by_key.pop(key, None)
            else:
                self._by_key[key] = self._decode(value)
        except (ValueError, TypeError, KeyError):
            log.warning("status_unreadable", connector=key)

    def __call__(self) -> Mapping[str, Report]:
        return self._by_key


def connector_reports(topic: CompactedTopic) -> Reports[ConnectorStatus]:
    """What connectors report, by id."""
    return Reports(topic, ConnectorStatus.from_json, lambda key: not is_hold(key))


def write_reports(topic: CompactedTopic) -> Reports[WriteReport]:
    """What stream workers tell of their writes, by worker."""
    return Reports(topic, WriteReport.from_json)
