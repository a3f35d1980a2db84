"""A manifest as Kafka Connect's flat map of strings, and back, nothing lost but comments. Pure.

A path's parts are joined by dots, a list's items are `[0]`, `[1]` …; a dot or backslash within a key is escaped by a
backslash. Keys and values are written as in YAML: `300`, `true`, `a text`, `"300"` for a text of digits.
`id` becomes `name` and `kind` becomes `connector.class`, as Kafka Connect's clients want them; keys that these clients
add by themselves (`IGNORED`) mean nothing here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

from connectors.yaml_text import WIDTH, to_yaml

PACKAGE = "ioc.connectors."
SUFFIX = "SourceConnector"
IGNORED = frozenset(
    {
        "tasks.max",
        "topics",
        "key.converter",
        "value.converter",
        "header.converter",
        "config.action.reload",
        "transforms",
        "predicates",
        "errors.retry.timeout",
        "errors.retry.delay.max.ms",
        "errors.tolerance",
        "errors.log.enable",
        "errors.log.include.messages",
    }
)
_PARTS = re.compile(r"(?:\\.|[^.\\])+")
_UNESCAPE = re.compile(r"\\(.)")
_ITEM = re.compile(r"\[(\d+)\]")


def class_of(kind: str) -> str:
    """The plugin's class of a kind: `station_txt` is `ioc.connectors.StationTxtSourceConnector`."""
    return PACKAGE + "".join(part.capitalize() for part in kind.split("_")) + SUFFIX


def kind_of(connector_class: str, kinds: tuple[str, ...]) -> str | None:
    """The kind named by a class: in full, by its simple name, or that without `Connector`. None if there is none."""
    for kind in kinds:
        full = class_of(kind)
        simple = full.removeprefix(PACKAGE)
        if connector_class in (full, simple, simple.removesuffix("Connector")):
            return kind
    return None


def flatten(tree: Mapping[str, Any]) -> dict[str, str]:
    """The flat map of a manifest's tree (as YAML gives it)."""
    flat: dict[str, str] = {}
    for key, value in tree.items():
        if key == "id":
            flat["name"] = str(value)
        elif key == "kind":
            flat["connector.class"] = class_of(str(value))
        else:
            _flatten(escaped_key(key), value, flat)
    return flat


def nested(flat: Mapping[str, str], kinds: tuple[str, ...]) -> dict[str, Any]:
    """The manifest's tree of a flat map. A class that is no kind stays as `kind`, so that the check names it."""
    tree: dict[str, Any] = {}
    for key, text in flat.items():
        if key == "name":
            tree["id"] = text
        elif key == "connector.class":
            tree["kind"] = kind_of(text, kinds) or text
        elif key not in IGNORED:
            _put(tree, parts_of(key), value_of(text))
    listed = _lists(tree)
    assert isinstance(listed, dict)
    return listed


def escaped_key(key: object) -> str:
    """A key as a part of a path."""
    return text_of(key).replace("\\", "\\\\").replace(".", "\\.")


def parts_of(path: str) -> list[Any]:
    """The keys of a path; an item of a list stays `[0]`."""
    return [_part(part) for part in _PARTS.findall(path)]


def _part(escaped: str) -> Any:
    text = _UNESCAPE.sub(r"\1", escaped)
    return text if _ITEM.fullmatch(text) else value_of(text)


def _flatten(path: str, value: Any, flat: dict[str, str]) -> None:
    if isinstance(value, dict) and value:
        for key, item in value.items():
            _flatten(f"{path}.{escaped_key(key)}", item, flat)
    elif isinstance(value, list) and value and all(isinstance(item, str) and "," not in item for item in value):
        flat[path] = to_yaml(value, default_flow_style=True, width=WIDTH).strip()
    elif isinstance(value, list) and value:
        for number, item in enumerate(value):
            _flatten(f"{path}.[{number}]", item, flat)
    else:
        flat[path] = text_of(value)


def text_of(value: Any) -> str:
    """A value as YAML writes it on one line, a text without quotes where that is clear."""
    if isinstance(value, str):
        plain = value_of(value) == value and value.strip() == value and not _ITEM.fullmatch(value)
        return value if plain else yaml_quoted(value)
    shown = to_yaml(value, default_flow_style=True, width=WIDTH)
    return shown.removesuffix("...\n").strip()


def yaml_quoted(value: str) -> str:
    """A text in double quotes."""
    return to_yaml(value, default_style='"', width=WIDTH).strip()


def value_of(text: str) -> Any:
    """What `text_of` wrote; what is not YAML is a text."""
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError:
        return text
    return text if found is None and text.strip() not in {"null", "~"} else found


def _put(tree: dict[Any, Any], parts: list[Any], value: Any) -> None:
    node = tree
    for part in parts[:-1]:
        below = node.setdefault(part, {})
        if not isinstance(below, dict):
            below = node[part] = {}
        node = below
    if parts:
        node[parts[-1]] = value


def _lists(node: Any) -> Any:
    """Blocks whose keys are `[0]`, `[1]` … are lists."""
    if not isinstance(node, dict):
        return node
    below = {key: _lists(value) for key, value in node.items()}
    numbers = [_ITEM.fullmatch(key) if isinstance(key, str) else None for key in below]
    if below and all(numbers):
        return [below[f"[{number}]"] for number in sorted(int(match[1]) for match in numbers if match)]
    return below
