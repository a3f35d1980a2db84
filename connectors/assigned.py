"""The connectors a worker holds at the moment, and what to do when their declarations change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from connectors.configs import Declared, TargetState
from connectors.errors import ConnectorError
from connectors.runtime import Bench, ConnectorRunner, is_polled
from connectors.seeds import ReadManifest
from connectors.status import Subject, Tally
from connectors.status_writer import StatusWriter


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one connector shall be: `version` None while no version is approved."""

    version: int | None
    state: TargetState
    restarts: int
    targeted_at: int

    @classmethod
    def of(cls, declared: Declared) -> Wanted:
        version = declared.approved.version if declared.approved is not None else None
        target = declared.target
        return cls(version, target.state, target.restarts, target.at)


@dataclass(slots=True)
class Assigned:
    """One connector of this worker. `runner` is None where there is nothing to run: not approved, or broken."""

    wanted: Wanted
    shard: int
    tally: Tally
    runner: ConnectorRunner | None


@dataclass(frozen=True, slots=True)
class Step:
    """To bring a worker to what is wanted: what to take up, what to give up, what goes on in another state."""

    up: frozenset[str]
    down: frozenset[str]
    move: frozenset[str]


def steps(wanted: Mapping[str, Wanted], held: Mapping[str, Wanted]) -> Step:
    """Pure. A new version or a restart takes a connector down and up again."""
    anew = {
        name
        for name, want in wanted.items()
        if name in held and (want.version, want.restarts) != (held[name].version, held[name].restarts)
    }
    return Step(
        up=frozenset((set(wanted) - set(held)) | anew),
        down=frozenset((set(held) - set(wanted)) | anew),
        move=frozenset(name for name in set(wanted) & set(held) - anew if wanted[name] != held[name]),
    )


@dataclass(frozen=True, slots=True)
class Assembly:
    """Makes assigned connectors from declarations."""

    bench: Bench
    worker: str
    writer: StatusWriter
    read: ReadManifest

    def make(self, declared: Declared, shard: int) -> Assigned | None:
        """A connector for this worker; None if it is pushed, and so not read by this role."""
        wanted = Wanted.of(declared)
        text = declared.approved.manifest if declared.approved is not None else declared.registered.manifest
        try:
            manifest = self.read(text, f"{declared.id}.yaml")
            if not is_polled(manifest):
                return None
            if wanted.version is not None:
                self.bench.intakes.check(manifest)
        except ConnectorError as error:
            return self._broken(declared, wanted, shard, error)
        tally = self._tally(Subject.of(manifest, wanted.version or 0))
        runner = ConnectorRunner(manifest, shard, self.bench, tally) if wanted.version is not None else None
        return Assigned(wanted, shard, tally, runner)

    def _broken(self, declared: Declared, wanted: Wanted, shard: int, error: ConnectorError) -> Assigned:
        """A stored manifest that this release does not take: it is failed with the reason, the others go on."""
        tally = self._tally(Subject(declared.id, "?", "?", declared.registered.org, wanted.version or 0))
        tally.failed(error, "manifest", retry=False)
        return Assigned(wanted, shard, tally, None)

    def _tally(self, subject: Subject) -> Tally:
        tally = Tally(subject, self.worker)
        self.writer.resume(tally)
        return tally


async def settle(assigned: Assigned, wanted: Wanted) -> None:
    """Bring one connector to its state; returns when it is in it: at most `runtime.HALT_S`."""
    assigned.wanted = wanted
    assigned.tally.followed(wanted.restarts, wanted.targeted_at)
    runner = assigned.runner
    if runner is None:
        if assigned.tally.state != "failed":
            assigned.tally.enter("waiting")
        return
    if wanted.state == "running":
        runner.start()
        return
    await runner.halt()
    assigned.tally.enter(wanted.state)
