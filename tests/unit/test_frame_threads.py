"""One thread for frames, told before polars is imported, unless somebody told it another number."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize(("told", "threads"), [(None, 1), ("3", 3)])
def test_a_role_computes_frames_with_one_thread_unless_somebody_told_it_another_number(
    told: str | None, threads: int
) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "POLARS_MAX_THREADS"}
    program = "from streams.garbage import loading\nwith loading():\n import polars\nprint(polars.thread_pool_size())"
    found = subprocess.run(
        [sys.executable, "-c", program],
        env=environment if told is None else environment | {"POLARS_MAX_THREADS": told},
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert int(found.stdout) == threads
