"""Whose connectors write which subjects, followed in the connectors' configs: what departments' keys may do.

A connector that is approved while the registry runs gives its unit its rights a moment later, and one that is removed
takes them. Until the configs are read, and for a connector of the tree that they do not know yet, the tree counts. What
reads manifests takes seconds to import: it is loaded when the registry serves already.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from connectors.compacted import CompactedTopic, CompactedTopicError
from connectors.configs import Configs
from connectors.errors import ConnectorError
from hub.registry.access import NOBODY_OWNS, Ownership
from schemas.errors import SchemaError

if TYPE_CHECKING:
    from connectors.manifest import Manifest
    from connectors.seeds import ReadManifest, Seed

RETRY_S = 2.0
"""Pause before the topic is tried again: Kafka is away, or nobody has made the topic yet."""

log = structlog.get_logger("ioc.registry")


@dataclass(frozen=True, slots=True)
class Tree:
    """What the files declare: subjects by entity, the tree's connectors, and what checks a manifest's text."""

    subjects: Mapping[str, str]
    seeds: Mapping[str, Seed]
    read: ReadManifest


class Owners:
    """`now` is the ownership at present, None while it is not known yet. For one event loop."""

    def __init__(self, topic: CompactedTopic, load: Callable[[], Tree]) -> None:
        """`load` blocks and raises what is wrong with a file; then nobody owns anything. Give a topic not started."""
        self._topic = topic
        self._load = load
        self._configs = Configs()
        self._pairs: dict[str, tuple[str, str] | None] = {}
        self._changed: set[str] = set()
        self._wake = asyncio.Event()
        self._follower: asyncio.Task[None] | None = None
        self.now: Ownership | None = None
        topic.on_change(self._note)

    async def start(self) -> None:
        """Begin to follow; returns at once."""
        self._follower = asyncio.create_task(self._follow(), name="registry owners")

    async def stop(self) -> None:
        """Idempotent."""
        follower, self._follower = self._follower, None
        if follower is not None:
            follower.cancel()
            await asyncio.gather(follower, return_exceptions=True)
        await self._topic.stop()

    def _note(self, key: str, value: bytes | None) -> None:
        connector = self._configs.apply(key, value)
        if connector is not None:
            self._changed.add(connector)
            self._wake.set()

    async def _follow(self) -> None:
        try:
            tree = await asyncio.to_thread(self._load)
        except (ConnectorError, SchemaError) as error:  # another role tells it to whoever can mend it
            log.warning("registry_knows_no_owners", cause=str(error))
            self.now = NOBODY_OWNS
            return
        self._show({name: _pair(seed.manifest, tree) for name, seed in tree.seeds.items()})
        await self._open()
        while True:
            await self._wake.wait()
            self._wake.clear()
            changed, self._changed = self._changed, set()
            # Reading a manifest takes milliseconds, and there may be a thousand: not beside the requests.
            given = await asyncio.to_thread(_given, self._approved(changed), tree)
            gone = {name for name in changed if self._is_gone(name, tree)}
            self._show({name: pair for name, pair in {**self._pairs, **given}.items() if name not in gone})

    def _show(self, pairs: dict[str, tuple[str, str] | None]) -> None:
        self._pairs = pairs
        self.now = Ownership.of(pair for pair in pairs.values() if pair is not None)

    async def _open(self) -> None:
        while True:
            with suppress(CompactedTopicError):
                await self._topic.start()
                return
            await asyncio.sleep(RETRY_S)

    def _is_gone(self, name: str, tree: Tree) -> bool:
        known = self._configs.get(name) is not None
        return not known and (name not in tree.seeds or self._configs.removed(name) is not None)

    def _approved(self, names: set[str]) -> dict[str, str]:
        """The manifests that run, by connector."""
        declared = [found for name in names if (found := self._configs.get(name)) is not None]
        return {each.id: each.approved.manifest for each in declared if each.approved is not None}


def _given(texts: Mapping[str, str], tree: Tree) -> dict[str, tuple[str, str] | None]:
    """What each manifest gives; one that is none is passed over."""
    found: dict[str, tuple[str, str] | None] = {}
    for name, text in texts.items():
        seed = tree.seeds.get(name)
        try:
            manifest = seed.manifest if seed and seed.text == text else tree.read(text, f"{name}.yaml")
        except ConnectorError as error:
            log.warning("connector_gives_no_rights", connector=name, reason=str(error))
            continue
        found[name] = _pair(manifest, tree)
    return found


def _pair(manifest: Manifest, tree: Tree) -> tuple[str, str] | None:
    """Subject and unit, None for an entity without a contract."""
    subject = tree.subjects.get(manifest.entity)
    return None if subject is None else (subject, manifest.owner.org)
