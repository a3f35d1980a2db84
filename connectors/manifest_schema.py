"""The JSON Schema (2020-12) of manifests, for editors and forms; made from the models that check them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from connectors.flat_config import parts_of
from connectors.manifest import Head, config_model, source_kinds

TEMPLATE = "#/$defs/{model}"


def manifest_schema(*kinds: str) -> dict[str, Any]:
    """The schema of a manifest of one of `kinds` (none: of every kind that exists)."""
    schema = Head.model_json_schema(by_alias=True, ref_template=TEMPLATE)
    definitions: dict[str, Any] = schema.pop("$defs", {})
    wanted = kinds or source_kinds()
    for kind in wanted:
        definitions |= _source_schema(kind)
    schema["properties"]["kind"] = {"enum": list(wanted), "title": "Kind"}
    schema["properties"]["source"] = {"type": "object"}
    schema["allOf"] = [
        {
            "if": {"properties": {"kind": {"const": kind}}},
            "then": {"properties": {"source": {"$ref": f"#/$defs/source_{kind}"}}},
        }
        for kind in wanted
    ]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "IOC connector",
        "$defs": definitions,
    }


def _source_schema(kind: str) -> dict[str, Any]:
    """The definitions of a kind's block `source`, each under a name of its own."""
    prefix = f"source_{kind}"
    schema = config_model(kind).model_json_schema(by_alias=True, ref_template=f"#/$defs/{prefix}.{{model}}")
    inner = schema.pop("$defs", {})
    return {prefix: schema, **{f"{prefix}.{name}": definition for name, definition in inner.items()}}


def titles(kind: str) -> Callable[[str], tuple[str, str] | None]:
    """Vietnamese and English titles of a kind's options by their path in the flat form; None where there is none."""
    whole = manifest_schema(kind)
    definitions = whole["$defs"]
    root = {**whole, "properties": {**whole["properties"], "source": {"$ref": f"#/$defs/source_{kind}"}}}

    def title(path: str) -> tuple[str, str] | None:
        node: Mapping[str, Any] = root
        for part in parts_of(path):
            found = _below(node, str(part), definitions)
            if found is None:
                return None
            node = found
        vi, en = node.get("title"), node.get("title_en")
        return (str(vi), str(en)) if vi and en else None

    return title


def _below(node: Mapping[str, Any], part: str, definitions: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The schema of a key or an item, in whichever alternative has it."""
    for option in _alternatives(node, definitions):
        properties = option.get("properties", {})
        if part in properties:
            found: Mapping[str, Any] = properties[part]
            return found
        further = option.get("items") if part.startswith("[") else option.get("additionalProperties")
        if isinstance(further, dict):
            return further
    return None


def _alternatives(node: Mapping[str, Any], definitions: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    if "$ref" in node:
        yield from _alternatives(definitions[node["$ref"].removeprefix("#/$defs/")], definitions)
        return
    yield node
    for word in ("anyOf", "oneOf", "allOf"):
        for option in node.get(word, ()):
            if "if" not in option:
                yield from _alternatives(option, definitions)
