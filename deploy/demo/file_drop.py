"""Files that a department puts into a shared folder: each whole at once, oldest first by its time."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from starlette.routing import BaseRoute

from deploy.demo.emitter import Emitter
from deploy.demo.ledger import Origin, Raw
from deploy.demo.live import Case
from deploy.demo.simulation import Site, Stage

LIVE_SHARE = 1 / 20
"""Live files to live events of other systems: a file holds many rows."""

Content = Callable[[Raw], bytes]
"""From the ledger's record of a file (`tep`: its name, `dong`: its rows) to its bytes."""


def drop_folder(site: Site) -> Path:
    """The shared folder."""
    found = site.folder / "gui"
    found.mkdir(exist_ok=True)
    return found


def put(path: Path, data: bytes, at: int | None = None) -> None:
    """Write a file whole or not at all, with a time of its own; one that is there stays."""
    if path.exists():
        return
    hidden = path.with_name(f".{path.name}")
    hidden.write_bytes(data)
    if at is not None:
        os.utime(hidden, (at, at))
    hidden.replace(path)


class FolderSimulator:
    """A system that hands in files. The history's files have the times of their order. See `Simulator`."""

    def __init__(
        self,
        stage: Stage,
        content: Content,
        write_history: Callable[[Origin], Iterable[Raw]],
        begin: Callable[[int], Case],
        bad: Sequence[Raw] = (),
    ) -> None:
        self._folder = drop_folder(stage.site)
        self._content = content
        slow = replace(stage, live_rate=stage.live_rate * LIVE_SHARE)
        self._emitter = Emitter(slow, write_history, begin, self._add)
        first = stage.origin.anchor - 1_000_000
        # The bad ones before the last good one: a department that has handed in well since is not refused.
        history = list(self._emitter.history)
        for number, raw in enumerate([*history[:-1], *bad, *history[-1:]]):
            put(self._folder / raw["tep"], content(raw), first + number)
        for event in self._emitter.past:
            self._add(event.raw)

    def _add(self, raw: Raw) -> None:
        put(self._folder / raw["tep"], self._content(raw))

    def routes(self) -> Sequence[BaseRoute]:
        return ()

    async def run(self, ready: Callable[[], None]) -> None:
        ready()
        await self._emitter.run()


def csv_text(header: Sequence[str], rows: Iterable[Sequence[object]], delimiter: str = ";") -> str:
    """Lines as Excel saves them; values hold neither delimiter nor quotes, or are quoted."""

    def cell(value: object) -> str:
        text = "" if value is None else str(value)
        return f'"{text}"' if delimiter in text or "," in text else text

    lines = [delimiter.join(cell(value) for value in row) for row in ([*header], *rows)]
    return "\r\n".join(lines) + "\r\n"


def grouped(number: int) -> str:
    """12345 as 12.345."""
    return f"{number:,}".replace(",", ".")
