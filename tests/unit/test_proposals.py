"""Whoever is refused is told what would be accepted: for each obstacle a proposal, and all of them together hold."""

from __future__ import annotations

import json
from typing import Any

import pytest

from schemas.avro_parser import InvalidSchemaError, parse_schema
from schemas.compatibility import Level, obstacles
from schemas.proposals import Earlier, Refusal, propose
from tests.schema_pairs import Maker


def record(*fields: dict[str, Any], name: str = "R", **more: Any) -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": list(fields), **more}


def field(name: str, kind: Any, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, **more}


def enum(*symbols: str, **more: Any) -> dict[str, Any]:
    return {"type": "enum", "name": "E", "symbols": list(symbols), **more}


def earlier(schema: Any) -> Earlier:
    return Earlier(schema, parse_schema(schema))


def refused(level: Level, new: Any, *versions: Any) -> Refusal:
    refusal = propose(level, new, parse_schema(new), [earlier(version) for version in versions], decimals=True)
    assert refusal is not None
    return refusal


def accepted(level: Level, new: Any, *versions: Any) -> bool:
    return not obstacles(level, parse_schema(new), [parse_schema(version) for version in versions], decimals=True)


A = field("a", "string")
BACKWARD, FORWARD, FULL = Level.BACKWARD, Level.FORWARD, Level.FULL
DECIMAL = [{"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": scale} for scale in (2, 3)]

CASES: list[tuple[str, Level, Any, Any, str, Any]] = [
    ("a default of its type", BACKWARD, record(A), record(A, field("n", "int")),
     'add "default": 0', record(A, field("n", "int", default=0))),
    ("null where that is allowed", FULL, record(A), record(A, field("n", ["null", "int"])),
     'add "default": null', record(A, field("n", ["null", "int"], default=None))),
    ("nullable where a type has no default of its own", BACKWARD, record(A), record(A, field("r", "R")),
     'make it nullable: "type": ["null", record R], "default": null',
     record(A, field("r", ["null", "R"], default=None))),
    ("the old name as an alias", BACKWARD, record(A), record(field("z", "string")),
     "declare the old name", record(field("z", "string", aliases=["a"]))),
    ("a removed field brought back with a default", FORWARD, record(A, field("b", "int")), record(A),
     'bring the field back: "name": "b", "type": int, "default": 0', record(A, field("b", "int", default=0))),
    ("the old type kept", FULL, record(A), record(field("a", "int")),
     "keep the type of 'a': \"string\"", record(A)),
    ("the old type beside the new one", BACKWARD, record(A), record(field("a", "int")),
     "also allow the old type string, in a union", record(field("a", ["int", "string"]))),
    ("null allowed as before", BACKWARD, record(field("a", ["null", "string"])), record(A),
     "also allow the old type null, in a union", record(field("a", ["null", "string"]))),
    ("a type's old name as an alias", BACKWARD, record(A, name="Old"), record(A),
     'declare the old name: "aliases": ["Old"]', record(A, aliases=["Old"])),
    ("a type's old name kept", FULL, record(A, name="Old"), record(A),
     "keep the name Old", record(A, name="Old", namespace="")),
    ("symbols brought back", BACKWARD, record(field("e", enum("X", "Y"))), record(field("e", enum("X"))),
     "bring the symbols Y back", record(field("e", enum("X", "Y")))),
    ("symbols taken away", FORWARD, record(field("e", enum("X"))), record(field("e", enum("X", "Y"))),
     "take the symbols Y away: the old version has no default symbol", record(field("e", enum("X")))),
    ("a fixed of the old size", FULL, record(field("f", {"type": "fixed", "name": "F", "size": 2})),
     record(field("f", {"type": "fixed", "name": "F", "size": 4})),
     "keep the type of 'f'", record(field("f", {"type": "fixed", "name": "F", "size": 2, "namespace": ""}))),
    ("a decimal's digits kept", FULL, record(field("d", DECIMAL[0])), record(field("d", DECIMAL[1])),
     "keep the type of 'd'", record(field("d", DECIMAL[0]))),
    ("deep within", FULL, record(field("l", {"type": "array", "items": record(A, name="I")})),
     record(field("l", {"type": "array", "items": record(A, field("b", "boolean"), name="I")})),
     'add "default": false',
     record(field("l", {"type": "array", "items": record(A, field("b", "boolean", default=False), name="I")}))),
    ("the whole kept where nothing less helps", FULL, "string", "int",
     "keep the earlier version's schema", "string"),
]  # fmt: skip


