"""Uploaded files that wait for a person's word, and the connectors' inbox they go to then."""

from __future__ import annotations

import re
import secrets
import time
import unicodedata
from dataclasses import dataclass
from pathlib import Path

PENDING = ".pending"
"""Below the inbox; hidden, so that no connector reads it."""
KEPT_S = 24 * 3600.0
_TOKEN = re.compile(r"[0-9a-f]{32}").fullmatch
_BAD = re.compile(r"[^\w.\- ]+")


@dataclass(frozen=True, slots=True)
class Pending:
    """A file that was looked at: `token` names it, `name` as the person's machine does."""

    token: str
    name: str
    path: Path


class Uploads:
    """Files of one machine. `inbox` holds a directory per connector. Calls block."""

    def __init__(self, inbox: Path) -> None:
        self._inbox = inbox

    def keep(self, connector: str, name: str, data: bytes) -> Pending:
        """Put a file aside; those that nobody came back for within a day are removed."""
        directory = self._directory(connector)
        directory.mkdir(parents=True, exist_ok=True)
        for old in directory.iterdir():
            if old.stat().st_mtime < time.time() - KEPT_S:
                old.unlink(missing_ok=True)
        token, shown = secrets.token_hex(16), safe_name(name)
        path = directory / f"{token}-{shown}"
        path.write_bytes(data)
        return Pending(token, shown, path)

    def find(self, connector: str, token: str) -> Pending | None:
        """The file of a token, None if there is none any more."""
        if not _TOKEN(token):
            return None
        for path in self._directory(connector).glob(f"{token}-*"):
            return Pending(token, path.name.partition("-")[2], path)
        return None

    def take(self, connector: str, pending: Pending) -> str:
        """Give it to the connector, whole at once; its name there. A name that exists already gets a number."""
        directory = self._inbox / connector
        directory.mkdir(exist_ok=True)
        target, number = directory / pending.name, 1
        while target.exists():
            number += 1
            target = directory / f"{Path(pending.name).stem}-{number}{Path(pending.name).suffix}"
        pending.path.replace(target)
        return target.name

    def _directory(self, connector: str) -> Path:
        return self._inbox / PENDING / connector


def safe_name(name: str) -> str:
    """A file's name that is one: no directories, nothing hidden, at most 120 characters."""
    last = unicodedata.normalize("NFC", name).replace("\\", "/").rpartition("/")[2]
    cleaned = _BAD.sub("_", last).strip(" .")
    stem, dot, suffix = cleaned.rpartition(".")
    return f"{(stem or suffix)[:100]}{dot}{suffix[:16]}" if stem else (cleaned[:100] or "tep")
