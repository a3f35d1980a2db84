"""A worker that must not live on ends, whatever still waits for an answer."""

from __future__ import annotations

import asyncio
import faulthandler
from typing import Any

ENDS_WITHIN_S = 10.0
"""For an orderly stop after a failure: leaving the group and ending the statements under way. A worker that was put
out of its group joins it anew by itself, and while it ends slowly its partitions stand still."""


def end_process_after(failed: asyncio.Future[Any]) -> None:
    """Once `failed` is done the process ends with status 1 within `ENDS_WITHIN_S`; where its threads stood is told on
    stderr then. For the process of a worker alone."""
    failed.add_done_callback(lambda _: faulthandler.dump_traceback_later(ENDS_WITHIN_S, exit=True))
