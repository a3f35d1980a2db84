"""Before a data directory is opened: tokens of blocks that never arrived are taken out of the de-duplication logs.

The engine notes a block's token before it renames the block's part into place. Killed in between, it would drop every
retry of that block as known, and its rows would be lost. So a token whose part is not there is dropped from the log by
a record of the engine's own kind. A part may have been merged: any part of its table partition that covers its block
numbers stands for it. That is only conclusive while nothing has been merged since the kill: call this before the
directory is opened, at every opening.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

log = structlog.get_logger()

LOGS = "deduplication_logs"

_ADD, _DROP = "1", "2"
_FILE = re.compile(r"^deduplication_log_(\d+)\.txt$")
_PART = re.compile(r"^(?P<partition>.+?)_(?P<first>\d+)_(?P<last>\d+)_(?P<level>\d+)(_\d+)?$")


@dataclass(frozen=True, slots=True)
class Part:
    """A table partition's blocks `first`–`last` in one folder."""

    partition: str
    first: int
    last: int
    level: int

    def covers(self, other: Part) -> bool:
        return (
            self.partition == other.partition
            and self.first <= other.first
            and other.last <= self.last
            and self.level >= other.level
        )


@dataclass(frozen=True, slots=True)
class Token:
    """`block` is what the engine makes of an insert's token; `part` the part it says it is in."""

    part: str
    block: str

    @property
    def drop(self) -> str:
        return f"{_DROP}\t{self.part}\t{self.block}\n"


@dataclass(frozen=True, slots=True)
class Scrubbed:
    """What was done in the directory of one table."""

    table: str
    dropped: tuple[Token, ...]
    torn: bool


def parse_part(name: str) -> Part | None:
    """A part by its folder's name; None for another folder, one that is still being written included."""
    match = _PART.match(name)
    if match is None or name.startswith(("tmp", "delete_tmp")):
        return None
    return Part(match["partition"], int(match["first"]), int(match["last"]), int(match["level"]))


def live_tokens(logs: Sequence[str]) -> list[Token]:
    """The tokens that the engine will remember: those added and not dropped, over the logs in order. Pure.

    A last line without its end was being written when the process died, and is left out.
    """
    live: dict[str, Token] = {}
    for text in logs:
        for line in text[: text.rfind("\n") + 1].splitlines():
            operation, _, rest = line.partition("\t")
            part, _, block = rest.partition("\t")
            if operation == _ADD and block:
                live[block] = Token(part, block)
            elif operation == _DROP:
                live.pop(block, None)
    return list(live.values())


def without_part(logs: Sequence[str], folders: Iterable[str]) -> list[Token]:
    """The live tokens whose part is not among a table's folders, in the order of the logs. Pure."""
    parts: dict[str, list[Part]] = {}
    for name in folders:
        part = parse_part(name)
        if part is not None:
            parts.setdefault(part.partition, []).append(part)
    out: list[Token] = []
    for token in live_tokens(logs):
        wanted = parse_part(token.part)
        if wanted is not None and not any(part.covers(wanted) for part in parts.get(wanted.partition, ())):
            out.append(token)
    return out


def scrub_table(table: Path) -> Scrubbed:
    """Scrub one table's directory. Idempotent; nothing may have the directory open."""
    numbered = {
        int(match.group(1)): path for path in (table / LOGS).iterdir() if (match := _FILE.match(path.name)) is not None
    }
    files = [numbered[number] for number in sorted(numbered)]
    if not files:
        return Scrubbed(table.name, (), torn=False)
    logs = [path.read_text(encoding="utf-8") for path in files]
    dropped = without_part(logs, [path.name for path in table.iterdir() if path.is_dir()])
    whole = logs[-1][: logs[-1].rfind("\n") + 1]
    torn = whole != logs[-1]
    if dropped or torn:
        with files[-1].open("r+b") as end:
            # Whatever is appended would run into a torn line.
            end.truncate(len(whole.encode()))
            end.seek(0, os.SEEK_END)
            end.write("".join(token.drop for token in dropped).encode())
            end.flush()
            os.fsync(end.fileno())
    return Scrubbed(table.name, tuple(dropped), torn)


def scrub(data: Path) -> list[Scrubbed]:
    """Scrub every table of a data directory before it is opened; those in which something was done. Blocks.

    A directory without tables is left as it is.
    """
    names = {path.resolve().name: f"{path.parent.name}.{path.name}" for path in data.glob("data/*/*")}
    done = [scrub_table(logs.parent) for logs in sorted(data.glob(f"store/*/*/{LOGS}"))]
    changed = [found for found in done if found.dropped or found.torn]
    for found in changed:
        log.warning(
            "deduplication_log_scrubbed",
            table=names.get(found.table, found.table),
            dropped=len(found.dropped),
            parts=[token.part for token in found.dropped[:10]],
            torn=found.torn,
        )
    return changed
