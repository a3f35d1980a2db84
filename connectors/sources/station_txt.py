"""Source kind `station_txt`: files of environmental stations (Circular 10/2021), oldest first, from SFTP or FTP.

A file is whole once its size has settled and its last line is complete. One that stays incomplete for
`incomplete_s` is taken as it is: its whole lines are readings, the broken one is refused.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

from connectors.clock import epoch_ms
from connectors.errors import MappingError, Text
from connectors.file_ledger import Ledger, content_of, stamp
from connectors.file_pickup import Collector
from connectors.file_places import FileGoneError, Found
from connectors.manifest import Manifest
from connectors.source import FILE, ROW, Cursor, Page, Preview, Refusal, Step, Surroundings
from connectors.station_file import StationFile, is_whole, read_station_file, station_and_time
from connectors.station_txt_config import Config

PREVIEW_FILES = 10
AT_ONCE = 32
"""Files fetched side by side: what hides the server's round trips."""


class StationSource:
    """See `Source`. Files of a page are fetched side by side and given in the order of their names' time."""

    def __init__(self, config: Config, connector: str, around: Surroundings) -> None:
        self._config = config
        self._around = around
        self._collector = Collector(config, connector, around)
        self._incomplete: dict[bytes, float] = {}

    @property
    def poll_interval_s(self) -> float:
        return self._config.poll_interval_s

    async def close(self) -> None:
        await self._collector.place.close()

    def check(self) -> AsyncIterator[Step]:
        """See `Source.check`: sign in, list the files, read the newest."""

        async def read() -> Text:
            readings = (await self.preview(100)).records
            return Text(f"tệp mới nhất có {len(readings)} giá trị", f"the newest file has {len(readings)} readings")

        return self._collector.check(read)

    async def preview(self, count: int) -> Preview:
        """Readings of the newest files."""
        preview = Preview([])
        newest = _oldest_first(await self._collector.listed())[::-1][: min(count, PREVIEW_FILES)]
        contents = await asyncio.gather(*(self._looked_at(found) for found in newest))
        for found, data in zip(newest, contents, strict=True):
            named = station_and_time(found.name)
            if named is not None:
                read = read_station_file(data, found.path, named, 0)
                preview.records.extend(read.readings[: count - len(preview.records)])
                preview.refused.extend(_refusals(found, read))
        return preview

    async def _looked_at(self, found: Found) -> bytes:
        try:
            return await self._collector.place.fetch(found)
        except FileGoneError:
            return b""

    async def read(self, cursor: Cursor | None) -> AsyncIterator[Page]:
        """New files in pages of `page_files`; they are put away after their page is safe."""
        ledger = Ledger(cursor, by_name=False)
        files = _oldest_first(await self._collector.new_files(ledger))
        for start in range(0, len(files), self._config.page_files):
            part = files[start : start + self._config.page_files]
            revision = ledger.next_revision(epoch_ms(self._around.now()))
            records: list[Any] = []
            refused: list[Refusal] = []
            taken: list[Found] = []
            for found, data in zip(part, await self._fetched(part), strict=True):
                if data is not None and self._take(found, data, ledger, revision, records, refused):
                    taken.append(found)
            if taken:
                yield Page(records, ledger.position(), None, refused)
                await asyncio.gather(*(self._collector.put_away(found) for found in taken))

    async def _fetched(self, files: list[Found]) -> list[bytes | None]:
        """The contents in order; None for a file that has gone or is too large to be one."""
        slots = asyncio.Semaphore(AT_ONCE)

        async def fetch(found: Found) -> bytes | None:
            if self._collector.is_too_large(found) or station_and_time(found.name) is None:
                return b""
            async with slots:
                return await self._collector.fetch(found)

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(fetch(found)) for found in files]
        return [task.result() for task in tasks]

    def _take(
        self, found: Found, data: bytes, ledger: Ledger, revision: int, records: list[Any], refused: list[Refusal]
    ) -> bool:
        """Add a file's readings; False if it is not whole yet."""
        named = station_and_time(found.name)
        # Two stations may say the same in the same minute, such as an error without a value.
        content = content_of(f"{named[0] if named else found.path}\0".encode("utf-8", "surrogateescape") + data)
        if named is None or self._collector.is_too_large(found):
            problem = self._collector.too_large() if named else _no_name()
            refused.append(_whole_file(found, "bad_file", problem))
        elif not is_whole(data) and not self._has_waited(found):
            return False
        elif not data:
            refused.append(_whole_file(found, "empty_file", Text("tệp rỗng", "the file is empty")))
        elif not ledger.is_known(found, content):
            read = read_station_file(data, found.path, named, revision)
            records.extend(read.readings)
            refused.extend(_refusals(found, read))
        self._incomplete.pop(stamp(found), None)
        ledger.done(found, content)
        return True

    def _has_waited(self, found: Found) -> bool:
        since = self._incomplete.setdefault(stamp(found), time.monotonic())
        return time.monotonic() - since >= self._config.incomplete_s


def _oldest_first(files: list[Found]) -> list[Found]:
    """By the time in their names: a backlog comes in any order."""

    def key(found: Found) -> tuple[str, str]:
        named = station_and_time(found.name)
        return (named[1] if named else "", found.path)

    return sorted(files, key=key)


def _refusals(found: Found, read: StationFile) -> list[Refusal]:
    return [
        Refusal({FILE: found.path, ROW: number, "size": found.size, "at": found.modified}, error)
        for number, error in read.bad
    ]


def _whole_file(found: Found, code: str, problem: Text) -> Refusal:
    cure = Text(
        "gửi lại đúng mẫu <TRẠM>_<YYYYMMDDhhmmss>.txt của Thông tư 10/2021",
        "send it again as <STATION>_<YYYYMMDDhhmmss>.txt of Circular 10/2021",
    )
    return Refusal({FILE: found.path, "size": found.size, "at": found.modified}, MappingError(code, problem, cure))


def _no_name() -> Text:
    return Text("tên tệp không đúng mẫu", "the file's name does not have the form")


def open_source(manifest: Manifest, around: Surroundings) -> StationSource:
    """The source of a manifest of this kind; NotConfiguredError if a reference has no value."""
    return StationSource(manifest.source, manifest.id, around)
