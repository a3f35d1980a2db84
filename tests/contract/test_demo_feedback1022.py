"""The simulated 1022 system as a process: it pushes until it is accepted, and goes on after its end."""

from __future__ import annotations

import hashlib
import hmac
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import orjson
import pytest

from deploy.demo import emitted
from deploy.demo.ledger import FEEDBACK, read_live, read_progress
from tests.conftest import ROOT

KEY = "k" * 32
DEADLINE_S = 30
REFUSE_EVERY = 9
BAD = 5


class Receiver:
    """A webhook that checks signatures and is now and then away."""

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()
        self.arrivals: list[dict[str, Any]] = []
        self.nonces: Counter[str] = Counter()
        self.types: Counter[str] = Counter()
        self.faults: list[str] = []
        self.requests = 0
        self._lock = threading.Lock()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = receiver.take(dict(self.headers.items()), body)
                self.send_response(status)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self._thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/v1/ingest/feedback-1022"

    def take(self, headers: dict[str, str], body: bytes) -> int:
        names = {name.lower(): value for name, value in headers.items()}
        timestamp, nonce = names["x-ioc-timestamp"], names["x-ioc-nonce"]
        expected = hmac.new(KEY.encode(), f"{timestamp}.{nonce}.".encode() + body, hashlib.sha256).hexdigest()
        with self._lock:
            self.requests += 1
            self.nonces[nonce] += 1
            if names["x-ioc-signature"] != f"sha256={expected}" or abs(time.time() - int(timestamp)) > 60:
                self.faults.append(names["x-ioc-signature"])
            if self.requests % REFUSE_EVERY == 1:
                return 503
            self.types[names["content-type"]] += 1
            for record in self._records(names["content-type"], body):
                self.seen[record["id"]] += 1
                self.arrivals.append(record)
            return 202

    @staticmethod
    def _records(content_type: str, body: bytes) -> list[dict[str, Any]]:
        if content_type == "application/x-ndjson":
            return [orjson.loads(line) for line in body.splitlines()]
        parsed = orjson.loads(body)
        return parsed if isinstance(parsed, list) else [parsed]

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self._thread.join()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    running = Receiver()
    yield running
    running.close()


def _start(receiver: Receiver, state: Path, *arguments: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "deploy.demo.feedback1022", "--target", receiver.url, "--state", str(state)]
    command += ["--seed", "3", "--scale", "0.2", "--batch", "100", *arguments]
    environment = os.environ | {"IOC_SECRET_1022_KEY": KEY}
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _await_live(state: Path, count: int) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while len(list(read_live(state, FEEDBACK))) < count:
        assert time.monotonic() < deadline, "no live events"
        time.sleep(0.05)


def test_everything_is_accepted_in_batches_of_both_kinds_signed_anew_each_time(
    receiver: Receiver, tmp_path: Path
) -> None:
    assert _start(receiver, tmp_path, "--once").wait(DEADLINE_S) == 0
    ledger = emitted.feedback(tmp_path)
    assert len(receiver.seen) == ledger.height + BAD
    assert set(ledger["event_id"]) <= set(receiver.seen)
    assert set(receiver.types) == {"application/json", "application/x-ndjson"}
    assert set(receiver.nonces.values()) == {1}
    assert receiver.faults == []
    assert max(receiver.seen.values()) == 2
    progress = read_progress(tmp_path, FEEDBACK)
    assert progress["history_sent"] == progress["history_total"] == receiver.seen.total()
    assert progress["retries"] > 0


def test_each_event_is_sent_as_often_as_asked(receiver: Receiver, tmp_path: Path) -> None:
    assert _start(receiver, tmp_path, "--once", "--each", "3").wait(DEADLINE_S) == 0
    assert set(receiver.seen.values()) == {3, 4}


def test_after_kills_nothing_emitted_is_missing_and_the_history_is_not_sent_anew(
    receiver: Receiver, tmp_path: Path
) -> None:
    for stop in (40, 80):
        process = _start(receiver, tmp_path, "--live-rate", "200")
        _await_live(tmp_path, stop)
        process.kill()
        process.wait()
    assert _start(receiver, tmp_path, "--once").wait(DEADLINE_S) == 0
    ledger = emitted.feedback(tmp_path)
    assert set(ledger["event_id"]) <= set(receiver.seen)
    assert len(receiver.seen) == ledger.height + BAD
    live = [event.raw for event in read_live(tmp_path, FEEDBACK)]
    assert [record for record in receiver.arrivals if record in live]
    history = {name: count for name, count in receiver.seen.items() if not name.startswith("evt-l")}
    assert sum(history.values()) < 1.5 * len(history)


def test_a_normal_end_leaves_nothing_unsent_for_the_next_start(receiver: Receiver, tmp_path: Path) -> None:
    process = _start(receiver, tmp_path, "--live-rate", "100")
    _await_live(tmp_path, 50)
    process.terminate()
    assert process.wait(DEADLINE_S) == 0
    assert _start(receiver, tmp_path, "--once").wait(DEADLINE_S) == 0
    assert {event.raw["id"] for event in read_live(tmp_path, FEEDBACK)} <= set(receiver.seen)


def test_without_the_key_it_does_not_start(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "deploy.demo.feedback1022", "--target", "http://127.0.0.1:1", "--state"]
    environment = {name: value for name, value in os.environ.items() if name != "IOC_SECRET_1022_KEY"}
    ended = subprocess.run(
        [*command, str(tmp_path)], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=DEADLINE_S
    )
    assert ended.returncode == 2
    assert "IOC_SECRET_1022_KEY" in ended.stderr