@pytest.mark.parametrize(("level", "old", "new", "told", "mended"), [case[1:] for case in CASES],
                         ids=[case[0] for case in CASES])  # fmt: skip
def test_a_way_out_is_told_and_holds(level: Level, old: Any, new: Any, told: str, mended: Any) -> None:
    refusal = refused(level, new, old)
    assert told in refusal.found[0].proposal_en
    assert f"Proposal: {refusal.found[0].proposal_en}" in refusal.found[0].told_en
    assert refusal.found[0].proposal_vi in refusal.found[0].told_vi
    assert refusal.schema == mended
    assert accepted(level, refusal.schema, old)


def test_every_obstacle_has_its_own_proposal() -> None:
    new = record(field("a", "int"), field("b", "int"))
    refusal = refused(FULL, new, record(A, field("c", "string")))
    assert {item.path: item.proposal_en for item in refusal.found} == {
        "a": "keep the type of 'a': \"string\"",
        "b": 'add "default": 0',
        "c": 'bring the field back: "name": "c", "type": string, "default": ""',
    }
    assert accepted(FULL, refusal.schema, record(A, field("c", "string")))


def test_all_versions_count_under_a_transitive_level() -> None:
    versions = [record(A), record(A, field("b", "int", default=1))]
    refusal = refused(Level.FULL_TRANSITIVE, record(A, field("b", "string", default="")), *versions)
    assert refusal.schema == versions[1]
    assert accepted(Level.FULL_TRANSITIVE, refusal.schema, *versions)


def test_what_may_follow_is_not_refused() -> None:
    assert propose(FULL, record(A), parse_schema(record(A)), [earlier(record(A))]) is None


def test_nothing_is_proposed_where_nothing_would_be_accepted() -> None:
    """No version may follow one that does not even read itself."""
    odd = record(field("a", "string", aliases=["a"]))
    refusal = refused(FULL, odd, odd)
    assert refusal.schema is None or accepted(FULL, refusal.schema, odd)
    assert all(item.path for item in refusal.found)


def reads_itself(schema: Any) -> bool:
    try:
        return accepted(BACKWARD, schema, schema)
    except InvalidSchemaError:
        return False


def history(seed: object, level: Level) -> tuple[Any, list[Any]]:
    """A schema, and versions of a subject under the level before it."""
    maker = Maker(seed)
    while True:
        model = maker.model()
        if reads_itself(json.loads(model.text())):
            break
    versions = [json.loads(model.text())]
    for _ in range(12):
        model = maker.version(model)
        new = json.loads(model.text())
        if not reads_itself(new):
            continue
        if not accepted(level, new, *versions):
            return new, versions
        versions.append(new)
    return versions[-1], versions


@pytest.mark.parametrize("level", [level for level in Level if level is not Level.NONE])
def test_every_refused_version_of_a_random_history_is_given_a_way_out_that_holds(level: Level) -> None:
    refusals = 0
    for seed in range(120):
        new, versions = history(f"way-out-{seed}", level)
        refusal = propose(level, new, parse_schema(new), [earlier(version) for version in versions], decimals=True)
        if refusal is None:
            continue
        refusals += 1
        assert refusal.schema is not None, (new, versions)
        assert accepted(level, refusal.schema, *versions)
        assert all(item.proposal_en and item.proposal_vi for item in refusal.found)
    assert refusals > 60


def test_of_ten_thousand_obstacles_each_is_told_with_one_proposal_that_holds() -> None:
    names = [f"f{number}" for number in range(10_000)]
    old, new = (record(*(field(name, kind) for name in names)) for kind in ("string", "int"))
    refusal = refused(BACKWARD, new, old)
    assert [item.path for item in refusal.found] == names
    assert {item.proposal_en for item in refusal.found} == {
        "keep the earlier version's schema; put what is new into new fields with defaults"
    }
    assert refusal.schema == old
