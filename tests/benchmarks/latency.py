"""From the append to Kafka until the rollup shows it, and how long a start and a hand-over take.

latency   20,000 and 10 events a second; from the broker's append of a batch until the answer to a question of the
          rollup has all events up to it (`asked`: until that question); beside it the bare block: what a turn's events
          take with nothing else running, at this hour
start     a worker's start to its first event processed; a killed worker's partitions until the other shows what was
          sent after the kill
"""

from __future__ import annotations

import asyncio
import signal
import statistics
import time
from pathlib import Path
from typing import Any

from schemas.codec import Decoder
from streams.records import Records
from tests.benchmarks import events, pace, topics
from tests.benchmarks.bare import Bare
from tests.benchmarks.case_work import SESSION_TIMEOUT
from tests.benchmarks.stand import Stand, Worker, stand

RATES = ((20_000, 20, 100, 500), (10, 30, 250, 250))
"""Events/s, seconds, and at most so many milliseconds for the median and the 99th of 100."""

WARM_UP_S = 4.0
"""Left out at first: the worker's first batches compile and fill caches."""

BARE_ROWS = 1_600
"""Events that arrive in a turn of 80 ms at the higher rate."""

BARE_BLOCKS = 40
"""Of which the first quarter is left out."""

HANDOVER_RATE = 1_000
HANDOVER_S = 22.0
KILL_AFTER_S = 6.0
HANDOVER_ALLOWED_S = 2.0
START_ALLOWED_S = 3.0
SEND_START_S = 120.0
"""For a sender to start and to make its events, on a busy machine."""


def _percentile(ordered: list[float], share: float) -> float:
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000, 1)


def _ready(ready: Stand) -> Worker:
    """A worker that has processed something."""
    worker = ready.start()
    before = ready.processed()
    asyncio.run(topics.write(ready.bootstrap, ready.contract.topic, _others(400)))
    ready.wait(lambda: ready.processed() - before >= 400, 60)
    return worker


def _others(count: int, start: int = 50_000_000) -> list[events.Message]:
    """Entities that no steady sender sends, and that no partition's mark counts."""
    return list(events.messages(range(start, start + count)))


def at_rate(bootstrap: str, url: str, folder: Path, rate: int, seconds: float) -> tuple[list[pace.Delay], float]:
    """How long each send took to be visible, and the events that were sent a second."""
    with stand(bootstrap, url, folder) as ready:
        _ready(ready)
        watch = pace.Watch(ready)
        file = folder / f"sent-{ready.name}.json"
        sender = pace.start(ready, rate, seconds + WARM_UP_S, file)
        try:
            watch.start()
            sent = pace.steps(sender, file, seconds + WARM_UP_S + SEND_START_S)
            total = sum({partition: count for partition, _, count in sent}.values())
            ready.wait(lambda: _marked(watch) >= total, 60)
        finally:
            watch.ended.set()
            watch.join()
            sender.kill()
            sender.wait()
        found = pace.delays(sent, watch.seen, sent[0][1] + WARM_UP_S)
        spent = max(at for _, at, _ in sent) - min(at for _, at, _ in sent)
        return found, total / spent


