"""The endpoints that write: registration, deletes, levels and modes."""

from __future__ import annotations

from typing import Any

from hub.registry import asked
from hub.registry.decisions import Decisions
from hub.registry.exchange import Ask, Route
from hub.registry.library import Library
from hub.registry.registrar import Registrar
from hub.security.access import Permission

WRITE, ADMIN = Permission.REGISTRY_WRITE, Permission.REGISTRY_ADMIN


class Writing:
    """Each method answers what becomes the JSON body and raises Fault."""

    def __init__(self, library: Library, decisions: Decisions, registrar: Registrar) -> None:
        self._library = library
        self._decisions = decisions
        self._registrar = registrar

    def routes(self) -> list[Route]:
        """All of them."""
        return [
            Route("POST", "/subjects/*/versions", "register", WRITE, self.register),
            Route("DELETE", "/subjects/*/versions/*", "version_delete", ADMIN, self.version_delete),
            Route("DELETE", "/subjects/*", "subject_delete", ADMIN, self.subject_delete),
            Route("PUT", "/config", "config_set", ADMIN, self.config_set),
            Route("PUT", "/config/*", "config_set", ADMIN, self.config_set),
            Route("DELETE", "/config", "config_unset", ADMIN, self.config_unset),
            Route("DELETE", "/config/*", "config_unset", ADMIN, self.config_unset),
            Route("PUT", "/mode", "mode_set", ADMIN, self.mode_set),
            Route("PUT", "/mode/*", "mode_set", ADMIN, self.mode_set),
            Route("DELETE", "/mode", "mode_unset", ADMIN, self.mode_unset),
            Route("DELETE", "/mode/*", "mode_unset", ADMIN, self.mode_unset),
        ]

    async def register(self, ask: Ask) -> Any:
        subject = asked.valid_subject(ask.segments[0])
        version = await self._registrar.register(subject, asked.wanted(ask, self._library))
        return {"id": version.id}

    async def version_delete(self, ask: Ask) -> Any:
        subject, given = ask.segments
        number, permanent = asked.version_number(given), ask.flag("permanent")
        return await self._registrar.write(lambda: self._decisions.delete_version(subject, number, permanent=permanent))

    async def subject_delete(self, ask: Ask) -> Any:
        (subject,) = ask.segments
        permanent = ask.flag("permanent")
        return await self._registrar.write(lambda: self._decisions.delete_subject(subject, permanent=permanent))

    async def config_set(self, ask: Ask) -> Any:
        subject, level = _about(ask), asked.level(ask)
        await self._registrar.write(lambda: self._decisions.set_level(subject, level))
        return {"compatibility": level.value}

    async def config_unset(self, ask: Ask) -> Any:
        subject = _about(ask)
        level = await self._registrar.write(lambda: self._decisions.unset_level(subject))
        return {"compatibilityLevel": level.value}

    async def mode_set(self, ask: Ask) -> Any:
        subject, mode, force = _about(ask), asked.mode(ask), ask.flag("force")
        await self._registrar.write(lambda: self._decisions.set_mode(subject, mode, force=force))
        return {"mode": mode.value}

    async def mode_unset(self, ask: Ask) -> Any:
        subject = _about(ask)
        mode = await self._registrar.write(lambda: self._decisions.unset_mode(subject))
        return {"mode": mode.value}


def _about(ask: Ask) -> str | None:
    return asked.valid_subject(ask.segments[0]) if ask.segments else None
