"""Source kind `files`: CSV, Excel and JSON lines from uploads, directories, SFTP and FTP, each file once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from itertools import islice
from typing import Any

from connectors.clock import epoch_ms
from connectors.errors import MappingError, Text
from connectors.file_config import Pickup
from connectors.file_formats import FileRefusedError, Format, Row, read_rows
from connectors.file_ledger import Ledger, content_of
from connectors.file_pickup import Collector
from connectors.file_places import FileGoneError, Found
from connectors.form import about
from connectors.manifest import Manifest
from connectors.source import (
    FILE,
    REVISION,
    ROW,
    Cursor,
    Page,
    Preview,
    Refusal,
    Step,
    Surroundings,
)


class Config(Pickup):
    """The block `source` of a manifest of kind `files`."""

    format: Format = about("Dạng tệp", "Format")
    page_size: int = about("Số dòng mỗi trang", "Rows per page", default=5_000, gt=0, le=100_000)


class FilesSource:
    """See `Source`. A position within a file survives a restart: the rest of it is read, not all of it again."""

    def __init__(self, config: Config, connector: str, around: Surroundings) -> None:
        self._config = config
        self._around = around
        self._collector = Collector(config, connector, around)

    @property
    def poll_interval_s(self) -> float:
        return self._config.poll_interval_s

    async def close(self) -> None:
        await self._collector.place.close()

    def check(self) -> AsyncIterator[Step]:
        """See `Source.check`: reach the place, list it, read the newest file's header."""

        async def read() -> Text:
            rows = (await self.preview(1)).records
            return Text("đọc được" if rows else "chưa có dòng nào", "it can be read" if rows else "no rows yet")

        return self._collector.check(read)

    async def preview(self, count: int) -> Preview:
        """Rows of the newest file that is not too large."""
        preview = Preview([])
        for found in reversed(await self._collector.listed()):
            if not self._collector.is_too_large(found):
                try:
                    data = await self._collector.place.fetch(found)
                except FileGoneError:
                    continue
                for number, value in islice(await self._rows(data), count):
                    _take(preview.records, preview.refused, found, number, value, 0)
                break
        return preview

    async def read(self, cursor: Cursor | None) -> AsyncIterator[Page]:
        """New files, oldest first, page by page; a file that is put away is so after its last page is safe."""
        ledger = Ledger(cursor)
        underway: dict[str, Any] = (cursor or {}).get("underway") or {}
        for found in _first(await self._collector.new_files(ledger), underway.get("path")):
            skip = underway if underway.get("path") == found.path else {}
            async for page in self._file(found, ledger, skip):
                yield page
            if not ledger.is_new(found):
                await self._collector.put_away(found)

    async def _file(self, found: Found, ledger: Ledger, skip: dict[str, Any]) -> AsyncIterator[Page]:
        if self._collector.is_too_large(found):
            ledger.done(found, content_of(found.path.encode("utf-8", "surrogateescape")))
            refusal = _whole_file(found, _too_large(self._collector.too_large()))
            yield Page([], ledger.position(), None, [refusal])
            return
        data = await self._collector.fetch(found)
        if data is None:
            return
        content = content_of(data)
        if ledger.is_known(found, content):
            ledger.done(found, content)
            yield Page([], ledger.position(), None)
            return
        done = int(skip.get("rows", 0)) if skip.get("content") == content.hex() else 0
        revision = ledger.next_revision(epoch_ms(self._around.now()))
        rows = await self._rows(data)
        taken = sum(1 for _ in islice(rows, done))
        while True:
            records: list[Any] = []
            refused: list[Refusal] = []
            batch = list(islice(rows, self._config.page_size))
            for number, value in batch:
                _take(records, refused, found, number, value, revision)
            taken += len(batch)
            if len(batch) < self._config.page_size:
                ledger.done(found, content)
                yield Page(records, ledger.position(), None, refused)
                return
            place = {"path": found.path, "content": content.hex(), "rows": taken}
            yield Page(records, ledger.position(place), None, refused)

    async def _rows(self, data: bytes) -> Iterator[Row]:
        """The file's rows; of a file that cannot be read one row, its error."""
        try:
            return await asyncio.to_thread(read_rows, data, self._config.format)
        except FileRefusedError as error:
            return iter([(0, error)])


def _take(records: list[Any], refused: list[Refusal], found: Found, number: int, value: Any, revision: int) -> None:
    if value.__class__ is dict:
        value[FILE], value[ROW], value[REVISION] = found.path, number, revision
        records.append(value)
    elif isinstance(value, FileRefusedError):
        refused.append(_whole_file(found, value))
    elif isinstance(value, MappingError):
        refused.append(Refusal({FILE: found.path, "size": found.size, "at": found.modified, ROW: number}, value))


def _whole_file(found: Found, error: MappingError) -> Refusal:
    return Refusal({FILE: found.path, "size": found.size, "at": found.modified}, error)


def _too_large(problem: Text) -> MappingError:
    return MappingError(
        "file_too_large",
        problem,
        Text("chia nhỏ tệp, hoặc tăng source.max_file_bytes", "split the file, or raise source.max_file_bytes"),
    )


def _first(files: list[Found], path: str | None) -> list[Found]:
    """The files with the one that was read in part at the front."""
    return sorted(files, key=lambda found: found.path != path) if path else files


def open_source(manifest: Manifest, around: Surroundings) -> FilesSource:
    """The source of a manifest of this kind; NotConfiguredError if a reference has no value."""
    return FilesSource(manifest.source, manifest.id, around)
