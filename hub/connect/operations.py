"""The endpoints that tell how connectors do and say what they shall do: status, pause, restart, offsets, approval."""

from __future__ import annotations

import dataclasses
from typing import Any

from connectors.configs import TargetState
from hub.connect import faults
from hub.connect.exchange import Answer, Ask, Route
from hub.connect.parts import Caller, Parts
from hub.connect.shapes import Known, config_of, status, task_state, topics_of
from hub.security.access import Permission

READ, OPERATE = Permission.CONNECTOR_READ, Permission.CONNECTOR_OPERATE


class OperationEndpoints:
    """Each method answers one route; raises Fault."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/connectors/*/status", READ, self.status),
            Route("GET", "/connectors/*/tasks", READ, self.tasks),
            Route("GET", "/connectors/*/tasks/*/status", READ, self.task_status),
            Route("POST", "/connectors/*/tasks/*/restart", OPERATE, self.restart_task),
            Route("GET", "/connectors/*/topics", READ, self.topics),
            Route("PUT", "/connectors/*/topics/reset", OPERATE, self.reset_topics),
            Route("PUT", "/connectors/*/pause", OPERATE, self.pause),
            Route("PUT", "/connectors/*/resume", OPERATE, self.resume),
            Route("PUT", "/connectors/*/stop", OPERATE, self.stop),
            Route("POST", "/connectors/*/restart", OPERATE, self.restart),
            Route("GET", "/connectors/*/offsets", READ, self.offsets),
            Route("PATCH", "/connectors/*/offsets", OPERATE, self.alter_offsets),
            Route("DELETE", "/connectors/*/offsets", OPERATE, self.reset_offsets),
            Route("POST", "/connectors/*/approve", Permission.CONNECTOR_APPROVE, self.approve),
            Route("GET", "/connectors/*/audit", READ, self.audit),
        ]

    async def status(self, ask: Ask) -> Answer:
        return Answer(body=status(self._known(ask), ask.language))

    async def tasks(self, ask: Ask) -> Answer:
        known = self._known(ask)
        task = {"id": {"connector": known.declared.id, "task": 0}, "config": config_of(known.declared)}
        return Answer(body=[task] if known.runnable else [])

    async def task_status(self, ask: Ask) -> Answer:
        known = self._with_task(ask)
        return Answer(body=status(known, ask.language)["tasks"][0])

    async def restart_task(self, ask: Ask) -> Answer:
        known = self._with_task(ask)
        await self._parts.registrar.restart(known.declared.id, Caller.of(ask.caller))
        return Answer(204)

    async def topics(self, ask: Ask) -> Answer:
        """As in Kafka Connect a connector that there is not has no topics, and that is no error."""
        name = ask.segments[0]
        try:
            found = topics_of(self._known(ask), self._parts.topics)
        except faults.Fault:
            found = []
        return Answer(body={name: {"topics": found}})

    async def reset_topics(self, ask: Ask) -> Answer:
        """Which topic a connector writes to is declared, so there is nothing to forget."""
        return Answer(202)

    async def pause(self, ask: Ask) -> Answer:
        return await self._aim(ask, "paused", 202)

    async def resume(self, ask: Ask) -> Answer:
        return await self._aim(ask, "running", 202)

    async def stop(self, ask: Ask) -> Answer:
        return await self._aim(ask, "stopped", 204)

    async def _aim(self, ask: Ask, state: TargetState, code: int) -> Answer:
        known = self._known(ask)
        await self._parts.registrar.aim(known.declared.id, state, Caller.of(ask.caller))
        return Answer(code)

    async def restart(self, ask: Ask) -> Answer:
        """`includeTasks`, `onlyFailed`: 204 without both, else 202 and what is going to be restarted."""
        known = self._known(ask)
        include, only_failed = ask.flag("includeTasks"), ask.flag("onlyFailed")
        failed = task_state(known) == "FAILED"
        if failed or not only_failed:
            await self._parts.registrar.restart(known.declared.id, Caller.of(ask.caller))
        if not (include or only_failed):
            return Answer(204)
        after = self._known(ask)
        return Answer(202, status(after, ask.language, restarting=failed if only_failed else include))

    async def offsets(self, ask: Ask) -> Answer:
        known = self._known(ask)
        position = self._parts.positions.get(known.declared.id)
        if position is None or position.cursor is None:
            return Answer(body={"offsets": []})
        return Answer(body={"offsets": [{"partition": _partition(known), "offset": position.cursor}]})

    async def alter_offsets(self, ask: Ask) -> Answer:
        known = self._known(ask)
        await self._parts.registrar.set_position(known.declared.id, _offset(ask.object(), known), Caller.of(ask.caller))
        return Answer(body={"message": "The offsets for this connector have been altered successfully"})

    async def reset_offsets(self, ask: Ask) -> Answer:
        known = self._known(ask)
        await self._parts.registrar.set_position(known.declared.id, None, Caller.of(ask.caller))
        return Answer(body={"message": "The offsets for this connector have been reset successfully"})

    async def approve(self, ask: Ask) -> Answer:
        """`{"version": n}` names the version that was looked at: 409 if there is a newer one."""
        known = self._known(ask)
        version = ask.object().get("version") if ask.body is not None else None
        if version is not None and (not isinstance(version, int) or isinstance(version, bool)):
            raise faults.bad_request("«version» phải là số nguyên", "“version” must be an integer")
        if known.declared.waits:
            newest = known.declared.registered.manifest
            await self._parts.require_fit(self._parts.checked(newest, f"{known.declared.id}.yaml"), ask.caller)
        await self._parts.registrar.approve(known.declared.id, Caller.of(ask.caller), version)
        return Answer(body=status(self._known(ask), ask.language))

    async def audit(self, ask: Ask) -> Answer:
        """Who did what, when; the newest acts, the oldest of them first."""
        known = self._known(ask)
        return Answer(body=[dataclasses.asdict(act) for act in self._parts.trail.of(known.declared.id)])

    def _known(self, ask: Ask) -> Known:
        return self._parts.known(ask.segments[0], ask.caller)

    def _with_task(self, ask: Ask) -> Known:
        known = self._known(ask)
        if not known.runnable or ask.segments[1] != "0":
            raise faults.task_not_found(known.declared.id, ask.segments[1])
        return known


def _partition(known: Known) -> dict[str, str]:
    """A source of ours has one partition: itself."""
    return {"connector": known.declared.id}


def _offset(body: dict[str, Any], known: Known) -> dict[str, Any] | None:
    """The new cursor of a request to alter the offsets; None: the beginning. Raises Fault 400."""
    listed = body.get("offsets")
    if not isinstance(listed, list) or not listed:
        raise faults.bad_request(
            "Cần «offsets», một danh sách không rỗng",
            "Partitions / offsets need to be provided for an alter offsets request",
        )
    for item in listed:
        if not isinstance(item, dict) or item.get("partition") != _partition(known):
            raise faults.bad_request(
                f"«partition» phải là {_partition(known)}", f"“partition” must be {_partition(known)}"
            )
    offset = listed[-1].get("offset")
    if offset is not None and not isinstance(offset, dict):
        raise faults.bad_request("«offset» phải là một đối tượng hoặc null", "“offset” must be an object or null")
    return offset
