"""The endpoints about kinds of sources: list, options, validation. Validation looks at no source: it must be quick."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import Any

from connectors.errors import ManifestError, Text
from connectors.flat_config import class_of, kind_of
from connectors.manifest import config_model, source_kinds
from hub.connect import faults
from hub.connect.definitions import definitions
from hub.connect.exchange import Answer, Ask, Route
from hub.connect.masking import masked, unmasked
from hub.connect.parts import Parts, faults_of, manifest_text
from hub.connect.shapes import VERSION, whole_config_of
from hub.security.access import Permission

READ = Permission.CONNECTOR_READ
_PATH = re.compile("“([^”]+)”")


def plugin_named(given: str | None) -> str:
    """A class's simple name for a message or an address; the name given where it is none of ours."""
    kind = kind_of(given or "", source_kinds())
    return class_of(kind).rpartition(".")[2] if kind else (given or "?")


class PluginEndpoints:
    """Each method answers one route; raises Fault."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/connector-plugins", READ, self.all),
            Route("GET", "/connector-plugins/*/config", READ, self.options),
            Route("PUT", "/connector-plugins/*/config/validate", READ, self.validate),
        ]

    async def all(self, ask: Ask) -> Answer:
        """`connectorsOnly=false` adds converters and transformations in Kafka Connect; there are none here."""
        return Answer(body=[{"class": class_of(kind), "type": "source", "version": VERSION} for kind in source_kinds()])

    async def options(self, ask: Ask) -> Answer:
        kind = await _loaded(_kind(ask.segments[0], 404))
        return Answer(body=[item.to_json() for item in definitions(kind)])

    async def validate(self, ask: Ask) -> Answer:
        config = ask.object()
        asked = await _loaded(_kind(ask.segments[0], 400))
        given = config.get("connector.class", ask.segments[0])
        if kind_of(str(given), source_kinds()) != asked:
            raise faults.bad_request(
                f"«connector.class» là {given}, khác loại trong địa chỉ",
                f"Included connector type {given} does not match request type {ask.segments[0]}",
            )
        flat = {key: "" if value is None else str(value) for key, value in config.items()}
        errors = self._errors(flat | {"connector.class": str(given)}, ask)
        return Answer(body=_validation(asked, flat, errors, ask.language))

    def _errors(self, flat: Mapping[str, str], ask: Ask) -> list[Text]:
        before = self._parts.configs.get(flat.get("name", ""))
        whole, lost = unmasked(flat, whole_config_of(before) if before is not None else {})
        try:
            self._parts.checked(manifest_text(whole), f"{flat.get('name', '?')}.yaml")
        except ManifestError as error:
            found = faults_of(error)
        else:
            found = []
        missing = [] if flat.get("name") else [Text("«name» còn thiếu", "“name” is missing")]
        hidden = [Text(f"«{key}» chỉ có dấu sao", f"“{key}” is masked and has no earlier value") for key in lost]
        return missing + hidden + found


async def _loaded(kind: str) -> str:
    """The kind, its module imported: one asked for before the start has loaded it must not hold the connectors up."""
    await asyncio.to_thread(config_model, kind)
    return kind


def _kind(plugin: str, status: int) -> str:
    kind = kind_of(plugin, source_kinds())
    if kind is None:
        known = ", ".join(class_of(item) for item in source_kinds())
        raise faults.Fault(
            status,
            Text(
                f"Không có loại đầu nối «{plugin}»; các loại: {known}",
                f"Unknown connector plugin “{plugin}”; there are: {known}",
            ),
        )
    return kind


def _validation(kind: str, flat: Mapping[str, str], errors: list[Text], language: str) -> dict[str, Any]:
    """Every option with its value and what is wrong with it; what names no option stands at the class."""
    options = definitions(kind)
    names = {option.name for option in options}
    placed: dict[str, list[str]] = {}
    for text in errors:
        path = _PATH.search(text.en)
        place = _place(path[1] if path else "", names)
        placed.setdefault(place, []).append(text.to(language))
    shown = masked(flat)
    configs = [
        {
            "definition": option.to_json(),
            "value": {
                "name": option.name,
                "value": shown.get(option.name, option.default),
                "recommended_values": [],
                "errors": placed.get(option.name, []),
                "visible": True,
            },
        }
        for option in options
    ]
    groups = list(dict.fromkeys(option.group for option in options if option.group))
    return {"name": class_of(kind), "error_count": len(errors), "groups": groups, "configs": configs}


def _place(path: str, names: set[str]) -> str:
    """The option at which a fault is shown: the deepest one that the path begins with."""
    parts = path.replace("id", "name", 1).split(".") if path == "id" else path.split(".")
    while parts:
        if ".".join(parts) in names:
            return ".".join(parts)
        parts.pop()
    return "connector.class"
