"""The JSON Schema (2020-12) of manifests, for editors and forms; made from the models that check them."""

from __future__ import annotations

from typing import Any

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
