"""A schema as JSON that is being changed: places in it, and types taken from one schema into another. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from schemas.avro_tree import PRIMITIVES
from schemas.compatibility import ITEMS, VALUES, Step

NAMED = ("record", "error", "enum", "fixed")


class NoPlaceError(LookupError):
    """The place is not in this schema: it is in a referenced one, or an earlier change took it away."""


@dataclass(frozen=True, slots=True)
class Spot:
    """A type's place: `holder[key]` is it, written within the namespace `space`."""

    holder: Any
    key: Any
    space: str

    @property
    def raw(self) -> Any:
        """The type as JSON."""
        return self.holder[self.key]


@dataclass(slots=True)
class Draft:
    """A copy of a valid schema, given as decoded JSON. What is got from it may be changed in place."""

    root: dict[str, Any]
    defined: dict[str, tuple[dict[str, Any], str]] = field(default_factory=dict)
    """By full name: the definition and the namespace within it."""

    @classmethod
    def of(cls, schema: Any) -> Draft:
        draft = cls({"root": orjson.loads(orjson.dumps(schema))})
        draft.defined = {full: (raw, space) for full, raw, space in _definitions(draft.schema, "")}
        return draft

    @property
    def schema(self) -> Any:
        """The JSON as it is now."""
        return self.root["root"]

    def spot(self, steps: Sequence[Step]) -> Spot:
        """Where a type stands. Raises NoPlaceError."""
        spot = Spot(self.root, "root", "")
        for step in steps:
            spot = self._within(*self.meant(spot), step)
        return spot

    def meant(self, spot: Spot) -> tuple[Any, str]:
        """The type that a place means, a name looked up, and the namespace within it. Raises NoPlaceError."""
        raw, space = spot.raw, spot.space
        name = raw.get("type") if isinstance(raw, dict) else raw
        if not isinstance(name, str) or name in PRIMITIVES or name in (*NAMED, "array", "map"):
            return raw, full_name(raw, space).rpartition(".")[0] if isinstance(raw, dict) and name in NAMED else space
        found = self.defined.get(_qualified(name, space)) or self.defined.get(name)
        if found is None:
            raise NoPlaceError(name)
        return found

    def record(self, steps: Sequence[Step]) -> dict[str, Any]:
        """The named type's definition at a place. Raises NoPlaceError."""
        raw, _ = self.meant(self.spot(steps))
        if not isinstance(raw, dict) or raw.get("type") not in NAMED:
            raise NoPlaceError("no named type")
        return raw

    def enum(self, steps: Sequence[Step]) -> dict[str, Any]:
        """The enum's definition at a place. Raises NoPlaceError."""
        made = self.record(steps)
        if made["type"] != "enum":
            raise NoPlaceError("no enum")
        return made

    def field(self, steps: Sequence[Step]) -> dict[str, Any]:
        """The field that the last step names. Raises NoPlaceError."""
        if not steps:
            raise NoPlaceError("the whole schema is no field")
        found = next((item for item in self.fields(steps[:-1]) if item["name"] == steps[-1]), None)
        if found is None:
            raise NoPlaceError(str(steps[-1]))
        return found

    def fields(self, steps: Sequence[Step]) -> list[dict[str, Any]]:
        """The fields of the record at a place. Raises NoPlaceError."""
        listed = self.record(steps).get("fields")
        if not isinstance(listed, list):
            raise NoPlaceError("no record")
        return listed

    def take(self, other: Draft, spot: Spot, replaced: Any) -> Any:
        """A type of another schema as JSON that is now put here for `replaced`, with the definitions it needs."""
        inner = {id(raw) for _, raw, _ in _definitions(replaced, "")}
        gone = {full for full, (raw, _) in self.defined.items() if id(raw) in inner}
        for full in gone:
            del self.defined[full]
        return _exported(other, spot.raw, spot.space, self.defined)

    def rename(self, before: str, after: str) -> None:
        """Let every reference to a definition say its new full name. The definition itself is left."""
        for spot in list(_references(Spot(self.root, "root", ""))):
            if self.meant(spot)[0] is self.defined[before][0]:
                spot.holder[spot.key] = after
        self.defined[after] = self.defined.pop(before)

    def _within(self, raw: Any, space: str, step: Step) -> Spot:
        if isinstance(step, int):
            if isinstance(raw, list) and step < len(raw):
                return Spot(raw, step, space)
        elif isinstance(raw, dict):
            key = {ITEMS: "items", VALUES: "values"}.get(step)
            if key in raw:
                return Spot(raw, key, space)
            for item in raw.get("fields", ()) if key is None else ():
                if item["name"] == step:
                    return Spot(item, "type", space)
        raise NoPlaceError(str(step))


def full_name(raw: dict[str, Any], space: str) -> str:
    """The full name of a definition that stands within a namespace."""
    name: str = raw["name"]
    given = raw.get("namespace")
    return _qualified(name, given if isinstance(given, str) else space)


def _qualified(name: str, space: str) -> str:
    return name if "." in name or not space else f"{space}.{name}"


def _definitions(raw: Any, space: str) -> Iterator[tuple[str, dict[str, Any], str]]:
    if isinstance(raw, list):
        for branch in raw:
            yield from _definitions(branch, space)
    elif isinstance(raw, dict):
        if raw.get("type") in NAMED:
            full = full_name(raw, space)
            space = full.rpartition(".")[0]
            yield full, raw, space
        for item in raw.get("fields", ()) if raw.get("type") in ("record", "error") else ():
            yield from _definitions(item["type"], space)
        for key in {"array": ("items",), "map": ("values",)}.get(raw.get("type", ""), ()):
            yield from _definitions(raw[key], space)


def _references(spot: Spot) -> Iterator[Spot]:
    """Where names of types stand."""
    raw = spot.raw
    if isinstance(raw, str) and raw not in PRIMITIVES:
        yield spot
    elif isinstance(raw, list):
        for number in range(len(raw)):
            yield from _references(Spot(raw, number, spot.space))
    elif isinstance(raw, dict):
        kind = raw["type"]
        if kind in ("record", "error"):
            space = full_name(raw, spot.space).rpartition(".")[0]
            for item in raw["fields"]:
                yield from _references(Spot(item, "type", space))
        elif kind in ("array", "map"):
            yield from _references(Spot(raw, "items" if kind == "array" else "values", spot.space))
        elif kind not in NAMED:
            yield from _references(Spot(raw, "type", spot.space))


def _exported(other: Draft, raw: Any, space: str, known: dict[str, tuple[dict[str, Any], str]]) -> Any:
    """`raw` with full names, and with the definitions that are not known where it goes; these are known then."""
    if isinstance(raw, list):
        return [_exported(other, branch, space, known) for branch in raw]
    kind = raw.get("type") if isinstance(raw, dict) else raw
    if kind in PRIMITIVES:
        return raw
    if kind in ("array", "map"):
        key = "items" if kind == "array" else "values"
        return {**raw, key: _exported(other, raw[key], space, known)}
    definition, inner = other.meant(Spot({"": raw}, "", space))
    full = full_name(definition, inner)
    if full in known:
        return full
    space, _, name = full.rpartition(".")
    made = {**definition, "name": name, "namespace": space}
    known[full] = made, space
    if "fields" in made:
        made["fields"] = [
            {**item, "type": _exported(other, item["type"], space, known)} for item in definition["fields"]
        ]
    return made
