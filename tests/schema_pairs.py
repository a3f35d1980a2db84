"""Random Avro schemas and versions of them: what is held against Java Avro. The same seed gives the same schemas.

A schema is a tree of types over named definitions, so that every version of it can be written as valid JSON; few
names are used, so that versions meet. `spoilt` makes JSON that may be invalid.
"""

from __future__ import annotations

import copy
import json
import random
from dataclasses import dataclass, field
from typing import Any

PRIMITIVES = ("null", "boolean", "int", "long", "float", "double", "bytes", "string")
NUMBERS = ("int", "long", "float", "double")
LOGICAL = {
    "int": ("date", "time-millis"),
    "long": ("timestamp-millis", "timestamp-micros", "time-micros", "local-timestamp-millis"),
    "string": ("uuid",),
    "bytes": ("decimal(9,2)", "decimal(9,3)", "decimal(12,2)", "decimal(2,5)"),
}
"""By primitive; the last decimal is none."""
NAMES, SPACES = ("R", "S", "T", "U"), ("", "n", "m.x")
FIELDS, SYMBOLS, SIZES = "abcdef", "ABCDE", (1, 2, 16)


class NoDefaultError(Exception):
    """A type has no default that ends."""


@dataclass
class Definition:
    """A named type. `fields` are lists of [name, aliases, type, default or (), order]."""

    kind: str
    name: str
    space: str
    aliases: list[str] = field(default_factory=list)
    fields: list[list[Any]] = field(default_factory=list)
    symbols: list[str] = field(default_factory=list)
    default: str | None = None
    size: int = 0

    @property
    def full(self) -> str:
        return f"{self.space}.{self.name}" if self.space else self.name


@dataclass
class Model:
    """A schema: `root` is a type; a type is a name, ("array"|"map", type), ("union", [types]), ("ref", key) or
    ("logical", primitive, logical type)."""

    root: Any
    named: dict[int, Definition]

    def text(self) -> str:
        """The schema as JSON; a named type is written where it first stands."""
        return json.dumps(self._json(self.root, "", set()))

    def _json(self, kind: Any, space: str, written: set[int]) -> Any:
        if isinstance(kind, str):
            return kind
        match kind[0]:
            case "array":
                return {"type": "array", "items": self._json(kind[1], space, written)}
            case "map":
                return {"type": "map", "values": self._json(kind[1], space, written)}
            case "union":
                return [self._json(branch, space, written) for branch in kind[1]]
            case "logical":
                name, _, digits = kind[2].partition("(")
                of_decimal = zip(("precision", "scale"), map(int, digits.strip(")").split(",")), strict=True)
                return {"type": kind[1], "logicalType": name, **(dict(of_decimal) if digits else {})}
        definition = self.named[kind[1]]
        if kind[1] in written:
            return definition.full if definition.space or not space else definition.name
        written.add(kind[1])
        return self._definition(definition, space, written)

    def _definition(self, made: Definition, space: str, written: set[int]) -> dict[str, Any]:
        shown: dict[str, Any] = {"type": made.kind, "name": made.name}
        if made.space != space:
            shown["namespace"] = made.space
        if made.aliases:
            shown["aliases"] = made.aliases
        if made.kind == "fixed":
            shown["size"] = made.size
        elif made.kind == "enum":
            shown["symbols"] = made.symbols
            if made.default is not None:
                shown["default"] = made.default
        else:
            shown["fields"] = [self._field(item, made.space, written) for item in made.fields]
        return shown

    def _field(self, item: list[Any], space: str, written: set[int]) -> dict[str, Any]:
        name, aliases, kind, default = item
        shown = {"name": name, "type": self._json(kind, space, written)}
        if aliases:
            shown["aliases"] = aliases
        if default != ():
            shown["default"] = default
        return shown

    def records(self) -> list[Definition]:
        return [made for made in self._used() if made.kind in ("record", "error")]

    def enums(self) -> list[Definition]:
        return [made for made in self._used() if made.kind == "enum"]

    def all(self) -> list[Definition]:
        return self._used()

    def _used(self) -> list[Definition]:
        return [self.named[key] for key in self._reached(self.root)]

    def is_recursive(self, key: int) -> bool:
        """Whether a named type leads back to itself."""
        return any(key in self._reached(item[2]) for item in self.named[key].fields)

    def _reached(self, root: Any) -> dict[int, None]:
        seen: dict[int, None] = {}

        def walk(kind: Any) -> None:
            if isinstance(kind, str) or kind[0] == "logical":
                return
            if kind[0] == "ref":
                if kind[1] not in seen:
                    seen[kind[1]] = None
                    for item in self.named[kind[1]].fields:
                        walk(item[2])
                return
            for inner in kind[1] if kind[0] == "union" else [kind[1]]:
                walk(inner)

        walk(root)
        return seen

    def valid(self) -> bool:
        """Whether no name is defined twice, or hides one without a namespace."""
        used = self._used()
        fulls = {made.full for made in used}
        bare = [made.name for made in used if not made.space]
        names = [made.name for made in used]
        return len(fulls) == len(used) and all(names.count(name) == 1 for name in bare)


