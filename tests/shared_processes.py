"""Processes that several test files share, which end with the last test that uses them and not with the session."""

from __future__ import annotations

import contextlib
from contextlib import AbstractContextManager
from typing import ClassVar, TypeVar

T = TypeVar("T")

SHARED = ("stack", "hub")
"""Fixtures of several processes, which keep a core busy even when nobody asks anything of them."""


class Shared:
    """By name of the fixture, what runs."""

    running: ClassVar[dict[str, contextlib.ExitStack]] = {}

    @classmethod
    def start(cls, name: str, processes: AbstractContextManager[T]) -> T:
        cls.running[name] = contextlib.ExitStack()
        return cls.running[name].enter_context(processes)

    @classmethod
    def end(cls, name: str | None) -> None:
        """Idempotent."""
        if name in cls.running:
            cls.running.pop(name).close()
