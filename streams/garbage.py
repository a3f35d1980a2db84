"""Memory that is not used any more, in a process that works in large batches: Python's collector of cycles, and what
the allocators of C, polars and pyarrow keep for later."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
from collections.abc import Iterator

from streams.frame_threads import one_thread

THRESHOLDS = (100_000, 50, 100)
"""It looks for cycles after so many new objects; a batch is tens of thousands of objects without any, and the default
(700) took 40% of the fetching thread's time, a third of that of a process that maps records, and half of that of a
refusal by the registry that lists ten thousand fields."""


LARGE_BLOCK = 1 << 20
"""Bytes from which a block of C's allocator is the system's again once it is freed. Left alone, the allocator raises
this to 32 MB with the first large blocks, and a worker on a backlog kept 100 MB in holes."""

_MMAP_THRESHOLD = -3
"""M_MMAP_THRESHOLD of glibc's mallopt."""

FRAMES_KEPT = "narenas:2,background_thread:true,dirty_decay_ms:100,muzzy_decay_ms:0"
"""For how long polars' allocator keeps freed pages: by itself 500 ms, a second more as pages that still count as
resident, and for ever in arenas that their threads do not use again. With half its batches and a sixth of what waits, a
worker on a backlog of dossiers took 507 instead of 609 MiB, and as long."""


_FRAMES = "_RJEM_MALLOC_CONF"

POLARS_OWN = "dirty_decay_ms:500,muzzy_decay_ms:1000"
"""What polars puts before it, and leaves in the environment of every process that its own starts."""

_C = ctypes.CDLL(None)
"""glibc, where there is `mallopt` and `malloc_trim`; others have no such holes to speak of."""


def give_back() -> None:
    """Let the allocators return what is freed. Before polars and pyarrow are imported; what somebody set by himself
    stays."""
    os.environ[_FRAMES] = os.environ.get(_FRAMES, "").removeprefix(POLARS_OWN).removeprefix(",") or FRAMES_KEPT
    # C's allocator; pyarrow's own keeps what was freed: 613 instead of 517 MiB on that backlog.
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    if "MALLOC_MMAP_THRESHOLD_" not in os.environ:
        mallopt = getattr(_C, "mallopt", None)
        if mallopt is not None:
            mallopt(_MMAP_THRESHOLD, LARGE_BLOCK)


def trim() -> None:
    """Return what lies free between blocks that are used, of C's allocator. Takes 1 to 16 ms, and others that want
    memory wait meanwhile. What waited on a worker without a warehouse was read in small pieces and left 40 MB in
    holes."""
    malloc_trim = getattr(_C, "malloc_trim", None)
    if malloc_trim is not None:
        malloc_trim(0)


def collect_seldom() -> None:
    """For the whole process, once what stays is loaded: it is not looked at again."""
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)


@contextlib.contextmanager
def loading() -> Iterator[None]:
    """Import and make within this what stays: 250,000 objects of a stream worker, that would be looked through again
    and again meanwhile. To import them took 2.4 s instead of 2.8 (four interleaved pairs). Ends in `collect_seldom`."""
    give_back()
    one_thread()
    gc.disable()
    try:
        yield
    finally:
        collect_seldom()
        gc.enable()
