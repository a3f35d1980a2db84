"""How a process is named in statuses and reports."""

from __future__ import annotations

import os
import socket


def worker_name() -> str:
    """Host and process."""
    return f"{socket.gethostname()}:{os.getpid()}"
