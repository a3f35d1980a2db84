"""Saved queries: a name, a statement, who saved it; each has an address that can be shared. One file in the state."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from hub.security.locked_file import Entries, LockedFile
from hub.sql.errors import TooManyQueriesError, UnknownQueryError

MAX_SAVED = 2_000
MAX_NAME = 200


@dataclass(frozen=True, slots=True)
class SavedQuery:
    """`id` is short and stays; `owner` is the credential that saved it."""

    id: str
    name: str
    query: str
    owner: str
    saved_at: str


class SavedQueries:
    """Reads and writes the file; several processes of one machine may."""

    def __init__(self, path: Path, clock: Callable[[], datetime]) -> None:
        self._file = LockedFile(path)
        self._clock = clock

    def all(self) -> tuple[SavedQuery, ...]:
        """The newest first."""
        return tuple(reversed([SavedQuery(**item) for item in self._file.read().values()]))

    def get(self, query_id: str) -> SavedQuery:
        """UnknownQueryError."""
        found = self._file.read().get(query_id)
        if found is None:
            raise UnknownQueryError(query_id)
        return SavedQuery(**found)

    def save(self, name: str, query: str, owner: str) -> SavedQuery:
        """A new one; TooManyQueriesError."""
        made = SavedQuery(secrets.token_hex(5), name, query, owner, self._clock().isoformat(timespec="seconds"))

        def add(entries: Entries) -> None:
            if len(entries) >= MAX_SAVED:
                raise TooManyQueriesError(str(MAX_SAVED))
            entries[made.id] = asdict(made)

        self._file.update(add)
        return made

    def delete(self, query_id: str) -> None:
        """UnknownQueryError."""

        def remove(entries: Entries) -> None:
            if entries.pop(query_id, None) is None:
                raise UnknownQueryError(query_id)

        self._file.update(remove)
