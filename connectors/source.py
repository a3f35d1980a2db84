"""The contract of a source kind that is read by us (pushed kinds are routes of the API instead)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from connectors.errors import SourceUnavailableError

Cursor = Mapping[str, Any]
"""A position at the source: JSON, opaque to all but the kind that made it."""


Report = Callable[[SourceUnavailableError], None]
"""Told of every retriable fault, before the source waits and asks again."""


@dataclass(frozen=True, slots=True)
class Page:
    """Raw records in the source's order, and the position that holds once all of them are acknowledged.

    `newest_ms`: the newest change time in the page, UTC epoch ms; None if it has none.
    """

    records: list[Any]
    cursor_after: Cursor
    newest_ms: int | None


class Source(Protocol):
    """Reads one system.

    At least once: the caller stores `cursor_after` after Kafka has acknowledged the page, and asks for the next
    page only then. So asking says that the page before is safe; a page after which nobody asked may be lost, and
    its records must be given again by the next `read`. A record may come twice; none may be left out.
    """

    @property
    def poll_interval_s(self) -> float:
        """How long to rest after a read that came to its end."""
        ...

    def read(self, cursor: Cursor | None) -> AsyncIterator[Page]:
        """Everything from `cursor` (None: the beginning) to the present, page by page, then end.

        May read one page ahead while the caller works; never more. Retriable faults are reported and tried again
        inside, for ever; SourceRefusedError and CredentialsError are raised (try rarely). After an error the
        caller reads again from its last position. Close the iterator when leaving it early; cancelling is safe.
        """
        ...

    async def close(self) -> None:
        """Let go of connections. Idempotent."""
        ...
