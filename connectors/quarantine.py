"""Refused records as messages of the quarantine topic."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from typing import Any

import orjson

from connectors.errors import Text
from connectors.manifest import Manifest
from connectors.masking import masker
from connectors.publish import Message
from connectors.source import FILE, ROW, Refusal
from schemas.quarantine import QuarantineMessage


def record_id(connector: str, raw: Any) -> str:
    """The same raw record has the same id however often it is delivered; key order does not count."""
    canonical = orjson.dumps(raw, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
    return f"{connector}:{hashlib.sha256(canonical).hexdigest()[:32]}"


class QuarantineWriter:
    """Makes the messages of one connector; pure."""

    def __init__(self, manifest: Manifest, topic: str) -> None:
        self._connector = manifest.id
        self._entity = manifest.entity
        self._topic = topic
        self._mask: Callable[[Any], str] = masker(manifest)

    def messages(self, refused: Iterable[Refusal], at_ms: int) -> list[Message]:
        """One message per refusal, personal values masked, with Kafka Connect's error headers."""
        return [self._message(refusal, at_ms) for refusal in refused]

    def _message(self, refusal: Refusal, at_ms: int) -> Message:
        reason = _placed(refusal)
        identity = record_id(self._connector, refusal.raw)
        message = QuarantineMessage(
            id=identity,
            connector=self._connector,
            stage="map",
            reason_code=refusal.error.code,
            reason=reason.vi,
            reason_en=reason.en,
            topic=self._topic,
            partition=None,
            offset=None,
            entity=self._entity,
            at=at_ms,
            payload=self._mask(refusal.raw),
        )
        headers = (
            ("__connect.errors.topic", self._topic.encode()),
            ("__connect.errors.connector.name", self._connector.encode()),
            ("__connect.errors.stage", b"TRANSFORMATION"),
            ("__connect.errors.exception.message", reason.vi.encode()),
        )
        return Message(identity.encode(), message.to_json(), headers)


def _placed(refusal: Refusal) -> Text:
    """The reason, with the file and the row it stands in."""
    reason, raw = refusal.error.reason, refusal.raw
    if not isinstance(raw, dict) or FILE not in raw:
        return reason
    row = raw.get(ROW)
    vi = f"Tệp «{raw[FILE]}»" + (f", dòng {row}" if row is not None else "")
    en = f"File “{raw[FILE]}”" + (f", row {row}" if row is not None else "")
    return Text(f"{vi}. {reason.vi}", f"{en}. {reason.en}")
