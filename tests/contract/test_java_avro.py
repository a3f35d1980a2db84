"""Verdicts on generated schemas are Java Avro's: what is valid, who reads whom, what levels and proposals hold."""

from __future__ import annotations

import collections
import json
import re
from typing import Any

import pytest

from schemas.avro_parser import InvalidSchemaError, load_schema, parse_schema
from schemas.avro_tree import Node
from schemas.compatibility import Level
from schemas.incompatibility import check, node_incompatibilities
from schemas.proposals import Earlier, propose
from tests.java_avro import verdicts
from tests.schema_pairs import chains, pairs, spoilt

SEED = 2026

STRICTER = {
    "a namespace that is no text, which Java Avro passes over": r"the namespace .* is no text",
    "an enum's default that is no text, which Java Avro passes over": r"is none of the symbols",
    "a field's default that is no symbol of its enum, or no fixed of its size": r"the default .* is no ",
    "an alias that is no name": r"the alias .* is no valid name",
    "a type defined twice alike, which the specification forbids": r"is defined twice",
    "a name that begins with a dot": r'"\.\w+" is no valid name',
}
"""What is refused here and not by Java Avro, and how the refusal reads. Nothing is refused there and not here."""

EARLIER = {"a type used before it is defined, which the specification forbids": r"unknown type"}
"""Not in pairs: what is generated unspoilt defines every type first."""


def parsed(text: str) -> Node | str:
    """The schema, or why it is refused."""
    try:
        return parse_schema(load_schema(text))
    except InvalidSchemaError as error:
        return str(error)


def validity(
    texts: list[str], java: list[str | None], stricter: dict[str, str] = STRICTER
) -> collections.Counter[tuple[bool, bool]]:
    """How often (valid here, valid in Java); the differences are the named ones."""
    counted: collections.Counter[tuple[bool, bool]] = collections.Counter()
    for text, refused in zip(texts, java, strict=True):
        here = parsed(text)
        counted[not isinstance(here, str), refused is None] += 1
        assert isinstance(here, str) or refused is None, f"only Java refuses ({refused}): {text}"
        if isinstance(here, str) and refused is None:
            assert any(re.search(pattern, here) for pattern in stricter.values()), f"only here ({here}): {text}"
    return counted


def readability(asked: list[tuple[str, str]], java: list[dict[str, Any]]) -> collections.Counter[bool]:
    """How often a valid reader reads a valid writer; there is no difference."""
    counted: collections.Counter[bool] = collections.Counter()
    for (reader, writer), answer in zip(asked, java, strict=True):
        reads, is_read = parsed(reader), parsed(writer)
        if not isinstance(reads, str) and not isinstance(is_read, str):
            found = node_incompatibilities(reads, is_read)
            assert (not found) == answer["compatible"], f"{found}\n{answer}\nreader {reader}\nwriter {writer}"
            counted[not found] += 1
    return counted


def levels(asked: list[tuple[str, list[str]]], java: list[dict[str, Any]]) -> collections.Counter[tuple[Level, bool]]:
    """How often each level lets in the new schema of a chain of valid ones; there is no difference."""
    counted: collections.Counter[tuple[Level, bool]] = collections.Counter()
    for (new, before), answer in zip(asked, java, strict=True):
        offered, *versions = [parsed(text) for text in (new, *before)]
        if isinstance(offered, str) or any(isinstance(version, str) for version in versions):
            continue
        for level in Level:
            let_in = not check(level, offered, [version for version in versions if not isinstance(version, str)])
            assert let_in == answer["levels"][level.value], f"{level}\nnew {new}\nbefore {before}"
            counted[level, let_in] += 1
    return counted


def ways_out(asked: list[tuple[str, list[str]]], count: int) -> list[tuple[str, list[str], Level]]:
    """What is proposed instead of a refused version, with the versions it may follow under the level."""
    proposed: list[tuple[str, list[str], Level]] = []
    for new, before in asked:
        nodes = [parsed(text) for text in (new, *before)]
        offered, *versions = [node for node in nodes if not isinstance(node, str)]
        if len(versions) < len(before):
            continue
        earlier = [Earlier(json.loads(text), version) for text, version in zip(before, versions, strict=True)]
        for level in (Level.BACKWARD, Level.FULL):
            refusal = propose(level, json.loads(new), offered, earlier)
            if refusal is not None and refusal.schema is not None:
                proposed.append((json.dumps(refusal.schema), before, level))
    assert len(proposed) >= count
    return proposed


