"""The simulated 1022 system: pushes each change as a signed webhook until it is accepted.

`python -m deploy.demo.feedback1022 --target URL --state DIR`; IOC_SECRET_1022_KEY holds the key. The history goes
out in batches (arrays and NDJSON in turn), shuffled within minutes and some of it twice; live events go out one by
one, now and then late or twice. SIGUSR1 pauses the live events, SIGUSR2 resumes.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import random
import signal
import sys
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from deploy.demo import bad
from deploy.demo.delivery import JSON, NDJSON, Sender
from deploy.demo.ledger import (
    FEEDBACK,
    DemoError,
    LiveLog,
    Raw,
    open_origin,
    open_reports,
    read_live,
    read_progress,
    write_progress,
)
from deploy.demo.live import Performance
from deploy.demo.live_reports import report_cases
from deploy.demo.pulse import Pulse
from deploy.demo.volumes import per_second

DEFAULT_SEED = 2022
TWICE_SHARE = 0.03
"""Events sent a second time though they were accepted."""
LATE_SHARE = 0.08
"""Live events held back until the next one has gone out."""
PROGRESS_EVERY_S = 0.5


def sending_order(events: Sequence[Raw], each: int, shuffle_s: float, seed: int) -> list[int]:
    """Numbers of events in the order of sending: each `each` times and some once more, within `shuffle_s`."""
    rng = random.Random(f"{seed}:order")
    places: list[tuple[float, int]] = []
    for number, event in enumerate(events):
        try:
            moment = datetime.fromisoformat(event["cap_nhat_luc"]).timestamp()
        except ValueError:
            moment = float(bad.MOMENT)
        copies = each + (rng.random() < TWICE_SHARE)
        places += [(moment + rng.uniform(0, shuffle_s), number) for _ in range(copies)]
    return [number for _, number in sorted(places)]


def encode_batch(events: Sequence[Raw], as_lines: bool) -> tuple[bytes, str]:
    if as_lines:
        return b"".join(orjson.dumps(event) + b"\n" for event in events), NDJSON
    return orjson.dumps(list(events)), JSON


class Acknowledged:
    """Which live events were accepted; `upto`: all before it were, so a restart begins there."""

    def __init__(self, upto: int) -> None:
        self.upto = upto
        self._beyond: set[int] = set()

    def add(self, number: int) -> None:
        self._beyond.add(number)
        while self.upto in self._beyond:
            self._beyond.discard(self.upto)
            self.upto += 1


class System1022:
    """The pusher. Progress survives its end: what was not accepted for sure is sent again."""

    def __init__(self, options: argparse.Namespace, key: str) -> None:
        self._options = options
        self._state: Path = options.state
        origin = open_origin(self._state, FEEDBACK, options.seed, options.scale, int(time.time()))
        history = open_reports(self._state, origin)
        self._events = history + [record.raw for record in bad.feedback_records()]
        self._order = sending_order(self._events, options.each, options.shuffle_minutes * 60, origin.seed)
        plan = [options.each, options.shuffle_minutes, len(self._order)]
        progress = read_progress(self._state, FEEDBACK)
        self._plan = plan
        self._sent = int(progress.get("history_sent", 0)) if progress.get("plan") == plan else 0
        past = list(read_live(self._state, FEEDBACK))
        self._acknowledged = Acknowledged(min(int(progress.get("live_accepted", 0)), len(past)))
        self._log = LiveLog(self._state, FEEDBACK)
        self._performance = Performance(self._log, origin.seed, report_cases(origin.seed, history), past)
        self._sender = Sender(options.target, key)
        self._queue: asyncio.Queue[tuple[int, Raw]] = asyncio.Queue()
        for number, event in enumerate(past[self._acknowledged.upto :], start=self._acknowledged.upto):
            self._queue.put_nowait((number, event.raw))
        self._held: tuple[int, Raw] | None = None
        self._rng = random.Random(f"{origin.seed}:{len(past)}:live order")
        rate = options.live_rate if options.speed is None else per_second(FEEDBACK, options.speed)
        self._pulse = Pulse(rate, self._emit)
        self._written_at = 0.0

    def _emit(self) -> None:
        number = self._performance.turns
        event = self._performance.emit(int(time.time()))
        if self._held is None and self._rng.random() < LATE_SHARE:
            self._held = (number, event.raw)
            return
        self._queue.put_nowait((number, event.raw))
        self._release()

    def _release(self) -> None:
        if self._held is not None:
            self._queue.put_nowait(self._held)
            self._held = None

    def pause(self) -> None:
        self._pulse.pause()
        self._release()

    def resume(self) -> None:
        self._pulse.resume()

    def _note_progress(self, at_once: bool = False) -> None:
        now = time.monotonic()
        if not at_once and now - self._written_at < PROGRESS_EVERY_S:
            return
        self._written_at = now
        progress: dict[str, Any] = {
            "plan": self._plan,
            "history_sent": self._sent,
            "history_total": len(self._order),
            "live_emitted": self._performance.turns,
            "live_accepted": self._acknowledged.upto,
            "deliveries": self._sender.deliveries,
            "retries": self._sender.retries,
            "last_problem": self._sender.last_problem,
        }
        write_progress(self._state, FEEDBACK, progress)

    async def _send_history(self) -> None:
        size = self._options.batch
        while self._sent < len(self._order):
            numbers = self._order[self._sent : self._sent + size]
            body, content_type = encode_batch([self._events[n] for n in numbers], self._sent // size % 2 == 1)
            await self._sender.deliver(body, content_type)
            self._sent += len(numbers)
            self._note_progress(at_once=True)

    async def _send_live(self) -> None:
        while True:
            number, raw = await self._queue.get()
            copies = self._options.each + (self._rng.random() < TWICE_SHARE)
            for _ in range(copies):
                await self._sender.deliver(orjson.dumps(raw), JSON)
            self._acknowledged.add(number)
            self._queue.task_done()
            self._note_progress()

    async def _note_regularly(self) -> None:
        """The last acceptances before a silence are written too."""
        while True:
            await asyncio.sleep(PROGRESS_EVERY_S)
            self._note_progress()

    async def run(self) -> None:
        """Until cancelled; with --once until everything emitted so far is accepted."""
        self._note_progress(at_once=True)
        tasks: list[asyncio.Task[None]] = []
        try:
            await self._send_history()
            tasks = [asyncio.create_task(self._send_live()) for _ in range(self._options.connections)]
            if self._options.once:
                await self._queue.join()
            else:
                await asyncio.gather(self._pulse.run(), self._note_regularly(), *tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._sender.close()
            self._note_progress(at_once=True)
            self._log.close()


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m deploy.demo.feedback1022", description=__doc__)
    parser.add_argument("--target", required=True, help="URL of the webhook, …/v1/ingest/feedback-1022")
    parser.add_argument("--state", type=Path, required=True, help="where the ledger is kept")
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED)
    parser.add_argument("--scale", type=float, default=1.0, help="size of the history, 1 = 493 reports received")
    parser.add_argument("--live-rate", type=float, default=1.0, help="live events a second, 0 = none")
    parser.add_argument("--speed", type=float, help="instead: so many times as fast as a real day")
    parser.add_argument("--each", type=int, default=1, help="send each event so many times")
    parser.add_argument("--shuffle-minutes", type=float, default=10.0, help="how far the history is out of order")
    parser.add_argument("--batch", type=int, default=500, help="events in one body of the history")
    parser.add_argument("--connections", type=int, default=2, help="live bodies under way at once")
    parser.add_argument("--once", action="store_true", help="end when everything so far is accepted; no live events")
    return parser.parse_args(arguments)


async def serve(system: System1022) -> None:
    """Run until done, or until SIGINT or SIGTERM."""
    task = asyncio.create_task(system.run())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    loop.add_signal_handler(signal.SIGUSR1, system.pause)
    loop.add_signal_handler(signal.SIGUSR2, system.resume)
    await asyncio.gather(task, return_exceptions=True)
    if not task.cancelled() and (error := task.exception()):
        raise error


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    key = os.environ.get("IOC_SECRET_1022_KEY", "")
    if not key:
        print("the environment variable IOC_SECRET_1022_KEY is missing: it signs the webhooks", file=sys.stderr)
        return 2
    try:
        system = System1022(options, key)
    except DemoError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"feedback-1022: → {options.target}", flush=True)
    asyncio.run(serve(system))
    return 0


if __name__ == "__main__":
    sys.exit(main())
