"""Messages of the quarantine topic: what is one becomes a row, anything else is left aside and stops nobody."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.quarantine import message_of

MESSAGE: dict[str, Any] = {
    "id": "ioc.a.b:0:7",
    "connector": "stream",
    "stage": "decode",
    "reason_code": "undecodable",
    "reason": "Không giải mã được.",
    "reason_en": "Cannot be decoded.",
    "topic": "ioc.a.b",
    "partition": 0,
    "offset": 7,
    "entity": "b",
    "at": 1_661_217_300_000,
    "payload": "",
}


def row(value: bytes | None) -> dict[str, Any] | None:
    found = message_of(value)
    return None if found is None else asdict(found)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def test_a_refusal_is_a_row_with_or_without_a_place_in_a_topic() -> None:
    assert row(orjson.dumps(MESSAGE)) == MESSAGE
    nowhere = {**MESSAGE, "partition": None, "offset": None}
    assert row(orjson.dumps(nowhere)) == nowhere


@pytest.mark.parametrize("value", [None, b"", b"1", b"null", b"[]", b'"text"', b"{}", b"\xff\x00", b"true"])
def test_what_is_no_refusal_is_no_row(value: bytes | None) -> None:
    assert row(value) is None


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("id", 1),
        ("at", "today"),
        ("at", 10**18),
        ("offset", 2**63),
        ("partition", -1),
        ("offset", True),
        ("reason", None),
    ],
)
def test_a_refusal_with_a_value_of_another_type_is_no_row(name: str, wrong: object) -> None:
    assert row(orjson.dumps({**MESSAGE, name: wrong})) is None


@given(st.sampled_from(sorted(MESSAGE)), ANYTHING)
def test_whatever_stands_in_a_field_nothing_is_raised(name: str, value: Any) -> None:
    try:
        body = orjson.dumps({**MESSAGE, name: value})
    except TypeError:  # a number beyond 64 bits is no JSON for this writer
        return
    found = row(body)
    assert found is None or found[name] == value
