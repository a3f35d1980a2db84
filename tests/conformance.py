"""What every source kind is tested with: a small world around a real server, and one contract for its records.

A world makes numbered records at its server, knows how a manifest would describe it, and can take the server away.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import textwrap
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Any

from connectors.errors import SourceUnavailableError
from connectors.manifest import Manifest, load_manifest
from connectors.runtime import open_source
from connectors.secrets import SecretResolver
from connectors.source import Cursor, Page, Source, Surroundings
from schemas.contract import Contract, parse_contract
from tests.portal_server import LOOPBACK

ENVELOPE: list[dict[str, Any]] = [
    {"name": "event_id", "type": "string"},
    {"name": "source_system", "type": "string"},
    {"name": "org_code", "type": "string"},
    {"name": "entity_key", "type": "string", "role": "key"},
    {"name": "revision", "type": "long", "role": "revision"},
    {"name": "op", "type": {"type": "enum", "name": "Op", "symbols": ["UPSERT", "CORRECT", "DELETE"]}, "role": "op"},
    {"name": "event_time", "type": {"type": "long", "logicalType": "timestamp-millis"}, "role": "event_time"},
    {"name": "ingest_time", "type": {"type": "long", "logicalType": "timestamp-millis"}, "role": "ingest_time"},
    {"name": "admin_code", "type": "string"},
    {"name": "admin_codeset", "type": "string"},
]
NOTE: Contract = parse_contract(
    {
        "type": "record",
        "name": "Note",
        "namespace": "ioc.test",
        "doc": "Ghi chú để kiểm thử.",
        "doc_en": "A note to test with.",
        "kind": "entity",
        "fields": [
            *({**each, "doc": each["name"], "doc_en": each["name"]} for each in ENVELOPE),
            {"name": "value", "type": ["null", "string"], "default": None, "doc": "giá trị", "doc_en": "value"},
        ],
    },
    "test",
    "note",
    "note.avsc",
)
MAPPING = """
event_id: {from: id}
source_system: {const: test}
org_code: {const: H53}
entity_key: {from: id}
revision: {const: 1}
op: {const: UPSERT}
event_time: {from: at, time: iso}
ingest_time: {ingest_time: true}
admin_code: {const: "25459"}
admin_codeset: {const: "2025"}
value: {from: value}
"""


def identity(number: int) -> str:
    return f"r-{number:06d}"


def moment(number: int) -> str:
    """Two records share each second."""
    return f"2022-08-23T{8 + number // 7200:02d}:{number // 120 % 60:02d}:{number // 2 % 60:02d}+07:00"


def note(number: int) -> dict[str, Any]:
    return {"id": identity(number), "at": moment(number), "value": f"giá trị {number}"}


class World(ABC):
    """One system of one department, empty at first. `secrets`: values that may show nowhere."""

    kind: str
    page_records: int = 10
    """What a page may hold, as declared."""
    secrets: tuple[str, ...] = ()
    mapping: str = MAPPING

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environ: dict[str, str] = {}

    @abstractmethod
    def source(self) -> str:
        """The block `source` of the manifest."""

    @abstractmethod
    def add(self, first: int, count: int) -> None:
        """The records `first` … `first + count - 1` appear at the server."""

    @abstractmethod
    def state(self) -> Any:
        """What reading for real would change at the server."""

    @contextlib.contextmanager
    @abstractmethod
    def away(self) -> Iterator[None]:
        """The server cannot be reached within the block."""

    def identity(self, number: int) -> str:
        """The id of a record, as the source gives it."""
        return identity(number)

    def ids(self, first: int, count: int) -> set[str]:
        return {self.identity(number) for number in range(first, first + count)}

    def hung(self) -> contextlib.AbstractContextManager[None] | None:
        """The server takes requests and does not answer within the block; None if that cannot be shown."""
        return None

    def wrong_login(self) -> Mapping[str, str] | None:
        """An environment in which the login is refused; None if there is no login."""
        return None

    def manifest(self) -> Manifest:
        """The manifest, as a department would write it."""
        self.manifest_file.write_text(
            f"id: world-{self.kind.replace('_', '-')}\nkind: {self.kind}\nentity: note\nsource_system: test\n"
            "name: {vi: Kiểm thử, en: Test}\nowner: {department: Sở A, contact: B, org: H53}\n"
            "sla: {cadence_s: 60}\n"
            f"source:\n{textwrap.indent(textwrap.dedent(self.source()).strip(), '  ')}\n"
            f"mapping:\n{textwrap.indent(self.mapping.strip(), '  ')}\n",
            encoding="utf-8",
        )
        return load_manifest(self.manifest_file)

    @property
    def manifest_file(self) -> Path:
        return self.folder / "manifest.yaml"

    @property
    def folders(self) -> tuple[Path, ...]:
        return (self.folder,)

    def surroundings(self, environ: Mapping[str, str] | None = None) -> Surroundings:
        resolver = SecretResolver(self.environ if environ is None else environ, (self.folder,))
        return Surroundings(resolver, hosts=LOOPBACK, folders=self.folders)


class Reading:
    """A source of a world, read as the runtime does, and what it reported."""

    def __init__(self, world: World, environ: Mapping[str, str] | None = None) -> None:
        self.reports: list[SourceUnavailableError] = []
        around = dataclasses.replace(world.surroundings(environ), report=self.reports.append)
        self.source: Source = open_source(world.manifest(), around)
        self.cursor: Cursor | None = None

    async def __aenter__(self) -> Reading:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.source.close()

    async def page(self) -> Page:
        """The next page of a new read, which is then left: nothing is stored."""
        async with aclosing(self.source.read(self.cursor)) as pages:  # type: ignore[type-var]
            async for page in pages:
                if page.records:
                    return page
        raise AssertionError("nothing to read")

    async def read(self, pages_at_most: int | None = None) -> list[str]:
        """One read, each page stored before the next is asked for; the records' ids in order."""
        found: list[str] = []
        taken = 0
        async with aclosing(self.source.read(self.cursor)) as pages:  # type: ignore[type-var]
            async for page in pages:
                assert page.refused == []
                found += [record["id"] for record in page.records]
                self.cursor = page.cursor_after
                taken += bool(page.records)
                if taken == pages_at_most:
                    break
        return found

    async def read_until(self, wanted: set[str]) -> list[str]:
        """Reads, again and again, until all these have come: what arrives by itself takes its time."""
        found: list[str] = []
        deadline = time.monotonic() + 20
        while not wanted <= set(found):
            assert time.monotonic() < deadline, sorted(wanted - set(found))[:5]
            found += await self.read()
            await asyncio.sleep(0.02)
        return found
