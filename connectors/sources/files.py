"""Source kind `files`: CSV, Excel and JSON lines from uploads, directories, SFTP and FTP, each file once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

from connectors.clock import epoch_ms
from connectors.errors import MappingError, Text
from connectors.file_formats import FileRefusedError, read_batches
from connectors.file_ledger import Ledger, content_of
from connectors.file_pickup import Collector
from connectors.file_places import FileGoneError, Found
from connectors.files_config import Config
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
from connectors.table import Batch, Table


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
                for batch in await self._batches(data, count):
                    preview.records.extend(_told(batch, found, 0))
                    preview.refused.extend(_refusals(batch, found))
                    if len(preview.records) + len(preview.refused) >= count:
                        break
                break
        return Preview(preview.records[:count], preview.refused)

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
        batches = await self._batches(data, self._config.page_size)
        records: Sequence[Any] = []
        refused: list[Refusal] = []
        taken = 0
        batch = next(batches, None)
        while batch is not None:
            following = next(batches, None)
            part = batch.after(done - taken)
            taken += batch.rows
            records, refused = _told(part, found, revision), _refusals(part, found)
            if following is None:
                break
            if taken > done:
                place = {"path": found.path, "content": content.hex(), "rows": taken}
                yield Page(records, ledger.position(place), None, refused)
            batch = following
        ledger.done(found, content)
        yield Page(records, ledger.position(), None, refused)

    async def _batches(self, data: bytes, rows: int) -> Iterator[Batch]:
        """The file's rows; of a file that cannot be read one row, its error."""
        try:
            return await asyncio.to_thread(read_batches, data, self._config.format, rows)
        except FileRefusedError as error:
            return iter([Batch([], (), [(0, error)])])


def _told(batch: Batch, found: Found, revision: int) -> Sequence[Any]:
    """The records with file, row and revision."""
    records, count = batch.records, len(batch.records)
    if isinstance(records, Table):
        return records.beside({FILE: [found.path] * count, ROW: batch.numbers, REVISION: [revision] * count})
    for number, record in zip(batch.numbers, records, strict=True):
        record[FILE], record[ROW], record[REVISION] = found.path, number, revision
    return records


def _refusals(batch: Batch, found: Found) -> list[Refusal]:
    return [
        _whole_file(found, error)
        if isinstance(error, FileRefusedError)
        else Refusal({FILE: found.path, "size": found.size, "at": found.modified, ROW: number}, error)
        for number, error in batch.bad
    ]


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
