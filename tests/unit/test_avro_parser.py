"""What is a valid Avro schema, and how the place of an error is named."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.avro_parser import InvalidSchemaError, load_schema, parse_schema
from schemas.avro_tree import MAX_DEPTH


def record(*fields: Any, **more: Any) -> dict[str, Any]:
    return {"type": "record", "name": "R", "fields": list(fields), **more}


def field(name: Any, kind: Any, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, **more}


OP = {"type": "enum", "name": "Op", "symbols": ["A", "B"]}

INVALID: list[tuple[str, Any, str]] = [
    ("unknown type", record(field("a", "strin")), 'a: unknown type "strin"'),
    ("unknown top type", "Dossier", 'unknown type "Dossier"'),
    ("bad record name", record(name="1R"), '"1R" is no valid name'),
    ("bad namespace", record(namespace="a-b"), '"a-b.R" is no valid name'),
    ("no name", {"type": "record", "fields": []}, "a record needs a name"),
    ("named after a primitive", record(name="int"), "must not be named int"),
    ("bad field name", record(field("a b", "int")), 'field 1 has no valid name: "a b"'),
    ("field twice", record(field("a", "int"), field("a", "int")), "a: the field appears twice"),
    ("no fields", {"type": "record", "name": "R"}, 'R: "fields" is missing'),
    ("no type of a field", record({"name": "a"}), 'a: "type" is missing'),
    ("type twice", record(field("a", OP), field("b", OP)), "b: Op is defined twice"),
    ("symbol twice", {**OP, "symbols": ["A", "A"]}, "Op: the symbol A appears twice"),
    ("bad symbol", {**OP, "symbols": ["a-b"]}, 'Op: the symbol "a-b" is no valid name'),
    ("default no symbol", {**OP, "default": "C"}, 'the default "C" is none of the symbols'),
    ("union in union", record(field("a", ["null", ["int"]])), "a: a union must not hold a union"),
    ("branch twice", record(field("a", ["int", "int"])), "a: the union holds int twice"),
    ("no items", record(field("a", {"type": "array"})), 'a: "items" is missing'),
    ("no size", {"type": "fixed", "name": "F"}, "a fixed needs a size in bytes, not null"),
    ("wrong default", record(field("a", "int", default="x")), 'a: the default "x" is no int'),
    ("null default", record(field("a", "string", default=None)), "a: the default null is no string"),
    ("default too large", record(field("a", "int", default=2**31)), "is no int"),
    ("boolean is no number", record(field("a", "long", default=True)), "is no long"),
    ("fraction is no int", record(field("a", "int", default=1.0)), "is no int"),
    ("default of an enum", record(field("e", OP, default="C")), 'e: the default "C" is no enum Op'),
    ("deep", record(field("o", {**record(field("x", "zzz")), "name": "O"})), 'o.x: unknown type "zzz"'),
    ("endless default", record(field("a", "R", default={})), "a: the default {} is no record R"),
    ("a number", 3, "a type is a name, a list or an object, not 3"),
]

VALID: list[tuple[str, Any]] = [
    ("primitive", "string"),
    ("logical", {"type": "long", "logicalType": "timestamp-millis"}),
    ("recursive", record(field("next", ["null", "R"], default=None))),
    ("reference within the namespace", record(field("a", OP), field("b", "Op"), namespace="ioc.x")),
    ("reference by full name", record(field("a", OP), field("b", "ioc.x.Op"), namespace="ioc.x")),
    ("default of any branch", record(field("a", ["null", "int"], default=5))),
    ("default record", record(field("o", {**record(field("x", "int", default=1)), "name": "O"}, default={}))),
    ("defaults of containers", record(field("a", {"type": "array", "items": "int"}, default=[1]),
                                      field("m", {"type": "map", "values": "int"}, default={"k": 1}))),
]  # fmt: skip


@pytest.mark.parametrize(("schema", "message"), [case[1:] for case in INVALID], ids=[case[0] for case in INVALID])
def test_is_refused_and_the_place_is_named(schema: Any, message: str) -> None:
    with pytest.raises(InvalidSchemaError) as refused:
        parse_schema(schema)
    assert message in str(refused.value)


@pytest.mark.parametrize("schema", [case[1] for case in VALID], ids=[case[0] for case in VALID])
def test_is_accepted(schema: Any) -> None:
    parse_schema(schema)


def test_a_bare_primitive_is_a_schema() -> None:
    assert load_schema(" string ") == "string"
    assert load_schema('"string"') == "string"


@pytest.mark.parametrize("text", ["", "{", "{]", "NaN", "[" * 5_000])
def test_text_that_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(InvalidSchemaError, match="not JSON"):
        load_schema(text)


def test_endless_nesting_is_refused_not_crashed_on() -> None:
    schema: Any = "int"
    for _ in range(MAX_DEPTH + 1):
        schema = {"type": "array", "items": schema}
    with pytest.raises(InvalidSchemaError, match="nested deeper"):
        parse_schema(schema)
