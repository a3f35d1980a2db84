"""A registry as a process of its own, to be killed: `… -m tests.registry_instance BOOTSTRAP TOPIC PORT SESSION_S`."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field

import httpx2

from tests.stack import ROOT, free_port

READY_S = 60.0


@dataclass
class Instance:
    """One process at its own port; may be killed and started again."""

    bootstrap: str
    topic: str
    session_s: float
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        arguments = [self.bootstrap, self.topic, str(self.port), str(self.session_s)]
        command = [sys.executable, "-m", "tests.registry_instance", *arguments]
        self.process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)

    def wait_ready(self) -> None:
        deadline = time.monotonic() + READY_S
        while not self.answers("/readyz"):
            assert time.monotonic() < deadline, f"{self.url} did not become ready"
            time.sleep(0.02)

    def answers(self, path: str) -> bool:
        with suppress(httpx2.HTTPError):
            return httpx2.get(self.url + path, timeout=2).status_code == 200
        return False

    def send(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)

    def epoch(self) -> int:
        """The epoch it writes with, -1 if it does not or does not answer."""
        with suppress(httpx2.HTTPError):
            for line in httpx2.get(f"{self.url}/metrics", timeout=2).text.splitlines():
                if line.startswith("ioc_registry_epoch "):
                    return int(float(line.split()[1]))
        return -1


def leader_of(instances: Iterable[Instance], within_s: float = 30.0) -> Instance:
    """The one that writes."""
    deadline = time.monotonic() + within_s
    while True:
        epoch, leader = max(((each.epoch(), each) for each in instances), key=lambda pair: pair[0])
        if epoch >= 0:
            return leader
        assert time.monotonic() < deadline, "nobody took the turn"
        time.sleep(0.02)


def record(*names: str) -> str:
    """A schema with these fields."""
    fields = [{"name": name, "type": "string", "default": ""} for name in names]
    return json.dumps({"type": "record", "name": "R", "fields": fields})


def main() -> None:
    from hub.registry.app import create_app
    from hub.registry.log import KafkaLog
    from hub.serving import Listener, serve

    bootstrap, topic, port, session_s = sys.argv[1:]
    log = KafkaLog(bootstrap, topic, f"http://127.0.0.1:{port}", float(session_s))
    serve([Listener(create_app(log), "127.0.0.1", int(port))])


if __name__ == "__main__":
    main()
