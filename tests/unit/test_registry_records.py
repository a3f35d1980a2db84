"""The log's records: what is found without decoding is what decoding finds."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.registry.records import SchemaRecord, UnreadableRecordError, decode, encode, literal_of
from hub.registry.store import Store

TEXTS = st.text(st.sampled_from('a"\\,:{}[]é\n\t /') | st.characters(exclude_categories=["Cs"]), max_size=60)
SUBJECTS = st.text(st.sampled_from('s-."\\/é') | st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)


def by_json(key: str, value: bytes) -> SchemaRecord:
    """What Python's own JSON finds in a version without references."""
    head, body = json.loads(key), json.loads(value)
    literal = literal_of(body["schema"])
    return SchemaRecord(head["subject"], head["version"], body["id"], literal, body["deleted"])


@given(SUBJECTS, st.integers(1, 10**6), st.integers(1, 2**31), TEXTS, st.booleans())
def test_a_version_reads_back_as_it_was_written(
    subject: str, version: int, schema_id: int, text: str, deleted: bool
) -> None:
    record = SchemaRecord(subject, version, schema_id, literal_of(text), deleted)
    key, value = encode(record)
    assert value is not None
    assert decode(key, value) == record == by_json(key, value)


@given(TEXTS, TEXTS, st.sampled_from(["guid", "schemaTags", "md5"]), st.booleans())
def test_members_that_another_registry_adds_are_no_part_of_the_schema(
    text: str, more: str, name: str, before: bool
) -> None:
    body: dict[str, Any] = {"subject": "s", "version": 1, "id": 7}
    added = {name: more}
    body |= {**added, "schema": text} if before else {"schema": text, **added}
    body["deleted"] = False
    value = json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
    key = '{"keytype":"SCHEMA","subject":"s","version":1,"magic":1}'
    assert decode(key, value) == SchemaRecord("s", 1, 7, literal_of(text), deleted=False)


def test_a_value_of_another_subject_than_its_key_is_taken_by_the_key() -> None:
    key, _ = encode(SchemaRecord("s", 1, 7, b'"x"', deleted=False))
    _, value = encode(SchemaRecord("t", 2, 7, b'"x"', deleted=False))
    assert decode(key, value) == SchemaRecord("s", 1, 7, b'"x"', deleted=False)


def test_a_literal_that_is_no_json_is_told_when_it_is_looked_into() -> None:
    store = Store()
    store.apply(SchemaRecord("s", 1, 1, b'"\\q"', deleted=False))
    with pytest.raises(UnreadableRecordError, match=r"\\q"):
        store.index()


@pytest.mark.parametrize("value", [b'{"schema":{},"id":1}', b"[]", b"{", b'{"schema":"x"}', b"\xff"])
def test_a_value_that_is_no_version_is_refused(value: bytes) -> None:
    key, _ = encode(SchemaRecord("s", 1, 7, b'"x"', deleted=False))
    with pytest.raises(UnreadableRecordError):
        decode(key, value)
