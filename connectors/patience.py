"""Asking again, for ever, what is only away for now: with growing, jittered waits, and each fault reported."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import stamina

from connectors.errors import SourceUnavailableError
from connectors.source import Report

BACK_OFF_FIRST_S, BACK_OFF_MOST_S, BACK_OFF_JITTER_S = 0.25, 30.0, 0.5
"""Waits between attempts double from the first to the most; jitter keeps connectors from knocking together."""
RETRY_AFTER_MOST_S = 600.0
"""A source may not send us to sleep for longer."""

Answer = TypeVar("Answer")


async def patiently(attempt: Callable[[], Awaitable[Answer]], report: Report) -> Answer:
    """The first answer that is no SourceUnavailableError; other errors are raised. Cancelling is safe."""

    def again(error: Exception) -> bool | float:
        if not isinstance(error, SourceUnavailableError):
            return False
        report(error)
        return True if error.retry_after_s is None else min(error.retry_after_s, RETRY_AFTER_MOST_S)

    async for one in stamina.retry_context(
        on=again,
        attempts=None,
        timeout=None,
        wait_initial=BACK_OFF_FIRST_S,
        wait_max=BACK_OFF_MOST_S,
        wait_jitter=BACK_OFF_JITTER_S,
    ):
        with one:
            return await attempt()
    raise AssertionError("unreachable")