class Maker:
    """Makes schemas and versions of them from one source of chance."""

    def __init__(self, seed: object) -> None:
        self.chance = random.Random(str(seed))

    def model(self) -> Model:
        """A schema: mostly a record."""
        while True:
            made = Model("int", {})
            made.root = self._record(made, 0, ()) if self.chance.random() < 0.85 else self.type(made, 0, ())
            self._mend_defaults(made)
            if made.valid():
                return made

    def type(self, model: Model, depth: int, around: tuple[int, ...]) -> Any:
        dice = self.chance.random()
        if dice < (0.7 if depth >= 3 else 0.35):
            return self._primitive()
        if depth >= 3:
            return self._small(model)
        if dice < 0.46:
            return (self.chance.choice(("array", "map")), self.type(model, depth + 1, around))
        if dice < 0.63:
            return self._union(model, depth, around)
        if dice < 0.7 and around:
            return ("ref", self.chance.choice(around))
        if dice < 0.75 and model.named:
            return ("ref", self.chance.choice(list(model.named)))
        if dice < 0.82:
            return self._record(model, depth + 1, around)
        return self._small(model)

    def _primitive(self) -> Any:
        kind = self.chance.choice((*PRIMITIVES, "int", "string", "long"))
        if kind in LOGICAL and self.chance.random() < 0.2:
            return ("logical", kind, self.chance.choice(LOGICAL[kind]))
        return kind

    def _union(self, model: Model, depth: int, around: tuple[int, ...]) -> Any:
        branches: list[Any] = ["null"] if self.chance.random() < 0.6 else []
        for _ in range(self.chance.randint(0 if branches else 1, 3)):
            branches.append(self.type(model, depth + 1, around))
        return union(branches)

    def _name(self, model: Model, kind: str) -> tuple[int, Definition]:
        made = Definition(kind, self.chance.choice(NAMES), self.chance.choice(SPACES))
        if self.chance.random() < 0.1:
            made.aliases = [self.chance.choice(NAMES)]
        key = len(model.named)
        model.named[key] = made
        return key, made

    def _small(self, model: Model) -> Any:
        key, made = self._name(model, self.chance.choice(("enum", "enum", "fixed")))
        made.size = self.chance.choice(SIZES)
        made.symbols = self.chance.sample(SYMBOLS, self.chance.randint(1, 4))
        made.default = self.chance.choice(made.symbols) if self.chance.random() < 0.4 else None
        return ("ref", key)

    def _record(self, model: Model, depth: int, around: tuple[int, ...]) -> Any:
        key, made = self._name(model, "record" if self.chance.random() < 0.95 else "error")
        for name in self.chance.sample(FIELDS, self.chance.randint(0 if depth else 1, 4)):
            made.fields.append(self._new_field(model, name, depth, (*around, key)))
        return ("ref", key)

    def _new_field(self, model: Model, name: str, depth: int, around: tuple[int, ...]) -> list[Any]:
        kind = self.type(model, depth + 1, around)
        item = [name, [], kind, ()]
        if self.chance.random() < 0.06:
            item[1] = [self.chance.choice(FIELDS)]
        if self.chance.random() < 0.4:
            self._give_default(model, item)
        return item

    def _give_default(self, model: Model, item: list[Any]) -> None:
        try:
            item[3] = self._default(model, item[2], 0)
        except NoDefaultError:
            item[3] = ()

    def _default(self, model: Model, kind: Any, depth: int) -> Any:
        if depth > 3:
            raise NoDefaultError
        if isinstance(kind, str) or kind[0] == "logical":
            return {
                "null": None, "boolean": True, "int": 7, "long": 2**40, "float": 0.5, "double": 2, "bytes": "\u00ff",
                "string": "x",
            }[kind if isinstance(kind, str) else kind[1]]  # fmt: skip
        match kind[0]:
            case "array":
                return [] if self.chance.random() < 0.5 else [self._default(model, kind[1], depth + 1)]
            case "map":
                return {} if self.chance.random() < 0.5 else {"k": self._default(model, kind[1], depth + 1)}
            case "union":
                if not kind[1]:
                    raise NoDefaultError
                return self._default(model, self.chance.choice(kind[1]), depth + 1)
        made = model.named[kind[1]]
        if self.chance.random() < 0.95 and model.is_recursive(kind[1]):
            raise NoDefaultError  # most of them would be invalid
        if made.kind == "fixed":
            return "y" * made.size
        if made.kind == "enum":
            return self.chance.choice(made.symbols)
        return {item[0]: self._default(model, item[2], depth + 1) for item in made.fields}

    def version(self, model: Model, most: int = 3) -> Model:
        """A version of the schema with a few changes, such as people make."""
        while True:
            made = copy.deepcopy(model)
            for _ in range(self.chance.randint(1, most)):
                self._change(made)
            self._mend_defaults(made)
            if made.valid():
                return made

    def _change(self, model: Model) -> None:
        records, enums, named = model.records(), model.enums(), model.all()
        dice = self.chance.random()
        if enums and dice < 0.15:
            self._change_enum(self.chance.choice(enums))
        elif named and dice < 0.22:
            self._change_name(self.chance.choice(named))
        elif records and dice < 0.95:
            self._change_record(model, self.chance.choice(records))
        else:
            model.root = self._changed_type(model, model.root)

    def _change_enum(self, made: Definition) -> None:
        dice = self.chance.random()
        if dice < 0.4:
            made.symbols = list(dict.fromkeys([*made.symbols, self.chance.choice(SYMBOLS)]))
        elif dice < 0.7 and len(made.symbols) > 1:
            made.symbols.remove(self.chance.choice(made.symbols))
        else:
            self.chance.shuffle(made.symbols)
        if made.default not in made.symbols or self.chance.random() < 0.3:
            made.default = self.chance.choice((None, made.symbols[0]))

    def _change_name(self, made: Definition) -> None:
        dice, old, name = self.chance.random(), made.full, made.name
        if made.kind == "fixed" and dice < 0.3:
            made.size = self.chance.choice(SIZES)
            return
        if dice < 0.6:
            made.name = self.chance.choice(NAMES)
        else:
            made.space = self.chance.choice(SPACES)
        if self.chance.random() < 0.5:
            made.aliases = [old if self.chance.random() < 0.6 else name]

    def _change_record(self, model: Model, made: Definition) -> None:
        dice = self.chance.random()
        free = [name for name in FIELDS if all(name != item[0] for item in made.fields)]
        key = next(key for key, each in model.named.items() if each is made)
        if not made.fields or (dice < 0.25 and free):
            if free:
                made.fields.insert(
                    self.chance.randint(0, len(made.fields)),
                    self._new_field(model, self.chance.choice(free), 2, (key,)),
                )
            return
        item = self.chance.choice(made.fields)
        if dice < 0.4:
            made.fields.remove(item)
        elif dice < 0.5 and free:
            old, item[0] = item[0], self.chance.choice(free)
            item[1] = [old] if self.chance.random() < 0.6 else []
        elif dice < 0.55:
            self.chance.shuffle(made.fields)
        elif dice < 0.65:
            item[3] = ()
            if self.chance.random() < 0.6:
                self._give_default(model, item)
        else:
            item[2] = self._changed_type(model, item[2])

    def _changed_type(self, model: Model, kind: Any) -> Any:
        dice = self.chance.random()
        if dice < 0.15:
            return self.type(model, 2, ())
        if isinstance(kind, str) and kind in NUMBERS and dice < 0.6:
            return self.chance.choice(NUMBERS)
        if kind in ("string", "bytes") and dice < 0.5:
            return self.chance.choice(("string", "bytes"))
        if isinstance(kind, str) or kind[0] == "ref" or dice < 0.3:
            return kind[1] if kind[0] == "logical" else union(["null", kind])
        if kind[0] in ("array", "map"):
            return (kind[0], self._changed_type(model, kind[1]))
        return self._changed_union(model, kind) if kind[0] == "union" else kind[1]

    def _changed_union(self, model: Model, kind: Any) -> Any:
        branches, dice = list(kind[1]), self.chance.random()
        if dice < 0.3 and len(branches) > 1:
            branches.remove(self.chance.choice(branches))
        elif dice < 0.6:
            branches.append(self.type(model, 2, ()))
        elif dice < 0.7:
            self.chance.shuffle(branches)
        elif dice < 0.8 and len(branches) == 1:
            return branches[0]
        elif branches:
            number = self.chance.randrange(len(branches))
            branches[number] = self._changed_type(model, branches[number])
        return union(branches)

    def _mend_defaults(self, model: Model) -> None:
        for made in model.named.values():
            for item in made.fields:
                if item[3] != ():
                    self._give_default(model, item)


