"""Whose connectors write which subjects, followed in the connectors' configs: what departments' keys may do.

A connector that is approved while the registry runs gives its unit its rights a moment later, and one that is removed
takes them. Until the configs are read, and for a connector of the tree that they do not know yet, the tree counts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress

import structlog

from connectors.compacted import CompactedTopic, CompactedTopicError
from connectors.configs import Configs
from connectors.errors import ConnectorError
from connectors.manifest import Manifest
from connectors.seeds import ReadManifest, Seed
from hub.registry.access import Ownership

RETRY_S = 2.0
"""Pause before the topic is tried again: Kafka is away, or nobody has made the topic yet."""

log = structlog.get_logger("ioc.registry")


class Owners:
    """`now` is the ownership at present. For one event loop."""

    def __init__(
        self, topic: CompactedTopic, subjects: Mapping[str, str], seeds: Mapping[str, Seed], read: ReadManifest
    ) -> None:
        """`subjects` by entity; `read` checks a manifest's text. Give a topic that is not started."""
        self._topic = topic
        self._subjects = subjects
        self._seeds = seeds
        self._read = read
        self._configs = Configs()
        self._pairs = {name: self._pair(seed.manifest) for name, seed in seeds.items()}
        self._changed: set[str] = set()
        self._wake = asyncio.Event()
        self._follower: asyncio.Task[None] | None = None
        self.now = Ownership.of(pair for pair in self._pairs.values() if pair is not None)
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
        await self._open()
        while True:
            await self._wake.wait()
            self._wake.clear()
            changed, self._changed = self._changed, set()
            # Reading a manifest takes milliseconds, and there may be a thousand: not beside the requests.
            given = await asyncio.to_thread(self._given, self._approved(changed))
            gone = {name for name in changed if self._is_gone(name)}
            self._pairs = {name: pair for name, pair in {**self._pairs, **given}.items() if name not in gone}
            self.now = Ownership.of(pair for pair in self._pairs.values() if pair is not None)

    async def _open(self) -> None:
        while True:
            with suppress(CompactedTopicError):
                await self._topic.start()
                return
            await asyncio.sleep(RETRY_S)

    def _is_gone(self, name: str) -> bool:
        known = self._configs.get(name) is not None
        return not known and (name not in self._seeds or self._configs.removed(name) is not None)

    def _approved(self, names: set[str]) -> dict[str, str]:
        """The manifests that run, by connector."""
        declared = [found for name in names if (found := self._configs.get(name)) is not None]
        return {each.id: each.approved.manifest for each in declared if each.approved is not None}

    def _given(self, texts: Mapping[str, str]) -> dict[str, tuple[str, str] | None]:
        found: dict[str, tuple[str, str] | None] = {}
        for name, text in texts.items():
            seed = self._seeds.get(name)
            try:
                manifest = seed.manifest if seed and seed.text == text else self._read(text, f"{name}.yaml")
            except ConnectorError as error:
                log.warning("connector_gives_no_rights", connector=name, reason=str(error))
                continue
            found[name] = self._pair(manifest)
        return found

    def _pair(self, manifest: Manifest) -> tuple[str, str] | None:
        """Subject and unit, None for an entity without a contract."""
        subject = self._subjects.get(manifest.entity)
        return None if subject is None else (subject, manifest.owner.org)
