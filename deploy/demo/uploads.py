"""Workbooks that an official hands in at the hub's page: looked at by the hub, then sent for good."""

from __future__ import annotations

import asyncio
import io
import logging
import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import date

import httpx2
import xlsxwriter
from starlette.routing import BaseRoute

from deploy.demo.emitter import Emitter
from deploy.demo.file_drop import LIVE_SHARE, Content
from deploy.demo.ledger import Origin, Raw, read_progress, write_progress
from deploy.demo.live import Case
from deploy.demo.simulation import Stage

KEY = "IOC_SECRET_UPLOAD_KEY"
"""The official's key, as the hub's people gave it out."""
TIMEOUT_S = 60.0
REST_S = 1.0
_TOKEN = re.compile(r'name="token" value="([0-9a-f]{32})"')
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

log = logging.getLogger("uploads")


class UploadSimulator:
    """Hands in the history's workbooks in their order, then live ones. See `Simulator`.

    A workbook is handed in again until the hub says that it has it; `progress.json` counts those it has.
    """

    def __init__(
        self,
        stage: Stage,
        connector: str,
        content: Content,
        write_history: Callable[[Origin], Iterable[Raw]],
        begin: Callable[[int], Case],
        wanted: Callable[[Raw], bool] = lambda raw: True,
        others: Callable[[Raw], None] = lambda raw: None,
    ) -> None:
        """`wanted`: which of the ledger's records are workbooks of this connector; `others` gets the rest, as it comes
        up."""
        self._state, self._system = stage.site.state, stage.site.system
        self._url = f"{stage.site.target}/connectors/{connector}/upload"
        self._content = content
        self._queue: asyncio.Queue[Raw] = asyncio.Queue()
        slow = replace(stage, live_rate=stage.live_rate * LIVE_SHARE)
        self._emitter = Emitter(
            slow, write_history, begin, lambda raw: self._queue.put_nowait(raw) if wanted(raw) else others(raw)
        )
        self._done = int(read_progress(self._state, self._system).get("uploaded", 0))
        emitted = [*self._emitter.history, *(event.raw for event in self._emitter.past)]
        for raw in list(filter(wanted, emitted))[self._done :]:
            self._queue.put_nowait(raw)
        for raw in emitted:
            if not wanted(raw):
                others(raw)

    def routes(self) -> Sequence[BaseRoute]:
        return ()

    async def run(self, ready: Callable[[], None]) -> None:
        ready()
        await asyncio.gather(self._emitter.run(), self._hand_in())

    async def _hand_in(self) -> None:
        headers = {"Authorization": f"Bearer {os.environ.get(KEY, '')}", "Accept-Language": "en"}
        async with httpx2.AsyncClient(timeout=TIMEOUT_S, headers=headers) as client:
            while True:
                raw = await self._queue.get()
                data = await asyncio.to_thread(self._content, raw)
                while (problem := await self._attempt(client, raw["tep"], data)) is not None:
                    log.info("%s: %s", raw["tep"], problem)
                    await asyncio.sleep(REST_S)
                self._done += 1
                write_progress(self._state, self._system, {"uploaded": self._done})

    async def _attempt(self, client: httpx2.AsyncClient, name: str, data: bytes) -> str | None:
        """What stood in the way; None if the hub has the file."""
        try:
            looked = await client.post(self._url, files={"file": (name, data, XLSX)})
            token = _TOKEN.search(looked.text)
            if looked.status_code != 200 or token is None:
                return f"not looked at: {looked.status_code}"
            taken = await client.post(self._url, files={"token": (None, token[1])})
            return None if taken.status_code == 200 else f"not taken: {taken.status_code}"
        except httpx2.HTTPError as error:
            return type(error).__name__


def workbook(sheet: str, title: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """As the official's form looks: a page of instructions, a merged title, a blank row, the table, a total row."""
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, {"in_memory": True}) as book:
        book.add_worksheet("Hướng dẫn").write(0, 0, f"Điền vào trang «{sheet}»")
        page = book.add_worksheet(sheet)
        day = book.add_format({"num_format": "dd/mm/yyyy"})
        page.merge_range(0, 0, 0, len(header) - 1, title)
        page.write_row(2, 0, header)
        line = 3
        for row in rows:
            for column, value in enumerate(row):
                if isinstance(value, date):
                    page.write_datetime(line, column, value, day)
                elif value is not None:
                    page.write(line, column, value)
            line += 1
        page.write(line + 1, 0, "Tổng cộng")
    return buffer.getvalue()
