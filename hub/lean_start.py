"""A process starts without the garbage collector: of what is imported nothing becomes garbage, and all of it stays."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def lean_start() -> Iterator[None]:
    """Import and make within this what lives as long as the process.

    The collector would look through half a million new objects again and again (importing the stream worker took
    2.4 s instead of 2.8), and later through the same ones at every full collection: they are set aside for good.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
