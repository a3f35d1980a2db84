"""Bodies of pushed requests: lines parsed together are what they are one by one, and one bad line refuses them all."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.payload import records_of
from connectors.problem import RequestRefusedError

PIECES = [
    b'{"a":1}',
    b'{"a":"x\\ny"}\r',
    b"  ",
    b"\r",
    b"",
    b"1",
    b'"s"',
    b"[]",
    b"null",
    b'{"a":[{"b":1}',
    b'{"c":2}]}',
    b'{"x":1},{"y":2}',
    b'{"a":"x',
    b'y"}',
    b"[1",
    b"2]",
    b"]",
    b"[",
    b",",
    b"{}",
    b"\xff",
    b"\xef\xbb\xbf{}",
]


def one_by_one(body: bytes) -> list[Any] | tuple[int, int]:
    """The values, or line and column of the first fault."""
    found = []
    for number, line in enumerate(body.split(b"\n"), start=1):
        if line.strip():
            try:
                found.append(orjson.loads(line))
            except orjson.JSONDecodeError as error:
                return number, error.colno
    return found


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(st.sampled_from(PIECES), st.sampled_from(PIECES[:2])), max_size=6))
def test_lines_are_parsed_together_as_they_are_one_by_one(lines: list[bytes]) -> None:
    body = b"\n".join(lines)
    expected = one_by_one(body)
    if isinstance(expected, list):
        assert records_of(body, "application/x-ndjson") == expected
    else:
        with pytest.raises(RequestRefusedError) as refused:
            records_of(body, "application/x-ndjson")
        assert (refused.value.refusal.extra["line"], refused.value.refusal.extra["column"]) == expected


def test_a_line_that_another_one_completes_is_refused_all_the_same() -> None:
    """The sums are right: two lines make one value, and one line makes two."""
    body = b'{"a":[{"b":1}\n{"c":2}]}\n{"x":1},{"y":2}'
    with pytest.raises(RequestRefusedError):
        records_of(body, "application/x-ndjson")
