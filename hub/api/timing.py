"""Parts of a request's time for the Server-Timing header."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.requests import Request


@contextmanager
def timed(request: Request, name: str) -> Iterator[None]:
    """Add the duration of the block as `name`, in milliseconds."""
    begun = time.perf_counter()
    try:
        yield
    finally:
        timings: list[str] = getattr(request.state, "timings", [])
        timings.append(f"{name};dur={(time.perf_counter() - begun) * 1000:.1f}")
        request.state.timings = timings
