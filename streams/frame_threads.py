"""How many threads polars works on a frame with, in one process."""

from __future__ import annotations

import os

ONE = "1"
"""By itself it takes as many as there are cores. But a stream worker mostly has small frames, for which a second thread
is woken more than used, and while it computes one batch the warehouse inserts another. At 20,000 events/s half of them
were visible 3 to 14% earlier with one thread than with two, in each of three pairs, and the 99th of 100 a quarter; six
pairs of 1M events into the warehouse came out equal (149,600/s and 148,600), decoding and changes alone too. More cores
are used by more workers."""


def one_thread() -> None:
    """Before polars is imported; what somebody set by himself stays."""
    os.environ.setdefault("POLARS_MAX_THREADS", ONE)