def union(branches: list[Any]) -> Any:
    """A union with what unions within it hold, of each kind once."""
    flat: list[Any] = []
    for branch in branches:
        flat += branch[1] if not isinstance(branch, str) and branch[0] == "union" else [branch]
    kinds: dict[Any, Any] = {}
    for branch in flat:
        kind = branch if isinstance(branch, str) else branch[1] if branch[0] == "logical" else branch
        kinds.setdefault(kind if isinstance(kind, str) or kind[0] == "ref" else kind[0], branch)
    return ("union", list(kinds.values()))


def pairs(count: int, seed: object) -> list[tuple[str, str]]:
    """(reader, writer) texts: mostly versions of one schema, some strangers to each other."""
    made = []
    for number in range(count):
        maker = Maker(f"{seed}-{number}")
        first = maker.model()
        second = maker.version(first) if maker.chance.random() < 0.9 else maker.model()
        made.append((first.text(), second.text()))
    return made


def chains(count: int, seed: object) -> list[tuple[str, list[str]]]:
    """A new schema and the versions before it, the oldest first."""
    made = []
    for number in range(count):
        maker = Maker(f"{seed}-chain-{number}")
        versions = [maker.model()]
        for _ in range(maker.chance.randint(1, 4)):
            versions.append(maker.version(versions[-1], most=1))
        *before, new = [model.text() for model in versions]
        made.append((new, before))
    return made


