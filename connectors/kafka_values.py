"""Values of a department's Kafka messages as raw records: JSON, or Avro with its schema in a registry."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson

from connectors.errors import MappingError, SourceRefusedError, SourceUnavailableError, Text
from connectors.file_formats import not_json
from connectors.kafka_config import AvroValues, JsonValues
from connectors.secrets import SecretResolver
from connectors.source import Refusal
from schemas.avro_values import AvroReader
from schemas.errors import RegistryError, RegistryUnavailableError, UnknownSchemaError
from schemas.registry_client import RegistryClient
from schemas.wire import unframe

PARTITION = "_partition"
"""Key of the partition in a raw record."""


class JsonReader:
    """One JSON object per message."""

    async def prepare(self, values: list[bytes | None]) -> None:
        return

    def __call__(self, value: bytes) -> dict[str, Any]:
        """The record; MappingError if it is none."""
        try:
            record = orjson.loads(value)
        except orjson.JSONDecodeError as error:
            raise not_json(error.colno) from None
        if not isinstance(record, dict):
            raise not_json(1)
        return record


class WireReader:
    """Avro values; `prepare` fetches the schemas that a page needs."""

    def __init__(self, config: AvroValues, secrets: SecretResolver) -> None:
        token = None if config.token is None else secrets.resolve(config.token)
        self._registry = RegistryClient(secrets.resolve(config.registry), token)
        self._readers: dict[int, AvroReader | None] = {}

    async def prepare(self, values: list[bytes | None]) -> None:
        """Raises SourceUnavailableError while the registry is away, SourceRefusedError if it refuses."""
        framed = [unframe(value) for value in values if value is not None]
        for number in {each[0] for each in framed if each is not None} - self._readers.keys():
            self._readers[number] = await asyncio.to_thread(self._reader, number)

    def __call__(self, value: bytes) -> dict[str, Any]:
        framed = unframe(value)
        reader = self._readers.get(framed[0]) if framed else None
        if framed is None or reader is None:
            raise _not_avro()
        try:
            return reader(framed[1])
        except ValueError:
            raise _not_avro() from None

    def _reader(self, number: int) -> AvroReader | None:
        try:
            return AvroReader(self._registry.schema_text(number))
        except UnknownSchemaError:
            return None
        except RegistryUnavailableError as error:
            raise SourceUnavailableError(
                Text("Kho lược đồ của nguồn chưa trả lời", "The source's schema registry does not answer")
            ) from error
        except RegistryError as error:
            raise SourceRefusedError(
                Text(
                    "Kho lược đồ của nguồn từ chối; kiểm tra source.values",
                    "The source's schema registry refuses; check source.values",
                )
            ) from error


def _not_avro() -> MappingError:
    return MappingError(
        "not_avro",
        Text("bản tin không phải Avro theo lược đồ nào", "the message is no Avro of a known schema"),
        Text(
            "nguồn phải ghi bằng bộ tuần tự hóa của kho lược đồ", "the source must write with its registry's serializer"
        ),
    )


def value_reader(config: JsonValues | AvroValues, secrets: SecretResolver) -> JsonReader | WireReader:
    return WireReader(config, secrets) if isinstance(config, AvroValues) else JsonReader()


def lost_records(partition: int, at: int, begin: int, end: int) -> Refusal:
    """Messages that retention removed, or a topic made anew: said, not passed over."""
    error = MappingError(
        "lost_at_source",
        Text(
            f"phân vùng {partition}: vị trí {at} không còn trong {begin}…{end}; đọc lại từ {begin}",
            f"partition {partition}: offset {at} is not within {begin}…{end} any more; reading from {begin}",
        ),
        Text(
            "nguồn cần giữ bản tin lâu hơn; kiểm tra xem chủ đề có bị tạo lại không",
            "the source must keep messages longer; see whether the topic was made anew",
        ),
    )
    return Refusal({PARTITION: partition, "from": at, "to": begin}, error)
