"""What the compacted topic `ioc.connect.configs` says of each connector. Pure; folding twice leads to the same state.

registered:<id>   the newest manifest with its version: who applied it, and when
approved:<id>     the manifest that runs: the IOC has approved this version; an older one runs until it does
target:<id>       what the connector shall do (running, paused, stopped), and a count of restarts asked for
removed:<id>      that it was removed, and the digest of the seed it came from, which is not to bring it back

All keys of one connector stand in the same partition, so that they are read in the order written; the worker that
owns this partition runs the connector.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from connectors.partition import partition_of

CONFIGS_TOPIC = "ioc.connect.configs"
PARTITIONS = 32
"""Of the configs' topic: as many workers at most share the connectors."""

TargetState = Literal["running", "paused", "stopped"]
TARGET_STATES: tuple[TargetState, ...] = ("running", "paused", "stopped")
SEED = "seed"
"""Who applied a manifest that came with the tree."""


def digest(text: str) -> str:
    """Tells one text of a manifest from another."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Registered:
    """A version of a manifest. `manifest`: its text as applied; `by`: whose credential; `at`: epoch ms.

    `seed`: digest of the tree's file that it, or a version before it, came from.
    """

    version: int
    manifest: str
    by: str
    at: int
    org: str = ""
    seed: str | None = None


@dataclass(frozen=True, slots=True)
class Approved:
    """A version that may run; `by` approved it at `at` (epoch ms)."""

    version: int
    manifest: str
    by: str
    at: int


@dataclass(frozen=True, slots=True)
class Target:
    """What a connector shall do. `restarts` grows with every restart asked for."""

    state: TargetState = "running"
    restarts: int = 0
    by: str = ""
    at: int = 0


@dataclass(frozen=True, slots=True)
class Removed:
    seed: str | None
    by: str
    at: int


@dataclass(frozen=True, slots=True)
class Declared:
    """All that is known of one connector."""

    id: str
    registered: Registered
    approved: Approved | None
    target: Target

    @property
    def waits(self) -> bool:
        """Whether its newest version waits for the IOC's approval."""
        return self.approved is None or self.approved.version < self.registered.version


Entry = Registered | Approved | Target | Removed
_KINDS: dict[str, type[Entry]] = {
    "registered": Registered,
    "approved": Approved,
    "target": Target,
    "removed": Removed,
}
_NAMES = {kind: name for name, kind in _KINDS.items()}


class UnreadableConfigError(ValueError):
    """A record of the topic is none of ours."""


def key_of(kind: type[Entry], connector: str) -> str:
    """The record's key."""
    return f"{_NAMES[kind]}:{connector}"


def connector_in(key: str) -> str:
    """The connector a key is about."""
    return key.partition(":")[2]


def encoded(entry: Entry) -> bytes:
    """A record's value."""
    return orjson.dumps(dataclasses.asdict(entry))


def decoded(key: str, value: bytes) -> Entry:
    """The entry of a record; keys of a newer release are ignored. UnreadableConfigError if it is none."""
    kind = _KINDS.get(key.partition(":")[0])
    if kind is None:
        raise UnreadableConfigError(key)
    try:
        raw: dict[str, Any] = orjson.loads(value)
        known = {field.name for field in dataclasses.fields(kind)}
        return kind(**{name: item for name, item in raw.items() if name in known})
    except (orjson.JSONDecodeError, TypeError, AttributeError) as error:
        raise UnreadableConfigError(key) from error


def partition_key(key: bytes) -> bytes:
    """The part of a record's key by which its partition is chosen."""
    return key.partition(b":")[2]


def shard_of(connector: str, partitions: int = PARTITIONS) -> int:
    """The partition of the configs' topic whose owner runs the connector."""
    return partition_of(connector.encode(), partitions)


class Configs:
    """The topic's records, folded."""

    def __init__(self) -> None:
        self._entries: dict[str, dict[type[Entry], Entry]] = {}

    def apply(self, key: str, value: bytes | None) -> str | None:
        """Take one record; the connector it is about, None if it is none of ours."""
        connector = connector_in(key)
        kind = _KINDS.get(key.partition(":")[0])
        if kind is None or not connector:
            return None
        entries = self._entries.setdefault(connector, {})
        if value is None:
            entries.pop(kind, None)
            if not entries:
                del self._entries[connector]
            return connector
        try:
            entries[kind] = decoded(key, value)
        except UnreadableConfigError:
            return None
        return connector

    def get(self, connector: str) -> Declared | None:
        """What is declared of it; None if it is unknown or removed."""
        entries = self._entries.get(connector, {})
        registered = entries.get(Registered)
        if not isinstance(registered, Registered):
            return None
        approved, target = entries.get(Approved), entries.get(Target)
        return Declared(
            connector,
            registered,
            approved if isinstance(approved, Approved) else None,
            target if isinstance(target, Target) else Target(),
        )

    def removed(self, connector: str) -> Removed | None:
        """Its removal, if it was removed and not applied again."""
        entry = self._entries.get(connector, {}).get(Removed)
        return entry if isinstance(entry, Removed) else None

    def ids(self) -> list[str]:
        """All declared connectors by name."""
        return sorted(name for name, entries in self._entries.items() if Registered in entries)

    def __iter__(self) -> Iterator[Declared]:
        for name in self.ids():
            declared = self.get(name)
            if declared is not None:
                yield declared
