"""A manifest as a form, a value a row, and back into its YAML: what is not changed stays as written. Pure.

Rows are named as in the flat form (`flat_config`): `source.paging.type`, `sla.maintenance.[0].from`.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import yaml
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import YAMLError

from connectors.errors import ManifestError, Text
from connectors.flat_config import escaped_key, parts_of, text_of, value_of
from connectors.yaml_text import WIDTH, to_yaml
from schemas.declaration import YAML_LOADER


@dataclass(frozen=True, slots=True)
class Row:
    """One value: `path` in the flat form, `value` as YAML writes it (`300`, `a text`, `"300"` for a text of digits)."""

    path: str
    value: str


@dataclass(frozen=True, slots=True)
class _Place:
    node: yaml.Node
    value: Any


def rows_of(text: str) -> list[Row]:
    """Every value of a manifest's text in its order. ManifestError if it is not YAML, or no mapping."""
    return [Row(path, text_of(place.value)) for path, place in _places(text).items()]


def with_rows(text: str, rows: Mapping[str, str]) -> str:
    """The text with these values: changed ones are put in place, missing ones removed, new ones added.

    The same rows give the same text. ManifestError as `rows_of`, or for a path that does not fit the others.
    """
    places = _places(text)
    values = {path: typed(given) for path, given in rows.items()}
    changed = {
        path: (places[path], value)
        for path, value in values.items()
        if path in places and not _same(value, places[path].value)
    }
    made = _spliced(text, changed)
    added = {path: value for path, value in values.items() if path not in places}
    removed = [path for path in places if path not in rows]
    if added or removed:
        made = _rewritten(made, added, removed)
    return made


def typed(given: str) -> Any:
    """What a person means by an input: YAML on one line, but a text with `: ` or ` #` in it stays that text."""
    value, plain = value_of(given), given.strip()
    is_block = isinstance(value, dict | list) and not plain.startswith(("{", "["))
    is_cut = isinstance(value, str) and not plain.startswith(('"', "'")) and value != plain
    return plain if is_block or is_cut else value


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)


def _places(text: str) -> dict[str, _Place]:
    try:
        tree = yaml.compose(text, Loader=YAML_LOADER)
        value = yaml.load(text, Loader=YAML_LOADER)
    except yaml.YAMLError as error:
        shown = str(error).replace("\n", " ")
        raise ManifestError(Text(f"Không phải YAML hợp lệ: {shown}", f"Not valid YAML: {shown}")) from error
    if not isinstance(tree, yaml.MappingNode) or not isinstance(value, dict):
        raise ManifestError(Text("Bản khai phải là một khối khóa: giá trị", "A manifest must be a block of key: value"))
    return dict(_walk(tree, value, ""))


def _walk(node: yaml.Node, value: Any, path: str) -> Iterator[tuple[str, _Place]]:
    if isinstance(node, yaml.MappingNode) and value:
        for key_node, below in node.value:
            key = _constructed(key_node)
            if isinstance(value, dict) and key in value:
                name = escaped_key(key)
                yield from _walk(below, value[key], f"{path}.{name}" if path else name)
    elif isinstance(node, yaml.SequenceNode) and value and not _is_line(node):
        for number, (below, item) in enumerate(zip(node.value, value, strict=True)):
            yield from _walk(below, item, f"{path}.[{number}]")
    else:
        yield path, _Place(node, value)


def _constructed(node: yaml.Node) -> Any:
    return yaml.SafeLoader("").construct_object(node, deep=True)


def _is_line(node: yaml.SequenceNode) -> bool:
    """A list of plain values in brackets is one row."""
    return bool(node.flow_style) and all(isinstance(item, yaml.ScalarNode) for item in node.value)


def _spliced(text: str, changes: Mapping[str, tuple[_Place, Any]]) -> str:
    """Each changed value in the place of the old one; nothing else is touched."""
    spans = sorted(
        ((place.node.start_mark.index, place.node.end_mark.index, value) for place, value in changes.values()),
        key=lambda span: span[0],
        reverse=True,
    )
    for start, end, value in spans:
        ending = "\n" if text[start : start + 1] in ("|", ">") else ""
        lead = " " if start == end and text[start - 1 : start] == ":" else ""
        text = text[:start] + lead + _in_line(value) + ending + text[end:]
    return text


def _in_line(value: Any) -> str:
    """As it may stand in a block and between brackets."""
    if isinstance(value, str) and "\n" in value:
        quoted = to_yaml(value, default_style='"', width=WIDTH)
        return quoted.strip()
    listed = to_yaml([value], default_flow_style=True, width=WIDTH)
    return listed.strip()[1:-1]


def _rewritten(text: str, added: Mapping[str, Any], removed: list[str]) -> str:
    """With keys added and removed; comments are kept."""
    reader = YAML(typ="rt")
    reader.preserve_quotes = True
    reader.width = WIDTH
    reader.indent(mapping=2, sequence=4, offset=2)
    try:
        tree = reader.load(text)
        for path in reversed(removed):
            _remove(tree, parts_of(path))
        for path, value in added.items():
            _add(tree, path, parts_of(path), reader.load(_in_line(value)))
    except YAMLError as error:
        raise ManifestError(Text(f"Không phải YAML hợp lệ: {error}", f"Not valid YAML: {error}")) from error
    made = io.StringIO()
    reader.dump(tree, made)
    return made.getvalue()


def _remove(tree: Any, parts: list[Any]) -> None:
    """The value, and the blocks that are empty without it."""
    chain = [tree]
    for part in parts[:-1]:
        chain.append(chain[-1][_index(part)])
    for node, part in zip(reversed(chain), reversed(parts), strict=True):
        del node[_index(part)]
        if len(node) > 0:
            return


def _add(tree: Any, path: str, parts: list[Any], value: Any) -> None:
    node = tree
    for part, following in pairwise(parts):
        below = _below(node, path, part)
        if below is None:
            below = CommentedSeq() if isinstance(_index(following), int) else CommentedMap()
            _put(node, path, part, below)
        node = below
    _put(node, path, parts[-1], value)


def _below(node: Any, path: str, part: Any) -> Any:
    key = _index(part)
    if isinstance(node, list):
        return node[key] if isinstance(key, int) and key < len(node) else None
    return node.get(key) if isinstance(node, dict) else _misplaced(path)


def _put(node: Any, path: str, part: Any, value: Any) -> None:
    key = _index(part)
    if isinstance(node, list) and isinstance(key, int):
        node.insert(key, value)
    elif isinstance(node, dict):
        node[key] = value
    else:
        _misplaced(path)


def _misplaced(path: str) -> Any:
    raise ManifestError(
        Text(
            f"«{path}»: phía trên đã có một giá trị, không phải một khối", f"“{path}” stands below a value, not a block"
        ),
        path,
    )


def _index(part: Any) -> Any:
    """`[2]` is the third item of a list."""
    is_item = isinstance(part, str) and part.startswith("[") and part.endswith("]") and part[1:-1].isdigit()
    return int(part[1:-1]) if is_item else part
