"""Which changes of a schema are compatible, case by case, and what is said about those that are not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from schemas.avro_parser import parse_schema
from schemas.compatibility import Level
from schemas.contract import load_contracts
from schemas.incompatibility import check, incompatibilities


def record(*fields: dict[str, Any], name: str = "R", **more: Any) -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": list(fields), **more}


def field(name: str, kind: Any, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, **more}


def enum(*symbols: str, name: str = "E", **more: Any) -> dict[str, Any]:
    return {"type": "enum", "name": name, "symbols": list(symbols), **more}


def fixed(size: int, name: str = "F", **more: Any) -> dict[str, Any]:
    return {"type": "fixed", "name": name, "size": size, **more}


A = field("a", "string")
B = field("b", "int")
LINKED = record(field("value", "int"), field("next", ["null", "R"], default=None))
LINKED_LONG = record(field("value", "long"), field("next", ["null", "R"], default=None))

READABLE: list[tuple[str, Any, Any]] = [
    ("the same record", record(A, B), record(A, B)),
    ("a field less", record(A), record(A, B)),
    ("fields in another order", record(B, A), record(A, B)),
    ("a new field with a default", record(A, field("c", "int", default=0)), record(A)),
    ("a new nullable field with a default", record(A, field("c", ["null", "int"], default=None)), record(A)),
    ("a field renamed with an alias", record(field("z", "string", aliases=["a"])), record(A)),
    ("a type renamed with an alias", record(A, name="S", aliases=["R"]), record(A)),
    ("an alias in the namespace", record(A, name="n.S", aliases=["R"]), record(A, name="n.R")),
    ("another namespace", record(A, name="new.R"), record(A, name="old.R")),
    ("int read as long", "long", "int"),
    ("int read as float", "float", "int"),
    ("int read as double", "double", "int"),
    ("long read as float", "float", "long"),
    ("long read as double", "double", "long"),
    ("float read as double", "double", "float"),
    ("string read as bytes", "bytes", "string"),
    ("bytes read as string", "string", "bytes"),
    ("a type that became nullable", ["null", "string"], "string"),
    ("a promotion into a branch", ["null", "long"], "int"),
    ("a union that grew", ["null", "int", "string"], ["int", "null"]),
    ("a union whose only branch is left", "long", ["int", "long"]),
    ("a symbol more", enum("X", "Y"), enum("X")),
    ("a symbol less, with a default", enum("X", default="X"), enum("X", "Y")),
    ("items promoted", {"type": "array", "items": "long"}, {"type": "array", "items": "int"}),
    ("values promoted", {"type": "map", "values": "double"}, {"type": "map", "values": "float"}),
    ("a recursive record, promoted", LINKED_LONG, LINKED),
    ("other texts and logical types", {"type": "long", "logicalType": "timestamp-millis", "doc": "x"}, "long"),
    ("the same fixed", fixed(4), fixed(4)),
]

UNREADABLE: list[tuple[str, Any, Any, str, str]] = [
    ("a new field without a default", record(A, B), record(A), "b", "missing_default"),
    ("another type", record(field("a", "int")), record(A), "a", "type_changed"),
    ("long read as int", record(field("b", "int")), record(field("b", "long")), "b", "type_changed"),
    ("double read as float", "float", "double", "", "type_changed"),
    ("a nullable that no longer is", record(A), record(field("a", ["null", "string"])), "a", "type_changed"),
    ("a union that shrank", ["null", "int"], ["null", "int", "string"], "", "missing_union_branch"),
    ("another type in a union", record(field("a", ["null", "int"])), record(A), "a", "missing_union_branch"),
    ("a symbol less", record(field("e", enum("X"))), record(field("e", enum("X", "Y"))), "e", "missing_symbols"),
    ("a renamed record", record(A, name="S"), record(A), "", "name_changed"),
    ("a renamed enum", enum("X", name="G"), enum("X"), "", "name_changed"),
    ("a renamed fixed", fixed(4, name="G"), fixed(4), "", "name_changed"),
    ("another size", fixed(8), fixed(4), "", "size_changed"),
    ("other items", record(field("l", {"type": "array", "items": "int"})),
     record(field("l", {"type": "array", "items": "string"})), "l[]", "type_changed"),
    ("other values", record(field("m", {"type": "map", "values": "int"})),
     record(field("m", {"type": "map", "values": "long"})), "m{}", "type_changed"),
    ("an array read as a map", {"type": "map", "values": "int"}, {"type": "array", "items": "int"}, "", "type_changed"),
    ("deep within", record(field("o", record(B, name="O"))), record(field("o", record(A, name="O"))), "o.b",
     "missing_default"),
    ("deep within a nullable", record(field("o", ["null", record(B, name="O")])),
     record(field("o", ["null", record(A, name="O")])), "o.b", "missing_default"),
    ("a recursive record, narrowed", LINKED, LINKED_LONG, "value", "type_changed"),
    ("an alias for two fields", record(field("z", "string", aliases=["a", "b"])), record(A, field("b", "string")),
     "z", "ambiguous_alias"),
]  # fmt: skip


@pytest.mark.parametrize(("reader", "writer"), [case[1:] for case in READABLE], ids=[case[0] for case in READABLE])
def test_is_readable(reader: Any, writer: Any) -> None:
    assert incompatibilities(reader, writer) == []


@pytest.mark.parametrize(
    ("reader", "writer", "path", "rule"), [case[1:] for case in UNREADABLE], ids=[case[0] for case in UNREADABLE]
)
def test_is_not_readable_and_the_place_is_named(reader: Any, writer: Any, path: str, rule: str) -> None:
    (found,) = incompatibilities(reader, writer)
    assert (found.path, found.rule) == (path, rule)
    if path:
        assert f"'{path}'" in found.message_en
        assert f"«{path}»" in found.message_vi


def test_every_offending_field_is_listed_with_both_types() -> None:
    found = incompatibilities(record(field("a", "int"), B), record(A))
    assert [(item.path, item.old_type, item.new_type) for item in found] == [("a", "string", "int"), ("b", "", "int")]


def test_the_new_side_is_told_right_when_the_old_one_reads() -> None:
    (found,) = incompatibilities(record(A), record(field("a", "long")), reader_is_new=False)
    assert (found.old_type, found.new_type) == ("string", "long")
    assert "from string to long, which the old version cannot read" in found.message_en


GROW = [record(A), record(A, field("b", "int", default=0)), record(A, B)]
"""The third reads the second but not the first."""


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        (Level.NONE, []),
        (Level.BACKWARD, []),
        (Level.BACKWARD_TRANSITIVE, ["b"]),
        (Level.FORWARD, []),
        (Level.FORWARD_TRANSITIVE, []),
        (Level.FULL, []),
        (Level.FULL_TRANSITIVE, ["b"]),
    ],
)
def test_a_level_decides_which_versions_count(level: Level, expected: list[str]) -> None:
    *before, new = [parse_schema(schema) for schema in GROW]
    assert [found.path for found in check(level, new, before)] == expected


def test_the_direction_of_a_level_decides_who_reads_whom() -> None:
    without, with_field = parse_schema(record(A)), parse_schema(record(A, B))
    assert check(Level.FORWARD, with_field, [without]) == []
    assert [found.path for found in check(Level.BACKWARD, with_field, [without])] == ["b"]
    assert [found.path for found in check(Level.FORWARD, without, [with_field])] == ["b"]
    assert [found.path for found in check(Level.FULL, without, [with_field])] == ["b"]


def test_the_first_version_of_a_subject_is_always_compatible() -> None:
    assert all(check(level, parse_schema(record(A)), []) == [] for level in Level)


def test_every_contract_reads_itself_and_a_version_with_a_nullable_field_more() -> None:
    for contract in load_contracts().values():
        grown = json.loads(contract.schema_text)
        grown["fields"].append(field("added", ["null", "string"], default=None))
        assert check(Level.FULL_TRANSITIVE, parse_schema(grown), [parse_schema(contract.schema)]) == []


def test_deeply_nested_unions_are_judged_in_time() -> None:
    def nested(leaf: str) -> Any:
        schema: Any = leaf
        for level in range(40):
            branches = [record(field("x", schema), name=f"A{level}")]
            schema = [*branches, record(field("x", f"A{level}"), name=f"B{level}")]
        return record(field("a", schema))

    assert incompatibilities(nested("long"), nested("int")) == []
    assert incompatibilities(nested("int"), nested("string")) != []
