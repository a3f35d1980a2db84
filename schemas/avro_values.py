"""Avro records of any schema as plain JSON-like values: for data that is not ours and has no contract."""

from __future__ import annotations

import base64
import io
import json
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import fastavro


class AvroReader:
    """Reads records of one schema. ValueError in the constructor if the schema is none."""

    def __init__(self, schema_text: str) -> None:
        try:
            self._schema = fastavro.parse_schema(json.loads(schema_text))
        except Exception as error:
            raise ValueError("not an Avro schema") from error

    def __call__(self, datum: bytes) -> dict[str, Any]:
        """The record; times as ISO texts, decimals as texts, bytes as base64. ValueError if it is not of the schema."""
        stream = io.BytesIO(datum)
        try:
            record = fastavro.schemaless_reader(stream, self._schema, None)
        except Exception as error:
            raise ValueError("not of the schema") from error
        if stream.read(1) or not isinstance(record, dict):
            raise ValueError("not a record of the schema")
        return {key: _plain(value) for key, value in record.items()}


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else str(value)
