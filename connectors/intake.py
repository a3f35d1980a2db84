"""From raw records to messages: one connector's mapper, encoder and quarantine, put together once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from connectors.errors import ManifestError, SourceUnavailableError, Text
from connectors.manifest import Manifest
from connectors.mapping import Mapper, compile_mapping
from connectors.packing import Packer
from connectors.pseudonym import Pseudonymiser
from connectors.publish import Message
from connectors.quarantine import QuarantineWriter
from connectors.source import Refusal
from schemas.codes_table import CodeTable
from schemas.contract import Contract
from schemas.errors import RegistryUnavailableError


class SchemaRegistry(Protocol):
    """Where schema ids come from (see `schemas/registry_client.py`). Blocks."""

    def register(self, subject: str, schema_text: str) -> int: ...


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a delivery publishes: rows of the entity's topic and refused records."""

    topic: str
    messages: list[tuple[bytes, bytes]]
    quarantined: list[Message]
    newest_ms: int | None


class Intake:
    """Pure after construction; a few µs per record."""

    def __init__(self, manifest: Manifest, contract: Contract, mapper: Mapper, schema_id: int) -> None:
        self.topic = contract.topic
        self._pack = Packer(mapper, contract, schema_id)
        self._quarantine = QuarantineWriter(manifest, contract.topic)

    def __call__(self, records: Sequence[Any], ingest_ms: int, refused: Sequence[Refusal] = ()) -> Prepared:
        """Map and encode a batch. `ingest_ms`: when it was read, UTC epoch ms; `refused`: by the source already."""
        packed = self._pack(records, ingest_ms)
        bad = [*refused, *packed.refused]
        quarantined = self._quarantine.messages(bad, ingest_ms) if bad else []
        return Prepared(self.topic, packed.messages, quarantined, packed.newest_ms)


@dataclass(frozen=True, slots=True)
class IntakeFactory:
    """Checks manifests against contracts and opens intakes. `tables`: code tables that a mapping may name; None: the
    package's."""

    contracts: Mapping[str, Contract]
    registry: SchemaRegistry
    pseudonymiser: Pseudonymiser
    tables: Mapping[str, CodeTable] | None = None

    def check(self, manifest: Manifest) -> Mapper:
        """The compiled mapping; ManifestError if it does not fit its contract. Asks nobody."""
        contract = self.contracts.get(manifest.entity)
        if contract is None:
            known = ", ".join(sorted(self.contracts))
            raise ManifestError(
                Text(
                    f"Đầu nối {manifest.id}: không có thực thể «{manifest.entity}»; các thực thể: {known}",
                    f"Connector {manifest.id}: there is no entity “{manifest.entity}”; the entities are: {known}",
                )
            )
        return compile_mapping(manifest, contract, self.pseudonymiser, self.tables)

    async def open(self, manifest: Manifest) -> Intake:
        """An intake with the schema's id; SourceUnavailableError while the registry is away.

        schemas.errors.RegistryError if the registry refuses the contract.
        """
        mapper = self.check(manifest)
        contract = self.contracts[manifest.entity]
        try:
            schema_id = await asyncio.to_thread(self.registry.register, contract.subject, contract.schema_text)
        except RegistryUnavailableError as error:
            raise RegistryAwayError(
                Text(
                    "Kho lược đồ chưa trả lời; sẽ thử lại",
                    "The schema registry does not answer; it will be asked again",
                )
            ) from error
        return Intake(manifest, contract, mapper, schema_id)


class RegistryAwayError(SourceUnavailableError):
    """The schema registry is away: wait and try again."""

    code = "registry_unavailable"
