"""What people do to connectors: apply, approve, pause, stop, restart, remove, set the position. Any process may.

Every act is noted in the audit trail first, then written to the topics; on return all replicas have it, and the
worker that owns the connector follows within a moment.

RegistrarError           (a ConnectorError)
├── UnknownConnectorError    there is no such connector
├── NotStoppedError          the connector must be stopped first
└── ConflictError            somebody else changed it at the same time: look, and decide again
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from connectors.audit_trail import Act, AuditTrail
from connectors.compacted import CompactedTopic
from connectors.configs import (
    Approved,
    Configs,
    Declared,
    Entry,
    Registered,
    Removed,
    Target,
    TargetState,
    encoded,
    key_of,
    shard_of,
)
from connectors.cursor import Positions
from connectors.errors import ConnectorError, Text

ACTS: Mapping[TargetState, str] = {"running": "resumed", "paused": "paused", "stopped": "stopped"}


class RegistrarError(ConnectorError):
    """Root of this module's errors."""

    code = "registrar"


class UnknownConnectorError(RegistrarError):
    """There is no such connector."""

    code = "unknown_connector"

    def __init__(self, connector: str) -> None:
        super().__init__(
            Text(
                f"Không có đầu nối «{connector}»; xem danh sách bằng `ioc connector ls`",
                f"Connector {connector} not found; `ioc connector ls` lists them",
            )
        )


class NotStoppedError(RegistrarError):
    """Its position can only be set while nothing moves it."""

    code = "not_stopped"

    def __init__(self, connector: str) -> None:
        super().__init__(
            Text(
                f"Đầu nối {connector} phải dừng hẳn trước khi đặt lại vị trí: ioc connector stop {connector}",
                "Connectors must be in the STOPPED state before their offsets can be modified. This can be done for "
                f"the specified connector by issuing a 'PUT' request to the '/connectors/{connector}/stop' endpoint",
            )
        )


class ConflictError(RegistrarError):
    """Two changes at once."""

    code = "conflict"

    def __init__(self, connector: str) -> None:
        super().__init__(
            Text(
                f"Đầu nối {connector} vừa được người khác thay đổi; hãy xem lại rồi làm lại",
                f"Connector {connector} was changed by somebody else at the same time; look at it and try again",
            )
        )


class Actor(Protocol):
    """Who acts. `name` goes into the audit trail; `may_approve`: what this person applies needs nobody else."""

    @property
    def name(self) -> str: ...
    @property
    def may_approve(self) -> bool: ...


class Registrar:
    """Writes for one process. Blocks for the acknowledgement of Kafka; raises what `CompactedTopic.put_all` does."""

    def __init__(
        self,
        configs: Configs,
        topic: CompactedTopic,
        positions: Positions,
        trail: AuditTrail,
        now_ms: Callable[[], int],
        shards: int,
    ) -> None:
        self._configs = configs
        self._topic = topic
        self._positions = positions
        self._trail = trail
        self._now_ms = now_ms
        self._shards = shards

    def declared(self, connector: str) -> Declared:
        """What is known of it; UnknownConnectorError."""
        found = self._configs.get(connector)
        if found is None:
            raise UnknownConnectorError(connector)
        return found

    async def apply(
        self, connector: str, text: str, org: str, actor: Actor, state: TargetState | None = None
    ) -> Declared:
        """A new manifest or version; the same text again changes nothing. `state`: the target of a new connector.

        It runs at once if the actor may approve, else an approved version goes on until this one is approved.
        ConflictError if somebody else's version won.
        """
        before, at = self._configs.get(connector), self._now_ms()
        if before is not None and before.registered.manifest == text:
            if before.waits and actor.may_approve:
                return await self.approve(connector, actor)
            return before
        version = before.registered.version + 1 if before is not None else self._first_version(connector)
        seed = before.registered.seed if before is not None else None
        entries: list[Entry] = [Registered(version, text, actor.name, at, org, seed)]
        if actor.may_approve:
            entries.append(Approved(version, text, actor.name, at))
        if before is None:
            entries.append(Target(state or "running", 0, actor.name, at))
        await self._trail.note(Act(connector, "applied", actor.name, at, version))
        if actor.may_approve:
            await self._trail.note(Act(connector, "approved", actor.name, at, version, "on applying"))
        await self._write(connector, entries)
        after = self._configs.get(connector)
        if after is None or after.registered != entries[0]:
            raise ConflictError(connector)
        return after

    def _first_version(self, connector: str) -> int:
        """Versions of a removed connector's successor go on, so that no two manifests have the same."""
        return 1 + max((act.version for act in self._trail.of(connector)), default=0)

    async def approve(self, connector: str, actor: Actor, version: int | None = None) -> Declared:
        """Let the newest version run. `version`: the one that was looked at; ConflictError if there is a newer."""
        declared, at = self.declared(connector), self._now_ms()
        newest = declared.registered
        if version is not None and version != newest.version:
            raise ConflictError(connector)
        if not declared.waits:
            return declared
        await self._trail.note(Act(connector, "approved", actor.name, at, newest.version))
        await self._write(connector, [Approved(newest.version, newest.manifest, actor.name, at)])
        return self.declared(connector)

    async def aim(self, connector: str, state: TargetState, actor: Actor) -> Declared:
        """Run, pause or stop. Idempotent: what is so already is not noted again."""
        declared, at = self.declared(connector), self._now_ms()
        if declared.target.state == state:
            return declared
        await self._trail.note(Act(connector, ACTS[state], actor.name, at, declared.registered.version))
        await self._write(connector, [Target(state, declared.target.restarts, actor.name, at)])
        return self.declared(connector)

    async def restart(self, connector: str, actor: Actor) -> Declared:
        """Close the source and open it anew, whatever it is doing; a stopped connector stays stopped."""
        declared, at = self.declared(connector), self._now_ms()
        target = declared.target
        await self._trail.note(Act(connector, "restarted", actor.name, at, declared.registered.version))
        await self._write(connector, [Target(target.state, target.restarts + 1, actor.name, at)])
        return self.declared(connector)

    async def remove(self, connector: str, actor: Actor) -> None:
        """Forget it; its position stays, so that one of the same name goes on there."""
        declared, at = self.declared(connector), self._now_ms()
        await self._trail.note(Act(connector, "removed", actor.name, at, declared.registered.version))
        gone = Removed(declared.registered.seed, actor.name, at)
        await self._topic.put_all(
            [
                (key_of(Removed, connector), encoded(gone)),
                *((key_of(kind, connector), None) for kind in (Target, Approved, Registered)),
            ]
        )

    async def set_position(self, connector: str, cursor: Mapping[str, Any] | None, actor: Actor) -> None:
        """Read again from `cursor` (None: from the beginning) once it runs. NotStoppedError."""
        declared, at = self.declared(connector), self._now_ms()
        if declared.target.state != "stopped":
            raise NotStoppedError(connector)
        detail = "beginning" if cursor is None else "cursor"
        await self._trail.note(Act(connector, "position_set", actor.name, at, declared.registered.version, detail))
        await self._positions.set(connector, shard_of(connector, self._shards), cursor)

    async def _write(self, connector: str, entries: list[Entry]) -> None:
        await self._topic.put_all([(key_of(type(entry), connector), encoded(entry)) for entry in entries])
