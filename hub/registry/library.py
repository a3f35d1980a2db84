"""Stored schemas parsed, with the types of the versions that they refer to. Pure, over a store."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence

from hub.registry.offer import PARSED_LIMIT, Offer, offer, offer_with
from hub.registry.records import AVRO, Reference
from hub.registry.store import Store
from schemas.avro_parser import InvalidSchemaError
from schemas.avro_tree import Named, Node

MOST_REFERENCES = 1_000
"""Versions one schema may draw in, directly or not: a schema must be parsed while its client waits."""


class Library:
    """Parses what clients offer and what is stored. Not thread-safe."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._nodes: OrderedDict[tuple[int, bytes], Node] = OrderedDict()

    def offer(self, text: str, references: Sequence[Reference] = (), *, normalize: bool = False) -> Offer:
        """Check and parse what a client offers; a reference to version -1 is to the latest. InvalidSchemaError."""
        if not references:
            return offer(text, normalize=normalize)
        fixed = tuple(self._fixed(item) for item in references)
        return offer_with(text, fixed, self._types(fixed), normalize=normalize)

    def types(self, offered: Offer) -> Mapping[str, Named]:
        """What an offer's references bring, by full name."""
        return self._types(offered.references)

    def node(self, schema_id: int) -> Node:
        """A stored schema, parsed; remembered. InvalidSchemaError if it is no Avro or no longer whole."""
        held = self._store.schema(schema_id)
        if held is None:
            raise InvalidSchemaError("", f"no schema has the id {schema_id}")
        if held.kind != AVRO:
            raise InvalidSchemaError("", f"the schema of id {schema_id} is {held.kind}, not {AVRO}")
        key = schema_id, held.form
        node = self._nodes.pop(key, None)
        if node is None:
            node = self.offer(held.text, held.references).node
            if len(self._nodes) >= PARSED_LIMIT:
                self._nodes.popitem(last=False)
        self._nodes[key] = node
        return node

    def _fixed(self, item: Reference) -> Reference:
        if item.version != -1:
            return item
        versions = self._store.versions(item.subject)
        if not versions:
            raise InvalidSchemaError("", f"the reference {item.name!r}: subject {item.subject!r} has no version")
        return Reference(item.name, item.subject, versions[-1].number)

    def _types(self, references: Iterable[Reference]) -> dict[str, Named]:
        """What the referenced versions define, each of them parsed after those that it refers to itself."""
        named: dict[str, Named] = {}
        done: set[tuple[str, int]] = set()
        under_way: set[tuple[str, int]] = set()
        # A stack instead of recursion: a chain of references may be longer than Python's.
        stack = [(item, False) for item in reversed(tuple(references))]
        while stack:
            item, ready = stack.pop()
            key = item.subject, item.version
            if key in done:
                continue
            text, inner = self._referenced(item)
            if ready:
                named = dict(offer_with(text, inner, named).named)
                done.add(key)
                continue
            if key in under_way:
                raise InvalidSchemaError("", f"the reference {item.name!r} leads back to itself")
            if len(under_way) >= MOST_REFERENCES:
                raise InvalidSchemaError("", f"more than {MOST_REFERENCES} versions are referred to")
            under_way.add(key)
            stack.append((item, True))
            stack += [(each, False) for each in reversed(inner)]
        return named

    def _referenced(self, item: Reference) -> tuple[str, tuple[Reference, ...]]:
        version = self._store.version(item.subject, item.version)
        held = self._store.schema(version.id) if version is not None else None
        if held is None:
            raise InvalidSchemaError(
                "", f"the reference {item.name!r}: version {item.version} of subject {item.subject!r} does not exist"
            )
        return held.text, held.references
