"""What a value is that is no Avro message, by its first bytes, so that the sender finds the mistake. Pure."""

from __future__ import annotations

import orjson

from schemas import bad_records
from schemas.bad_records import BadRecord
from schemas.wire import HEADER_BYTES, schema_id_of

_BLANKS = b" \t\r\n"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_AVRO_FILE = b"Obj\x01"
_JSON_STARTS = (b"{", b"[", b'"')
_LOOK_BYTES = 64


def no_message(row: int, value: bytes) -> BadRecord:
    """The reason for a value without the wire format's header."""
    if value.startswith(_AVRO_FILE):
        return bad_records.avro_file(row)
    text = value.removeprefix(_BYTE_ORDER_MARK).lstrip(_BLANKS)
    if text[:1] in _JSON_STARTS and (_is_plain(text) or _is_json(text)):
        return bad_records.json_value(row)
    if text[:1] == b"<" and _is_plain(text):
        return bad_records.xml_value(row)
    return bad_records.wrong_magic_byte(row)


def json_behind_header(value: bytes) -> bool:
    """Whether a JSON document stands where the datum should: what a JSON serializer of a registry's client writes."""
    if schema_id_of(value[:HEADER_BYTES]) is None or value[HEADER_BYTES : HEADER_BYTES + 1] not in _JSON_STARTS:
        return False
    return _is_json(value[HEADER_BYTES:])


def _is_plain(text: bytes) -> bool:
    """Whether it begins like a text; JSON that was cut short is still JSON to whoever looks for the sender."""
    return all(octet >= 0x20 or octet in _BLANKS for octet in text[:_LOOK_BYTES])


def _is_json(text: bytes) -> bool:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True