def bare_block_ms(bootstrap: str, url: str, folder: Path) -> float:
    """What a turn's events take by themselves: decoded and inserted as one block into the same tables and views, one
    block after the other. A machine shared with others takes twice as long at one hour as at another, and half of all
    events can be visible after one and a half of these at best: half a turn to wait, and one to take."""
    with stand(bootstrap, url, folder) as alone:
        bare, decoder, took = Bare(url, alone.name), Decoder(alone.contract, events.schema_text), []
        for number in range(BARE_BLOCKS):
            offsets = range(number * BARE_ROWS, (number + 1) * BARE_ROWS)
            keys, values = zip(*events.messages(offsets), strict=True)
            records = Records.of(offsets, [events.START_MS + offset for offset in offsets], keys, values)
            began = time.monotonic()
            bare.insert(decoder, 0, records)
            took.append(time.monotonic() - began)
        return round(statistics.median(took[BARE_BLOCKS // 4 :]) * 1000, 1)


def _marked(watch: pace.Watch) -> int:
    return sum({look.partition: look.count for look in watch.seen}.values())


def latency(bootstrap: str, url: str, folder: Path, repeats: int) -> dict[str, Any]:
    """The part `latency`."""
    figures: dict[str, Any] = {}
    for rate, seconds, p50_most, p99_most in RATES:
        runs, asked, bare, sent_a_second = [], [], [], []
        for repeat in range(repeats):
            bare.append(bare_block_ms(bootstrap, url, folder))
            found, sent = at_rate(bootstrap, url, folder, rate, seconds)
            answered = sorted(delay.answered for delay in found)
            runs.append((_percentile(answered, 0.5), _percentile(answered, 0.99)))
            asked.append(_percentile(sorted(delay.asked for delay in found), 0.5))
            sent_a_second.append(round(sent))
            print(
                f"  repeat {repeat + 1}: {sent:,.0f}/s: p50 {runs[-1][0]} ms (asked {asked[-1]}), "
                f"p99 {runs[-1][1]} ms, bare block {bare[-1]} ms",
                flush=True,
            )
        figures[f"at_{rate}_per_s"] = {
            "sent_per_s": sent_a_second,
            "p50_ms": [p50 for p50, _ in runs],
            "p99_ms": [p99 for _, p99 in runs],
            "asked_p50_ms": asked,
            "bare_block_ms": bare,
            "p50_ms_allowed": p50_most,
            "p99_ms_allowed": p99_most,
        }
    return figures


def start_to_first(bootstrap: str, url: str, folder: Path) -> tuple[float, float]:
    """Seconds from a worker's start to its first event: with nothing before it, and on existing state."""
    with stand(bootstrap, url, folder) as ready:
        asyncio.run(topics.write(bootstrap, ready.contract.topic, _others(4_000)))
        first = _first_event(ready)
        ready.wait(lambda: ready.processed() >= 4_000, 60)
        ready.workers[-1].process.send_signal(signal.SIGTERM)
        ready.workers[-1].process.wait(30)
        ready.workers.clear()
        asyncio.run(topics.write(bootstrap, ready.contract.topic, _others(4_000, 60_000_000)))
        return first, _first_event(ready)


def _first_event(ready: Stand) -> float:
    before = ready.processed()
    began = time.monotonic()
    ready.start()
    ready.wait(lambda: ready.processed() > before, 60)
    return time.monotonic() - began


def hand_over(bootstrap: str, url: str, folder: Path) -> float:
    """Seconds from a kill until what was sent just after it is visible, for the partition that waits longest."""
    with stand(bootstrap, url, folder) as ready:
        doomed = _ready(ready)
        other = ready.start()
        ready.wait(lambda: other.took_part(ready.contract.topic), 60)
        watch = pace.Watch(ready)
        file = folder / f"sent-{ready.name}.json"
        sender = pace.start(ready, HANDOVER_RATE, HANDOVER_S, file)
        try:
            watch.start()
            ready.wait(lambda: _marked(watch) > HANDOVER_RATE * KILL_AFTER_S, SEND_START_S)
            doomed.kill()
            killed = time.monotonic()
            sent = pace.steps(sender, file, HANDOVER_S + SEND_START_S)
            total = sum({partition: count for partition, _, count in sent}.values())
            ready.wait(lambda: _marked(watch) >= total, 60)
        finally:
            watch.ended.set()
            watch.join()
            sender.kill()
            sender.wait()
        found = pace.delays(sent, watch.seen, killed)
        first: dict[int, float] = {}
        for delay in found:
            first.setdefault(delay.partition, delay.at + delay.answered - killed)
        return max(first.values())


def start(bootstrap: str, url: str, folder: Path, repeats: int) -> dict[str, Any]:
    """The part `start`."""
    fresh, existing, handed = [], [], []
    for repeat in range(repeats):
        first, again = start_to_first(bootstrap, url, folder)
        fresh.append(first)
        existing.append(again)
        handed.append(hand_over(bootstrap, url, folder))
        print(
            f"  repeat {repeat + 1}: first event {first:.1f} s, on existing state {again:.1f} s, "
            f"hand-over {handed[-1]:.1f} s",
            flush=True,
        )
    return {
        "first_event_s": [round(seconds, 2) for seconds in fresh],
        "first_event_on_existing_state_s": [round(seconds, 2) for seconds in existing],
        "first_event_s_allowed": START_ALLOWED_S,
        "hand_over_s": [round(seconds, 2) for seconds in handed],
        "hand_over_s_allowed": SESSION_TIMEOUT.total_seconds() + HANDOVER_ALLOWED_S,
        "median_hand_over_s": round(statistics.median(handed), 2),
    }