WRONG: tuple[Any, ...] = (
    None, True, 5, -1, 0, 1.5, 2**40, "", "zzz", "a b", "1a", "int", "null", "R", "n.R", ".R", "R.", "n..R", "hồ", [],
    {}, ["int"], ["A", "A"], ["a", 5], {"type": "int"}, {"type": {"type": "int"}}, ["int", "int"], ["null", ["int"]],
    {"type": "fixed", "name": "R", "size": 4}, {"type": "enum", "name": "Q", "symbols": []},
)  # fmt: skip
KEYS = ("type", "name", "namespace", "aliases", "fields", "symbols", "size", "default", "items", "values", "order",
        "doc", "logicalType", "precision", "scale")  # fmt: skip


def spoilt(count: int, seed: object) -> list[str]:
    """Texts of schemas with one thing wrong, or strange, or only unusual."""
    made = []
    for number in range(count):
        maker = Maker(f"{seed}-spoilt-{number}")
        schema = json.loads(maker.model().text())
        nodes = [node for node in _nodes(schema) if node]
        made.append(json.dumps(_spoil(maker.chance, schema, maker.chance.choice(nodes)) if nodes else schema))
    return made


def _nodes(value: Any) -> list[Any]:
    inner = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    here = [value] if isinstance(value, dict | list) else []
    return here + [node for item in inner for node in _nodes(item)]


def _spoil(chance: random.Random, schema: Any, node: Any) -> Any:
    dice = chance.random()
    if isinstance(node, dict):
        key = chance.choice(list(node) if dice < 0.7 else KEYS)
        if dice < 0.2:
            node.pop(key, None)
        else:
            node[key] = copy.deepcopy(chance.choice(WRONG))
    elif dice < 0.3:
        node.append(copy.deepcopy(chance.choice(node)))
    else:
        node[chance.randrange(len(node))] = copy.deepcopy(chance.choice(WRONG))
    return schema
