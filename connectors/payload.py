"""The body of a pushed request: one JSON object, an array, or NDJSON."""

from __future__ import annotations

from typing import Any

import orjson

from connectors.errors import Text
from connectors.problem import ProblemType, RequestRefusedError


def records_of(body: bytes, content_type: str = "") -> list[Any]:
    """The raw records in order; RequestRefusedError if it is none of the three forms. All or nothing."""
    if "ndjson" in content_type or "jsonl" in content_type:
        return _lines(body)
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        if body.lstrip()[:1] == b"{" and b"\n" in body.strip():
            return _lines(body)
        raise _not_json(error.lineno, error.colno) from None
    if isinstance(value, dict):
        return [value]
    if isinstance(value, list):
        return value
    raise RequestRefusedError(
        ProblemType.NOT_JSON,
        Text(
            "Cần một đối tượng JSON, một mảng, hoặc NDJSON (mỗi dòng một đối tượng)",
            "One JSON object, an array, or NDJSON (one object per line) is needed",
        ),
    )


def _lines(body: bytes) -> list[Any]:
    try:
        # At C speed where every line holds a record, as most senders have it.
        return list(map(orjson.loads, body.strip().split(b"\n")))
    except orjson.JSONDecodeError:
        return _one_by_one(body)


def _one_by_one(body: bytes) -> list[Any]:
    records = []
    for number, line in enumerate(body.split(b"\n"), start=1):
        if line.strip():
            try:
                records.append(orjson.loads(line))
            except orjson.JSONDecodeError as error:
                raise _not_json(number, error.colno) from None
    return records


def _not_json(line: int, column: int) -> RequestRefusedError:
    return RequestRefusedError(
        ProblemType.NOT_JSON,
        Text(
            f"Không đọc được JSON tại dòng {line}, cột {column}; không bản ghi nào được nhận",
            f"The JSON cannot be read at line {line}, column {column}; no record was taken",
        ),
        line=line,
        column=column,
    )
