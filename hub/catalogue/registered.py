"""The versions of contracts that the registry holds, read over its HTTP interface only."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from schemas.errors import RegistryError

LIST_TTL = timedelta(seconds=5)
"""How old a list of versions may be; a version's text never changes."""


@dataclass(frozen=True, slots=True)
class Registered:
    """One version of a subject."""

    version: int
    schema_id: int
    text: str


class History(Protocol):
    """What is asked of a registry; both block and raise RegistryError."""

    def versions(self, subject: str) -> list[int]:
        """Numbers of the live versions, oldest first; empty if there is no such subject."""

    def version(self, subject: str, number: int) -> tuple[int, str]:
        """(id, schema text) of one version."""


class Versions:
    """Remembers what a registry said. `of` blocks; thread-safe; never raises: None while the registry is away."""

    def __init__(self, registry: History, clock: Callable[[], datetime]) -> None:
        self._registry = registry
        self._clock = clock
        self._lock = threading.Lock()
        self._lists: dict[str, tuple[datetime, tuple[Registered, ...] | None]] = {}
        self._texts: dict[tuple[str, int], Registered] = {}

    def of(self, subject: str) -> tuple[Registered, ...] | None:
        """All versions, oldest first; empty if none is registered; None if the registry does not tell."""
        with self._lock:
            known = self._lists.get(subject)
            if known is not None and self._clock() - known[0] < LIST_TTL:
                return known[1]
            try:
                found = tuple(self._one(subject, number) for number in self._registry.versions(subject))
            except RegistryError:
                self._lists[subject] = (self._clock(), None)
                return None
            self._lists[subject] = (self._clock(), found)
            return found

    def _one(self, subject: str, number: int) -> Registered:
        if (subject, number) not in self._texts:
            schema_id, text = self._registry.version(subject, number)
            self._texts[subject, number] = Registered(number, schema_id, text)
        return self._texts[subject, number]
