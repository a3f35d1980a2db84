"""The contract of a source kind that is read by us (pushed kinds are routes of the API instead)."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from connectors.clock import Clock, utc_now
from connectors.errors import MappingError, SourceError, SourceUnavailableError, Text
from connectors.hosts import Hosts
from connectors.secrets import SecretResolver

Cursor = Mapping[str, Any]
"""A position at the source: JSON, opaque to all but the kind that made it."""


Report = Callable[[SourceUnavailableError], None]
"""Told of every retriable fault, before the source waits and asks again."""

FILE, ROW, REVISION, OP = "_file", "_row", "_revision", "_op"
"""Keys that sources add to raw records: file name, row or line number (from 1), the connector's own monotone number,
`UPSERT` or `DELETE` as found by comparison. A mapping may read them like fields of the source."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A raw record and why it does not fit."""

    raw: Any
    error: MappingError


@dataclass(frozen=True, slots=True)
class Page:
    """Raw records in the source's order (a list, or a `Table`), and the position that holds once all of them are
    acknowledged.

    `newest_ms`: the newest change time in the page, UTC epoch ms; None if it has none. `refused`: what the source
    itself could not read as a record, such as a broken line; it belongs into the quarantine. `outdated_ms`: the newest
    change time of all that the source has answered in this read so far, repeats too, if even that is before the time
    from which it was asked; None if it is not, or the source answered with nothing. `repeats`: how many it answered
    besides that were given before and are left out here.
    """

    records: Sequence[Any]
    cursor_after: Cursor
    newest_ms: int | None
    refused: list[Refusal] = field(default_factory=list)
    outdated_ms: int | None = None
    repeats: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a check: what was tried (`name` is stable), how long it took, what was found or went wrong."""

    name: str
    label: Text
    took_s: float
    found: Text | None = None
    error: SourceError | None = None


@dataclass(frozen=True, slots=True)
class Preview:
    """Some raw records as the source has them now."""

    records: list[Any]
    refused: list[Refusal] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a source may use of the process it runs in.

    `folders`: directories of this machine that may be read; an upload of connector `c` waits in `<folder>/c`.
    """

    secrets: SecretResolver
    report: Report = lambda error: None
    hosts: Hosts = field(default_factory=Hosts)
    folders: tuple[Path, ...] = ()
    now: Clock = utc_now


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

    def check(self) -> AsyncIterator[Step]:
        """Whether the source can be read, step by step and only by reading; ends after the first step that fails.

        Each thing is tried once, with no retry. Nothing is consumed and no position moves.
        """
        ...

    async def preview(self, count: int) -> Preview:
        """At most `count` records as they are now. Consumes nothing, moves nothing, tries once.

        Raises a SourceError.
        """
        ...

    async def close(self) -> None:
        """Let go of connections, within a second. Idempotent."""
        ...


@dataclass(frozen=True, slots=True)
class Check:
    """A step to come: `run` gives what was found, or raises a SourceError."""

    name: str
    label: Text
    run: Callable[[], Awaitable[Text | None]]


async def run_checks(*checks: Check) -> AsyncIterator[Step]:
    """The steps in order, each timed, up to the first that fails."""
    for check in checks:
        begun = time.monotonic()
        try:
            found = await check.run()
        except SourceError as error:
            yield Step(check.name, check.label, time.monotonic() - begun, error=error)
            return
        yield Step(check.name, check.label, time.monotonic() - begun, found)
