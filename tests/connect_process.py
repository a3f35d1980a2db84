"""A connect worker as a process of its own."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

from connectors.worker import Place
from tests.connect_world import worker_on
from tests.stack import ROOT


def start(bootstrap: str, portal_url: str, place: Place, name: str, log: Path) -> subprocess.Popen[bytes]:
    """Start one; its log is appended to `log`."""
    command = [
        sys.executable, "-m", "tests.connect_process",
        bootstrap, portal_url, place.prefix, f"{place.session_s}", str(place.partitions), name,
    ]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with log.open("ab") as output:
        return subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)


async def run(bootstrap: str, portal_url: str, prefix: str, session_s: str, partitions: str, name: str) -> None:
    place = Place(prefix, prefix, float(session_s), int(partitions))
    worker = worker_on(bootstrap, portal_url, place, name)
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    await worker.start()
    await ended.wait()
    await worker.stop()


if __name__ == "__main__":
    if "IOC_TEST_DEBUG" in os.environ:
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    asyncio.run(run(*sys.argv[1:]))
