"""The endpoints that read and write connectors' configs."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from connectors.configs import TARGET_STATES, Declared, TargetState
from connectors.errors import ManifestError, Text
from connectors.manifest import Manifest
from hub.connect import faults
from hub.connect.exchange import Answer, Ask, Route
from hub.connect.masking import unmasked
from hub.connect.parts import Caller, Parts, faults_of, manifest_text, require_own, visible
from hub.connect.plugins import plugin_named
from hub.connect.shapes import Known, config_of, info, status, whole_config_of
from hub.connector_verdict import Verdict
from hub.security.access import Permission

READ, WRITE = Permission.CONNECTOR_READ, Permission.CONNECTOR_WRITE
BODY_KEYS = frozenset({"name", "config", "initial_state"})


class ConnectorEndpoints:
    """Each method answers one route; raises Fault."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/connectors", READ, self.all),
            Route("POST", "/connectors", WRITE, self.create),
            Route("GET", "/connectors/*", READ, self.info),
            Route("DELETE", "/connectors/*", WRITE, self.delete),
            Route("GET", "/connectors/*/config", READ, self.config),
            Route("PUT", "/connectors/*/config", WRITE, self.put_config),
            Route("PATCH", "/connectors/*/config", WRITE, self.patch_config),
            Route("GET", "/connectors/*/manifest", READ, self.manifest),
            Route("PUT", "/connectors/*/manifest", WRITE, self.put_manifest, takes_text=True),
        ]

    async def all(self, ask: Ask) -> Answer:
        expand = ask.query.get("expand")
        if expand is None:
            return Answer(body=[item.id for item in self._parts.configs if visible(item, ask.caller)])
        found = {}
        for item in await self._parts.all(ask.caller):
            found[item.declared.id] = _expanded(item, set(expand), ask.language)
            await asyncio.sleep(0)
        return Answer(body=found)

    async def create(self, ask: Ask) -> Answer:
        body = ask.object()
        unknown = sorted(set(body) - BODY_KEYS)
        if unknown:
            raise faults.bad_request(f"Không có khóa «{unknown[0]}»", f'Unrecognized field "{unknown[0]}"')
        config = _flat(body.get("config"))
        name = str(body.get("name") or "").strip()
        if not name:
            raise faults.bad_request("Thiếu tên đầu nối («name»)", "Connector name must not be null or empty")
        state = _state(body.get("initial_state"))
        if config.get("name", name) != name:
            raise faults.bad_request(
                "Tên trong «config» khác «name»", "Connector name configuration must match the name"
            )
        manifest, text = self._checked(name, config, None)
        before = self._parts.configs.get(name)
        if before is not None:
            raise faults.exists(name) if visible(before, ask.caller) else faults.forbidden()
        return await self._apply(ask, manifest, text, state)

    async def info(self, ask: Ask) -> Answer:
        return Answer(body=info(self._parts.known(ask.segments[0], ask.caller)))

    async def delete(self, ask: Ask) -> Answer:
        known = self._parts.known(ask.segments[0], ask.caller)
        await self._parts.registrar.remove(known.declared.id, Caller.of(ask.caller))
        return Answer(204)

    async def config(self, ask: Ask) -> Answer:
        return Answer(body=config_of(self._parts.known(ask.segments[0], ask.caller).declared))

    async def put_config(self, ask: Ask) -> Answer:
        name = ask.segments[0].strip()
        config = _flat(ask.body)
        if config.get("name", name) != name:
            raise faults.bad_request(
                "Tên trong cấu hình khác tên trong địa chỉ", "Connector name configuration must match the URL"
            )
        before = self._own(name, ask)
        manifest, text = self._checked(name, config, before)
        return await self._apply(ask, manifest, text, None)

    async def patch_config(self, ask: Ask) -> Answer:
        declared = self._parts.known(ask.segments[0], ask.caller).declared
        patch = ask.object()
        config: dict[str, Any] = whole_config_of(declared)
        for key, value in patch.items():
            if value is None:
                config.pop(key, None)
            else:
                config[key] = value
        manifest, text = self._checked(declared.id, _flat(config), declared)
        return await self._apply(ask, manifest, text, None)

    async def manifest(self, ask: Ask) -> Answer:
        declared = self._parts.known(ask.segments[0], ask.caller).declared
        return Answer(body=declared.registered.manifest.encode(), media_type="application/yaml; charset=utf-8")

    async def put_manifest(self, ask: Ask) -> Answer:
        """A manifest as YAML; `?dry_run=true` only checks it."""
        name = ask.segments[0]
        text = ask.body if isinstance(ask.body, str) else ask.object().get("manifest")
        if not isinstance(text, str):
            raise faults.bad_request("Hãy gửi bản khai YAML (text/yaml)", "Send the manifest as YAML (text/yaml)")
        self._own(name, ask)
        try:
            manifest = self._parts.checked(text, f"{name}.yaml")
        except ManifestError as error:
            raise faults.Fault(400, error.text) from error
        if manifest.id != name:
            raise faults.bad_request(
                f"«id» trong bản khai là {manifest.id}, không phải {name}",
                f"“id” in the manifest is {manifest.id}, not {name}",
            )
        return await self._apply(ask, manifest, text, None)

    def _own(self, name: str, ask: Ask) -> Declared | None:
        """What is declared of it, None if it is new; another unit's looks as if its name may not be used."""
        before = self._parts.configs.get(name)
        if before is not None and not visible(before, ask.caller):
            raise faults.forbidden()
        return before

    def _checked(self, name: str, config: Mapping[str, str], before: Declared | None) -> tuple[Manifest, str]:
        """The manifest of a flat config and its text. Raises Fault 400 with everything that is wrong."""
        plugin = plugin_named(config.get("connector.class"))
        whole, lost = unmasked(dict(config) | {"name": name}, whole_config_of(before) if before is not None else {})
        if lost:
            raise faults.invalid_config(plugin, [_masked(key) for key in lost])
        text = manifest_text(whole)
        try:
            return self._parts.checked(text, f"{name}.yaml"), text
        except ManifestError as error:
            raise faults.invalid_config(plugin, faults_of(error)) from error

    async def _apply(self, ask: Ask, manifest: Manifest, text: str, state: TargetState | None) -> Answer:
        require_own(manifest, ask.caller)
        before = self._parts.configs.get(manifest.id)
        is_same = before is not None and before.registered.manifest == text
        looked = Verdict(()) if is_same else await self._parts.require_fit(manifest, ask.caller)
        tried = _tried(looked, ask.language)
        if ask.flag("dry_run"):
            told = {"name": manifest.id, "dry_run": True, "new": before is None, "changed": not is_same}
            return Answer(body=told | tried)
        await asyncio.to_thread(self._parts.make_topic, manifest.entity)
        declared = await self._parts.registrar.apply(
            manifest.id, text, manifest.owner.org, Caller.of(ask.caller), state
        )
        location = f"{ask.base}/connectors/{quote(manifest.id, safe='')}".encode("latin-1")
        headers = ((b"location", location),) if before is None else ()
        body = info(self._parts.shown(declared))
        body["ioc"] |= tried
        return Answer(201 if before is None else 200, body, headers)


