"""Reading values and lists of records out of nested JSON by dotted paths. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any


def value_at(tree: Any, path: str) -> Any:
    """The value at `a.b.c`, None where a part is missing; the empty path is the tree itself."""
    if not path:
        return tree
    for part in path.split("."):
        tree = tree.get(part) if isinstance(tree, dict) else None
    return tree


def records_at(tree: Any, path: str, keep: Sequence[str] = ()) -> list[Any] | None:
    """The list at `path`; a part `name[]` goes into every element of a list and gathers what is below.

    `keep`: keys of the elements gone through, copied into records that lack them. None if there is no list.
    """
    if "[]" not in path:
        found = value_at(tree, path)
        return found if isinstance(found, list) else None
    head, _, rest = path.partition("[]")
    outer = value_at(tree, head)
    if not isinstance(outer, list):
        return None
    gathered: list[Any] = []
    for element in outer:
        inner = records_at(element, rest.lstrip("."), keep)
        if inner is None:
            return None
        gathered += _with_kept(inner, element, keep)
    return gathered


def _with_kept(records: list[Any], element: Any, keep: Sequence[str]) -> Iterator[Any]:
    kept = {key: element[key] for key in keep if isinstance(element, dict) and key in element}
    for record in records:
        yield {**kept, **record} if kept and isinstance(record, dict) else record