def compare(pair_count: int, chain_count: int, spoilt_count: int, seed: object) -> None:
    """Hold so many verdicts against Java Avro's, in one run of it."""
    asked, histories, odd = pairs(pair_count, seed), chains(chain_count, seed), spoilt(spoilt_count, seed)
    proposed = ways_out(histories, chain_count // 4)
    answers = verdicts(
        [{"reader": reader, "writer": writer} for reader, writer in asked]
        + [{"new": new, "versions": before} for new, before in histories]
        + [{"schema": text} for text in odd]
        + [{"new": new, "versions": before} for new, before, _ in proposed]
    )
    of_pairs, rest = answers[:pair_count], answers[pair_count:]
    of_proposed = rest[chain_count + spoilt_count :]
    assert all(a["levels"][level.value] for a, (_, _, level) in zip(of_proposed, proposed, strict=True))
    validity([text for pair in asked for text in pair], [a[side] for a in of_pairs for side in ("reader", "writer")])
    seen = readability(asked, of_pairs)
    assert seen.total() > 0.95 * pair_count
    assert min(seen.values()) > 0.2 * pair_count
    let_in = levels(histories, rest[:chain_count])
    assert let_in.total() > 0.95 * chain_count * len(Level)
    assert all(
        let_in[level, answer] for level in Level for answer in (True, False) if level is not Level.NONE or answer
    )
    valid = validity(
        odd, [answer["schema"] for answer in rest[chain_count : chain_count + spoilt_count]], STRICTER | EARLIER
    )
    assert valid[False, False] > 0.3 * spoilt_count
    assert valid[True, True] > 0.1 * spoilt_count


def test_two_thousand_pairs_and_three_hundred_chains_are_judged_as_java_avro_judges_them() -> None:
    compare(2_100, 310, 1_000, SEED)


@pytest.mark.long
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_many_more_are_judged_so(seed: int) -> None:
    compare(20_000, 3_000, 10_000, f"long-{seed}")


def with_field(kind: Any, **more: Any) -> str:
    return json.dumps({"type": "record", "name": "R", "fields": [{"name": "a", "type": kind, **more}]})


FIXED = {"type": "fixed", "name": "F", "size": 2}
ENUM = {"type": "enum", "name": "E", "symbols": ["A"]}
EARLY = [{"name": "a", "type": "E"}, {"name": "b", "type": ENUM}]
DIFFERENT = [
    '{"type":"record","name":"R","namespace":5,"fields":[]}',
    '{"type":"enum","name":"E","symbols":["A"],"default":5}',
    with_field(ENUM, default="B"),
    with_field(FIXED, default="abc"),
    with_field("int", aliases=["1a"]),
    '{"type":"record","name":".R","fields":[]}',
    json.dumps({"type": "record", "name": "R", "fields": EARLY}),
    json.dumps({"type": "record", "name": "R", "fields": [EARLY[1], {**EARLY[1], "name": "c"}]}),
]


def test_each_named_difference_is_one() -> None:
    answers = verdicts([{"schema": text} for text in DIFFERENT])
    counted = validity(DIFFERENT, [answer["schema"] for answer in answers], STRICTER | EARLIER)
    assert counted == {(False, True): len(DIFFERENT)}


def test_a_decimal_of_other_digits_is_refused_for_contracts_alone() -> None:
    """Java Avro, and with it every registry, lets 1.25 be read as 12.5; the specification does not."""
    made = [{"type": "bytes", "logicalType": "decimal", "precision": 8, "scale": scale} for scale in (1, 2)]
    one, two = [with_field(kind) for kind in made]
    (answer,) = verdicts([{"reader": one, "writer": two}])
    assert answer["compatible"] is True
    reader, writer = parsed(one), parsed(two)
    assert not isinstance(reader, str) and not isinstance(writer, str)
    assert node_incompatibilities(reader, writer) == []
    assert [item.path for item in node_incompatibilities(reader, writer, decimals=True)] == ["a"]
