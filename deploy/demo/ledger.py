"""What the simulated systems emitted, kept on disk: the measure of what the product has to show.

    <state>/portal/         origin.json · <tag>-dossiers.arrow · <tag>-events.arrow · live.jsonl
    <state>/feedback-1022/  origin.json · history.jsonl · live.jsonl · progress.json
    <state>/<small system>/ the same

The history is written once, at the first start; live events are appended before anybody can see them. A line
torn by a crash is cut off at the next start: it was never emitted.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from deploy.demo.reference import REFERENCE_START, History, generate, reference_period, stock_period
from deploy.demo.reports import reference_reports, stock_reports
from deploy.demo.worktime import local_date, local_midnight

PORTAL = "portal"
FEEDBACK = "feedback-1022"
TAGS = ("r", "s")
"""Reference and this year's stock."""

Raw = dict[str, Any]


class DemoError(Exception):
    """A simulated system cannot start as asked; the message names the cure."""


@dataclass(frozen=True, slots=True)
class Origin:
    """What determines everything but the live part. `anchor`: end of the stock, seconds since 1970."""

    seed: int
    scale: float
    anchor: int

    @property
    def year_start(self) -> int:
        return min(local_midnight(date(local_date(self.anchor).year, 1, 1)), self.anchor - 3600)


@dataclass(frozen=True, slots=True)
class LiveEvent:
    """One live record: step `step` of case `case`, emitted at `at`."""

    case: int
    step: int
    at: int
    raw: Raw


def replace_file(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    draft = path.with_suffix(path.suffix + ".tmp")
    draft.write_bytes(content)
    draft.replace(path)


def directory(state: Path, system: str) -> Path:
    return state / system


def open_origin(state: Path, system: str, seed: int, scale: float, now: int) -> Origin:
    """The run's origin; the first call fixes it, later ones check that seed and scale are the same."""
    folder = directory(state, system)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "origin.json"
    if not path.exists():
        replace_file(path, orjson.dumps(asdict(Origin(seed, scale, max(now, REFERENCE_START)))))
    origin = read_origin(state, system)
    if (origin.seed, origin.scale) != (seed, scale):
        raise DemoError(
            f"{path}: begun with --seed {origin.seed} --scale {origin.scale:g}, "
            f"asked for --seed {seed} --scale {scale:g}; use the same values or another --state"
        )
    return origin


def require_ledger(state: Path) -> None:
    """DemoError if neither system ever started on this state."""
    if not any((directory(state, system) / "origin.json").exists() for system in (PORTAL, FEEDBACK)):
        raise DemoError(f"{state}: no ledger here; start the simulated systems with --state {state}")


def read_origin(state: Path, system: str) -> Origin:
    path = directory(state, system) / "origin.json"
    try:
        return Origin(**orjson.loads(path.read_bytes()))
    except FileNotFoundError as error:
        raise DemoError(f"{path} is missing: {system} was never started on this --state") from error


def open_histories(state: Path, origin: Origin) -> dict[str, History]:
    """The portal's reference and stock, generated at the first call."""
    folder = directory(state, PORTAL)
    periods = {
        "r": reference_period(origin.seed, origin.scale),
        "s": stock_period(origin.seed, origin.scale, origin.year_start, origin.anchor),
    }
    for tag, period in periods.items():
        if not (folder / f"{tag}-events.arrow").exists():
            history = generate(period)
            for name, frame in (("dossiers", history.dossiers), ("events", history.events)):
                draft = folder / f"{tag}-{name}.arrow.tmp"
                frame.write_ipc(draft)
                draft.replace(folder / f"{tag}-{name}.arrow")
    return read_histories(state)


def read_histories(state: Path) -> dict[str, History]:
    """The portal's reference and stock; nothing where it never started."""
    folder = directory(state, PORTAL)
    if not (folder / f"{TAGS[-1]}-events.arrow").exists():
        return {}
    return {
        tag: History(*(pl.read_ipc(folder / f"{tag}-{name}.arrow") for name in ("dossiers", "events"))) for tag in TAGS
    }


def open_reports(state: Path, origin: Origin) -> list[Raw]:
    """The 1022 system's reference and stock in the order of time, written at the first call."""

    def write() -> list[Raw]:
        events = reference_reports(origin.seed, origin.scale)
        return events + stock_reports(origin.seed, origin.scale, origin.year_start, origin.anchor)

    return open_history(state, FEEDBACK, write)


def read_reports(state: Path) -> list[Raw]:
    """The 1022 system's reference and stock; nothing where it never started."""
    return read_history(state, FEEDBACK)


def open_history(state: Path, system: str, write: Callable[[], Iterable[Raw]]) -> list[Raw]:
    """A system's history in the order in which it was written: by `write`, at the first call."""
    path = directory(state, system) / "history.jsonl"
    if path.exists():
        return read_history(state, system)
    events = list(write())
    replace_file(path, b"".join(orjson.dumps(event) + b"\n" for event in events))
    return events


def read_history(state: Path, system: str) -> list[Raw]:
    """A system's history; nothing where it never started."""
    path = directory(state, system) / "history.jsonl"
    if not path.exists():
        return []
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


def read_emitted(state: Path, system: str) -> list[Raw]:
    """History and live events of a system, all that was ever emitted."""
    return [*read_history(state, system), *(event.raw for event in read_live(state, system))]


class LiveLog:
    """The live events of one system, append-only. One writer; a reader may open the file at any time."""

    def __init__(self, state: Path, system: str) -> None:
        self._path = directory(state, system) / "live.jsonl"
        self._cut_torn_line()
        self._file = os.open(self._path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o644)

    def _cut_torn_line(self) -> None:
        if self._path.exists():
            content = self._path.read_bytes()
            whole = content.rfind(b"\n") + 1
            if whole < len(content):
                os.truncate(self._path, whole)

    def append(self, event: LiveEvent) -> None:
        """Returns when the operating system has the whole line: it survives the end of this process."""
        line = orjson.dumps(event) + b"\n"
        while line:
            line = line[os.write(self._file, line) :]

    def close(self) -> None:
        os.close(self._file)


def read_live(state: Path, system: str) -> Iterator[LiveEvent]:
    """All whole lines of the live log."""
    path = directory(state, system) / "live.jsonl"
    if not path.exists():
        return
    with path.open("rb") as handle:
        for line in handle:
            if line.endswith(b"\n"):
                yield LiveEvent(**orjson.loads(line))


def write_progress(state: Path, system: str, progress: dict[str, Any]) -> None:
    replace_file(directory(state, system) / "progress.json", json.dumps(progress).encode())


def read_progress(state: Path, system: str) -> dict[str, Any]:
    """The last progress written, or nothing."""
    path = directory(state, system) / "progress.json"
    return dict(orjson.loads(path.read_bytes())) if path.exists() else {}
