"""A notifier that is killed between sending and keeping it, over a real Kafka, SMTP server and HTTP receiver."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import orjson
import pytest

from connectors.compacted import CompactedTopic
from hub.alerts.book import AlertBook
from tests.integration.test_compacted_topic import make_topic
from tests.stack import ROOT
from tests.unit.test_alert_sending import receiver, smtp

NOTIFIER = ROOT / "tests" / "alert_process.py"


def run_notifier(kafka: str, topic: str, url: str, port: int, kill: str) -> int:
    """One process: it opens the alerts if there are none, and tells until all is told. `kill`: the channel after whose
    delivery it kills itself."""
    command = [sys.executable, str(NOTIFIER), kafka, topic, url, str(port), kill]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, env=environment, timeout=120, check=False).returncode


@pytest.mark.parametrize("kill", ["mail", "hook"])
async def test_a_kill_between_send_and_record_makes_no_second_alert(kafka: str, kill: str) -> None:
    topic = make_topic(kafka)
    with smtp() as (box, post), receiver() as there:
        assert run_notifier(kafka, topic, there.url, post.port, kill) == -signal.SIGKILL
        assert run_notifier(kafka, topic, there.url, post.port, "nothing") == 0
    ids = [one["Idempotency-Key"] for one in there.headers]
    assert len(box.mails) == 1
    assert len(set(ids)) == 1, "whoever drops what it has seen has it once"
    assert len(ids) == (2 if kill == "hook" else 1)
    assert [one["alert"] for one in orjson.loads(there.bodies[0])["alerts"]] == ["a"]
    followed = CompactedTopic(kafka, topic, keep_values=False)
    book = AlertBook(followed)
    await followed.start()
    await followed.stop()
    outcomes = {channel: mark.outcome for (_, _, channel), mark in book.marks().items()}
    assert outcomes == {"hook": "sent", "mail": "uncertain" if kill == "mail" else "sent"}
