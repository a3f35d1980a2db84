"""The connectors that are declared now, followed in the configs' topic: what the API shows, and the pushes it takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

import structlog

from connectors.compacted import CompactedTopic
from connectors.configs import Configs, TargetState
from connectors.errors import ConnectorError, ManifestError
from connectors.manifest import Manifest
from connectors.seeds import ReadManifest, Seed, plant
from hub.canary.declared import ENTITY
from hub.feeds import feed_of
from hub.kpi.feed import Feed

log = structlog.get_logger("ioc.hub")


class TakesPushes(Protocol):
    """What is asked of `connectors.ingest.WebhookIngest`."""

    def declare(self, manifest: Manifest, version: int, state: TargetState) -> None: ...
    def withdraw(self, connector: str) -> None: ...


class DeclaredConnectors:
    """Make it before the topic is started; until then the tree's connectors are shown. Iterates over their feeds."""

    def __init__(
        self, topic: CompactedTopic, seeds: Mapping[str, Seed], ingest: TakesPushes, read: ReadManifest
    ) -> None:
        self._topic = topic
        self._seeds = seeds
        self._ingest = ingest
        self._read = read
        self._configs = Configs()
        self._manifests: dict[str, tuple[int, Manifest]] = {}
        self._feeds = tuple(feed_of(seed.manifest) for seed in seeds.values() if seed.manifest.entity != ENTITY)
        topic.on_change(self._changed)

    def __iter__(self) -> Iterator[Feed]:
        return iter(self._feeds)

    @property
    def configs(self) -> Configs:
        """All that is known of each connector, approved or not."""
        return self._configs

    def manifests(self) -> Mapping[str, Manifest]:
        """The approved manifests now, by connector; until the topic is read those of the tree."""
        if not self._manifests:
            return {name: seed.manifest for name, seed in self._seeds.items()}
        return {name: manifest for name, (_, manifest) in sorted(self._manifests.items())}

    async def start(self) -> None:
        """Read the topic, and write the tree's manifests into it that it does not know. Raises ConnectorError."""
        await self._topic.start()
        await plant(self._topic, self._configs, self._seeds)
        self._show()

    def _changed(self, key: str, value: bytes | None) -> None:
        connector = self._configs.apply(key, value)
        if connector is not None:
            self._follow(connector)

    def _follow(self, connector: str) -> None:
        declared = self._configs.get(connector)
        approved = declared.approved if declared is not None else None
        if declared is None or approved is None:
            self._ingest.withdraw(connector)
            if self._manifests.pop(connector, None) is not None:
                self._show()
            return
        known = self._manifests.get(connector)
        try:
            if known is None or known[0] != approved.version:
                known = approved.version, self._read(approved.manifest, f"{connector}.yaml")
                self._manifests[connector] = known
                self._show()
            self._ingest.declare(known[1], approved.version, declared.target.state)
        except (ConnectorError, ManifestError) as error:
            log.warning("connector_not_taken", connector=connector, reason=str(error))

    def _show(self) -> None:
        if self._manifests:
            found = (manifest for _, (_, manifest) in sorted(self._manifests.items()))
            self._feeds = tuple(feed_of(manifest) for manifest in found if manifest.entity != ENTITY)
