"""What the endpoints stand on: the followed topics, the writer, and how a manifest is checked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import orjson

from connectors.audit_trail import AuditTrail
from connectors.compacted import CompactedTopic
from connectors.configs import Configs, Declared
from connectors.cursor import Positions
from connectors.errors import ManifestError, Text
from connectors.flat_config import nested
from connectors.intake import IntakeFactory
from connectors.manifest import Manifest, source_kinds
from connectors.registrar import Registrar
from connectors.secrets import references_in
from connectors.seeds import ReadManifest
from connectors.status import ConnectorStatus
from connectors.yaml_text import to_yaml
from hub.connect import faults
from hub.connect.shapes import REMEMBERED, Known
from hub.connector_verdict import Judge, References, Verdict
from hub.feeds import feed_of
from hub.kpi.feed import Feed
from hub.security.access import EVERYWHERE, Permission, Principal, within


@dataclass(frozen=True, slots=True)
class Caller:
    """Who acts, as the registrar wants to know it."""

    name: str
    may_approve: bool

    @classmethod
    def of(cls, principal: Principal) -> Caller:
        return cls(f"{principal.role}:{principal.credential}", principal.may(Permission.CONNECTOR_APPROVE))


MakeTopic = Callable[[str], None]
"""Makes the topic of an entity that nothing has written to yet. Blocks, idempotent; raises TopicsError."""


@dataclass(frozen=True, slots=True)
class Parts:
    """`topics`: by entity."""

    configs: Configs
    statuses: CompactedTopic
    positions: Positions
    trail: AuditTrail
    registrar: Registrar
    intakes: IntakeFactory
    topics: Mapping[str, str]
    read: ReadManifest
    now_ms: Callable[[], int]
    make_topic: MakeTopic
    judge: Judge
    feeds: dict[str, Feed | None] = field(default_factory=dict)
    """Of manifests by their text: a list of all connectors is asked for again and again."""

    def known(self, connector: str, caller: Principal) -> Known:
        """A connector that the caller may see; Fault 404 for others, so that nobody learns their names."""
        declared = self.configs.get(connector)
        if declared is None or not visible(declared, caller):
            raise faults.not_found(connector)
        return self.shown(declared)

    def shown(self, declared: Declared) -> Known:
        """With what its worker last said."""
        value = self.statuses.get(declared.id)
        status: ConnectorStatus | None = None
        if value is not None:
            try:
                status = ConnectorStatus.from_json(value)
            except (orjson.JSONDecodeError, TypeError):
                status = None
        return Known(declared, status, self.now_ms(), self._feed(declared))

    def _feed(self, declared: Declared) -> Feed | None:
        text = (declared.approved or declared.registered).manifest
        if text not in self.feeds:
            if len(self.feeds) >= REMEMBERED:
                self.feeds.clear()
            try:
                self.feeds[text] = feed_of(self.read(text, f"{declared.id}.yaml"))
            except ManifestError:
                self.feeds[text] = None
        return self.feeds[text]

    async def all(self, caller: Principal) -> list[Known]:
        """Those the caller may see, by name. Manifests not seen before are read one by one, so that a first list of
        hundreds keeps nobody waiting."""
        found = []
        for declared in self.configs:
            if visible(declared, caller):
                found.append(self.shown(declared))
                await asyncio.sleep(0)
        return found

    def checked(self, text: str, file: str) -> Manifest:
        """A manifest that could run; ManifestError."""
        manifest = self.read(text, file)
        self.intakes.check(manifest)
        return manifest

    def references(self, caller: Principal) -> References | None:
        """References that a trial by the caller may resolve: of what the IOC has approved for the unit; None: any."""
        if caller.may(Permission.CONNECTOR_APPROVE):
            return None
        approved = [item.approved for item in self.configs if visible(item, caller)]
        return frozenset().union(*(references_in(item.manifest) for item in approved if item is not None))

    async def require_fit(self, manifest: Manifest, caller: Principal) -> Verdict:
        """Fault 400 with the paths of what stops a manifest from going live; else what was looked at."""
        verdict = await self.judge(manifest, self.references(caller))
        if verdict.objections:
            raise faults.may_not_go_live(verdict.objections)
        return verdict


def visible(declared: Declared, caller: Principal) -> bool:
    """Whether the caller may see a connector: the whole province, or the unit's own."""
    if caller.role in EVERYWHERE:
        return True
    return bool(caller.org) and within(org_of(declared), caller.org or "")


def org_of(declared: Declared) -> str:
    """Whose it is: by its newest manifest."""
    return declared.registered.org


def require_own(manifest: Manifest, caller: Principal) -> None:
    """Fault 403 if the caller may not register connectors of this unit."""
    if caller.role not in EVERYWHERE and not (caller.org and within(manifest.owner.org, caller.org)):
        raise faults.foreign_org(manifest.owner.org, caller.org or "–")


def manifest_text(flat: Mapping[str, str]) -> str:
    """A flat map as a manifest's text."""
    tree = nested(flat, source_kinds())
    return to_yaml(tree, sort_keys=False, width=110)


def faults_of(error: ManifestError) -> list[Text]:
    """Each thing that is wrong with a manifest: a line each."""
    pairs = zip(error.text.vi.splitlines(), error.text.en.splitlines(), strict=False)
    return [Text(vi, en) for vi, en in pairs if en.strip()]
