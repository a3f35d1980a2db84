"""Two monitors beside each other over a real Kafka: one evaluates and tells; when it is killed or frozen the other goes
on, and nothing is told twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from connectors.compacted import CompactedTopic
from hub.alerts.book import AlertBook
from hub.incident_book import IncidentBook
from tests.deadline import eventually
from tests.integration.test_compacted_topic import make_topic
from tests.stack import ROOT

MONITOR = ROOT / "tests" / "monitor_process.py"
ROUNDS = 10
"""Of the one that took over: twice as long as two evaluations and a gathering of deliveries would need."""


@contextmanager
def monitor(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, str(MONITOR), *arguments], env=environment) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("how", [signal.SIGKILL, pytest.param(signal.SIGSTOP, marks=pytest.mark.long)])
async def test_another_takes_over_and_nothing_is_told_twice(kafka: str, tmp_path: Path, how: signal.Signals) -> None:
    incidents, alerts, file = make_topic(kafka), make_topic(kafka), tmp_path / "lines"
    file.touch()

    def lines() -> list[tuple[int, str]]:
        """Who said what, in order."""
        return [(int(pid), word) for pid, word, *_ in map(str.split, file.read_text("utf-8").splitlines())]

    def said(word: str) -> list[int]:
        return [pid for pid, each in lines() if each == word]

    arguments = (kafka, incidents, alerts, f"monitors-{uuid.uuid4().hex}", str(file))
    deliveries = CompactedTopic(kafka, alerts, keep_values=False)
    told = AlertBook(deliveries)
    await deliveries.start()
    with ExitStack() as running:
        ours = {process.pid: process for process in (running.enter_context(monitor(*arguments)) for _ in range(2))}
        await eventually(lambda: len(said("told")) > 0, within_s=60)
        await eventually(lambda: {mark.outcome for mark in told.marks().values()} == {"sent"}, within_s=60)
        first = said("told")[0]
        (other,) = set(ours) - {first}
        ours[first].send_signal(how)
        since = len(said("goes-on"))
        await eventually(lambda: said("goes-on")[since:].count(other) >= ROUNDS, within_s=60)
        if how is signal.SIGSTOP:
            begun = len(lines())
            ours[first].send_signal(signal.SIGCONT)
            since = len(said("goes-on"))
            await eventually(lambda: len(said("goes-on")) - since >= ROUNDS, within_s=60)
            # The group may give it a turn again when it joins anew: it says so then.
            woken = [word for pid, word in lines()[begun:] if pid == first]
            before = woken[: woken.index("turn")] if "turn" in woken else woken
            assert before.count("goes-on") <= 1, "one that wakes up finds its turn over"
        assert said("told") == [first]
    await deliveries.stop()
    topic = CompactedTopic(kafka, incidents, keep_values=False)
    book = IncidentBook(topic)
    await topic.start()
    await topic.stop()
    assert [(one.dataset, one.state, one.ended) for one in book.all()] == [("d0", "source_down", None)]