def _tried(verdict: Verdict, language: str) -> dict[str, Any]:
    """How many records the manifest was tried on, or why on none."""
    return {"tried_records": verdict.records, "not_tried": verdict.unread.to(language) if verdict.unread else None}


def _expanded(known: Known, wanted: set[str], language: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if "status" in wanted:
        found["status"] = status(known, language)
    if "info" in wanted:
        found["info"] = info(known)
    return found


def _flat(config: Any) -> dict[str, str]:
    """A config's scalars as texts, as Kafka Connect does. Raises Fault 400."""
    if not isinstance(config, dict):
        raise faults.bad_request("«config» phải là một đối tượng JSON", "The config must be a JSON object")
    flat: dict[str, str] = {}
    for key, value in config.items():
        if isinstance(value, dict | list):
            raise faults.bad_request(f"«{key}» phải là một giá trị đơn", f"“{key}” must be a single value")
        if value is None:
            raise faults.bad_request(f"«{key}» không được rỗng (null)", f"“{key}” must not be null")
        flat[key] = str(value).lower() if isinstance(value, bool) else str(value)
    return flat


def _state(given: Any) -> TargetState | None:
    if given is None:
        return None
    for state in TARGET_STATES:
        if isinstance(given, str) and given.lower() == state:
            return state
    raise faults.bad_request(
        "«initial_state» phải là RUNNING, PAUSED hoặc STOPPED", "“initial_state” must be RUNNING, PAUSED or STOPPED"
    )


def _masked(key: str) -> Text:
    return Text(
        f"«{key}» chỉ có dấu sao và trước đó chưa có giá trị; hãy ghi ${{env:IOC_SECRET_…}} hoặc ${{file:…}}",
        f"“{key}” is masked and there is no earlier value to keep; write ${{env:IOC_SECRET_…}} or ${{file:…}}",
    )
