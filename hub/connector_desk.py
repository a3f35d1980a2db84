"""What pages do to connectors: read a manifest, try it, register it, and act on what runs, each for whoever asks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass

from connectors import trial
from connectors.audit_trail import Act
from connectors.clock import now_ms
from connectors.configs import Declared, TargetState
from connectors.errors import ManifestError, Text
from connectors.manifest import Manifest
from connectors.registrar import UnknownConnectorError
from connectors.source import Step, Surroundings
from connectors.trial import Pair, Report
from hub import connector_trial
from hub.api.quarantine import Entry
from hub.connect.parts import Caller, Parts, require_own, visible
from hub.connect.shapes import Known
from hub.connector_replay import Publish, Replayed, approved_manifest, mend, replay
from hub.connector_trial import Trial
from hub.connector_verdict import SAMPLE_RECORDS, Verdict, trial_of
from hub.security.access import Principal
from hub.security.keys import KeyInfo
from streams.plan import EntityPlan

TRY_S = 20.0
"""A page waits so long for a source."""


@dataclass(frozen=True, slots=True)
class Desk:
    """Raises a ConnectorError, or a Fault as the connectors' interface does. `made_keys`: of everybody."""

    parts: Parts
    around: Surroundings
    made_keys: Callable[[], Sequence[KeyInfo]]
    plans: Mapping[str, EntityPlan]
    publish: Publish

    def known(self, connector: str, caller: Principal) -> Known:
        """One that the caller may see; Fault 404."""
        return self.parts.known(connector, caller)

    def own(self, caller: Principal) -> list[Known]:
        """Those the caller may see, by name."""
        return [self.parts.shown(declared) for declared in self.parts.configs if visible(declared, caller)]

    def read(self, text: str) -> Manifest:
        """A manifest's text, checked against its contract. ManifestError."""
        return self.parts.checked(text, "manifest.yaml")

    def trial(self, text: str, caller: Principal) -> Trial:
        """A manifest on trial, with no other secrets than the caller's unit has; Fault 403 for another unit's."""
        manifest = self.parts.read(text, "manifest.yaml")
        require_own(manifest, caller)
        return trial_of(manifest, self.parts.intakes, self.around, self.parts.references(caller))

    def check(self, found: Trial) -> AsyncIterator[Step]:
        """Live and read-only, step by step."""
        return connector_trial.check_steps(found)

    async def preview(self, found: Trial, count: int) -> list[Pair]:
        """Records before and after; consumes nothing."""
        if found.mapper is None:
            raise found.misfit or ManifestError(Text("?", "?"))
        async with asyncio.timeout(TRY_S):
            taken = await connector_trial.sample(found, count, None)
        return await asyncio.to_thread(trial.pairs, found.manifest, found.mapper, taken, now_ms())

    async def dry_run(self, found: Trial) -> Report:
        """What would happen."""
        async with asyncio.timeout(TRY_S):
            return await connector_trial.dry_run(found, SAMPLE_RECORDS, None)

    def kpis(self, entity: str) -> list[str]:
        """The KPIs that rest on an entity."""
        return [kpi.id for plan in self.plans.values() if plan.entity == entity for kpi in plan.kpis]

    async def apply(self, text: str, caller: Principal) -> tuple[Declared, Verdict]:
        """Register a manifest; it runs at once if the caller may approve. Fault 400 says what stops it, with paths."""
        manifest = self.read(text)
        require_own(manifest, caller)
        before = self.parts.configs.get(manifest.id)
        if before is not None:
            self.parts.known(manifest.id, caller)
        verdict = await self.parts.require_fit(manifest, caller)
        await asyncio.to_thread(self.parts.make_topic, manifest.entity)
        declared = await self.parts.registrar.apply(manifest.id, text, manifest.owner.org, Caller.of(caller))
        return declared, verdict

    async def aim(self, connector: str, state: TargetState, caller: Principal) -> None:
        """Run, pause or stop."""
        await self.parts.registrar.aim(self.known(connector, caller).declared.id, state, Caller.of(caller))

    async def restart(self, connector: str, caller: Principal) -> None:
        """Open the source anew."""
        await self.parts.registrar.restart(self.known(connector, caller).declared.id, Caller.of(caller))

    async def approve(self, connector: str, version: int, caller: Principal) -> None:
        """The version that was looked at may run; ConflictError if there is a newer one."""
        declared = self.known(connector, caller).declared
        if declared.waits:
            await self.parts.require_fit(self.parts.checked(declared.registered.manifest, f"{connector}.yaml"), caller)
        await self.parts.registrar.approve(connector, Caller.of(caller), version)

    async def replay(self, connector: str, entries: Sequence[Entry], caller: Principal) -> Replayed:
        """Publish refused records again that fit the approved mapping now."""
        declared = self.known(connector, caller).declared
        by = Caller.of(caller).name
        act = Act(declared.id, "replayed", by, now_ms(), declared.registered.version, f"{len(entries)}")
        await self.parts.trail.note(act)
        return await replay(declared, self.parts.read, self.parts.intakes, entries, self.publish, by)

    async def mend(self, connector: str, entry: Entry, text: str, caller: Principal) -> tuple[str, ...]:
        """Publish a record in the place of a refused one, and give the fields that a person put right. NotMendedError
        says what is still wrong with it."""
        declared, by = self.known(connector, caller).declared, Caller.of(caller).name
        if entry.connector != declared.id:
            raise UnknownConnectorError(entry.connector)
        manifest = approved_manifest(declared, self.parts.read)
        mended = await mend(manifest, self.parts.intakes, entry, text, by)
        detail = f"{entry.id}: {', '.join(mended.fields) or '–'}"
        act = Act(declared.id, "record_mended", by, now_ms(), declared.registered.version, detail)
        await self.parts.trail.note(act)
        await self.publish(mended.prepared)
        await self.publish(mended.mark)
        return mended.fields

    async def reread(self, connector: str, caller: Principal) -> None:
        """Read a stopped connector's source from the beginning: events keep their ids, so that none counts twice.
        NotStoppedError."""
        declared = self.known(connector, caller).declared
        await self.parts.registrar.set_position(declared.id, None, Caller.of(caller))
        await self.parts.registrar.aim(declared.id, "running", Caller.of(caller))
