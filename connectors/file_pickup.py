"""Picking files up: what is new and has settled, oldest first; and what becomes of a file that has been read."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable

from connectors.errors import Text
from connectors.file_config import Pickup
from connectors.file_ledger import Ledger, stamp
from connectors.file_places import FileGoneError, Found, Place, open_place
from connectors.patience import patiently
from connectors.source import Check, Step, Surroundings, run_checks


class Collector:
    """One connector's files. Remembers the last listing, to see which files have stopped growing."""

    def __init__(self, pickup: Pickup, connector: str, around: Surroundings) -> None:
        self._pickup = pickup
        self._around = around
        self.place: Place = open_place(pickup, connector, around)
        self._first_seen: dict[bytes, float] = {}
        self._waiting = 0

    async def new_files(self, ledger: Ledger) -> list[Found]:
        """New files whose size and time have been the same for `settle_s`, oldest first; waits that long once."""
        files = await self._settled(ledger)
        if files or not self._waiting:
            return files
        await asyncio.sleep(self._pickup.settle_s)
        return await self._settled(ledger)

    async def listed(self) -> list[Found]:
        """Everything that is there now, oldest first; asked once."""
        return sorted(await self.place.files())

    async def fetch(self, found: Found) -> bytes | None:
        """Its content, None if it has gone; a file that is too large is refused by `too_large`."""
        try:
            return await patiently(lambda: self.place.fetch(found), self._around.report)
        except FileGoneError:
            return None

    def is_too_large(self, found: Found) -> bool:
        return found.size > self._pickup.max_file_bytes

    def too_large(self) -> Text:
        return Text(
            f"tệp lớn hơn {self._pickup.max_file_bytes} byte",
            f"the file is larger than {self._pickup.max_file_bytes} bytes",
        )

    async def put_away(self, found: Found) -> None:
        """Delete or move it, if declared. SourceRefusedError names the cure if we may not."""
        if self._pickup.after == "delete":
            await patiently(lambda: self.place.delete(found), self._around.report)
        elif self._pickup.after == "move":
            await patiently(lambda: self.place.move(found, self._pickup.moved_to), self._around.report)

    def check(self, read: Callable[[], Awaitable[Text]]) -> AsyncIterator[Step]:
        """See `Source.check`: sign in, list the files, `read` the newest."""
        return run_checks(
            Check("sign_in", Text("Kết nối", "Connect"), self.place.reach),
            Check("list", Text("Liệt kê tệp", "List the files"), self.count),
            Check("read", Text("Đọc tệp mới nhất", "Read the newest file"), read),
        )

    async def count(self) -> Text:
        """For a check: how many files there are."""
        files = await self.place.files()
        if not files and self._pickup.pattern != "*":
            return Text(f"chưa có tệp nào khớp {self._pickup.pattern}", f"no file matches {self._pickup.pattern} yet")
        return Text(f"{len(files)} tệp khớp mẫu", f"{len(files)} files match")

    async def _settled(self, ledger: Ledger) -> list[Found]:
        files = await patiently(self.place.files, self._around.report)
        ledger.listed(files)
        now = time.monotonic()
        fresh = {stamp(each): each for each in files if ledger.is_new(each)}
        self._first_seen = {key: self._first_seen.get(key, now) for key in fresh}
        settled = [each for key, each in fresh.items() if now - self._first_seen[key] >= self._pickup.settle_s]
        self._waiting = len(fresh) - len(settled)
        return sorted(settled)
