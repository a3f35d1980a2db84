"""Python's collector of cycles, set for a process that works in large batches."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator

THRESHOLDS = (100_000, 50, 100)
"""It looks for cycles after so many new objects; a batch is tens of thousands of objects without any, and the default
(700) took 40% of the fetching thread's time, a third of that of a process that maps records, and half of that of a
refusal by the registry that lists ten thousand fields."""


def collect_seldom() -> None:
    """For the whole process, once what stays is loaded: it is not looked at again."""
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)


@contextlib.contextmanager
def loading() -> Iterator[None]:
    """Import and make within this what stays: 250,000 objects of a stream worker, that would be looked through again
    and again meanwhile. To import them took 2.4 s instead of 2.8 (four interleaved pairs). Ends in `collect_seldom`."""
    gc.disable()
    try:
        yield
    finally:
        collect_seldom()
        gc.enable()
