"""Events at a steady rate, each marked with its partition, so that a rollup tells how far each partition is visible.

`python -m tests.benchmarks.pace BOOTSTRAP TOPIC RATE SECONDS FILE BEGIN` makes the events first – or takes them from
the folder of FILE, where the first repeat leaves them – and then sends them; FILE gets one JSON list: [partition,
monotonic time of the append as the broker tells it, events sent to that partition by then].
The mark begins the unit's code, which is a dimension of every rollup.

Sender and watch share the machine's cores with what they measure, so they do little while it is measured: batches are
put together before the first is due (0.31 of a core when each was as it was sent); the watch looks when the rollup's
folder has got a new part, rather than every 15 ms, and asks by unit, as a board does, which the rollup's own sums by
unit answer. What is seen is a question's answer. It was visible to whoever asked at that moment, and is taken as
visible when the answer is there: both times are kept, and the later one is the measure.
"""

from __future__ import annotations

import asyncio
import json
import pickle
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import watchfiles
from aiokafka import AIOKafkaProducer
from aiokafka.partitioner import DefaultPartitioner
from aiokafka.producer.message_accumulator import BatchBuilder

from tests.benchmarks import events, topics
from tests.benchmarks.stand import Stand

TICK_S = 0.04
"""Between two sends to one partition at high rates: aiokafka has one request in flight, so more would queue up. At low
rates an event is sent when it is due."""

Step = tuple[int, float, int]
"""Partition, monotonic time (s), events of that partition up to then."""

NOTICED_MS = 2
"""Between two looks for what changed in a folder."""

UNNOTICED_S = 1.0
"""The longest time without a look."""

LOOKS = 10
"""At once, until what a new part holds is found: its name is there a moment before its rows are."""

BEHIND_S = 5.0
"""A sender that falls so far behind does not send at the rate that is to be measured."""

EVENTS_PUT_TOGETHER_A_S = 30_000
"""At least, on a slow machine: the first batch is due when all are put together."""

LOG_APPEND_TIME = 1
"""The type of a timestamp that the broker gave, in Kafka's protocol."""


class TooBusyError(Exception):
    """The rate cannot be held."""


class Look(NamedTuple):
    """What a question to the rollup found: events of a partition, and the monotonic times (s) around it."""

    partition: int
    asked: float
    answered: float
    count: int


def mark(partition: int) -> str:
    """What a unit's code begins with; other events' begin with 000."""
    return f"{1 + partition:03d}"


def prepared(count: int, begin: int, kept: Path) -> dict[int, list[events.Message]]:
    """So many new entities, by the partition of their key; those of an earlier call are taken from the file `kept`."""
    if kept.exists():
        loaded: dict[int, list[events.Message]] = pickle.loads(kept.read_bytes())
        return loaded
    partitioner, partitions = DefaultPartitioner(), list(range(events.PARTITIONS))
    found: dict[int, list[events.Message]] = {partition: [] for partition in partitions}
    for number in range(begin, begin + count):
        partition = partitioner(events.entity_key(number).encode(), partitions, partitions)
        unit = events.record(number)["org_code"].removeprefix("000")
        found[partition].append(events.message(number, org_code=mark(partition) + unit))
    kept.write_bytes(pickle.dumps(found))
    return found


@dataclass(frozen=True, slots=True)
class _Due:
    """A batch and the seconds from the first until it is to be sent."""

    seconds: float
    partition: int
    batch: BatchBuilder


def _put_together(
    producer: AIOKafkaProducer, waiting: dict[int, list[events.Message]], rate: float, seconds: float
) -> list[_Due]:
    """All batches, the partitions in turn."""
    a_tick = max(1, round(rate * TICK_S / events.PARTITIONS))
    sent = dict.fromkeys(waiting, 0)
    out: list[_Due] = []
    while (due := len(out) * a_tick / rate) < seconds:
        partition = len(out) % events.PARTITIONS
        batch = producer.create_batch()
        for key, value in waiting[partition][sent[partition] : sent[partition] + a_tick]:
            if batch.append(key=key, value=value, timestamp=None) is None:
                raise ValueError(f"{a_tick} events do not fit in a batch: the rate would not be held")
        batch.close()
        sent[partition] += batch.record_count()
        out.append(_Due(due, partition, batch))
    return out


class _Upto(NamedTuple):
    """A send: events of the partition with it, and by how much the wall clock was ahead of the monotonic one (s)."""

    partition: int
    count: int
    ahead: float

    def appended(self, acknowledged: Any) -> Step:
        if acknowledged.timestamp_type != LOG_APPEND_TIME:
            raise ValueError(f"{acknowledged.topic} has the senders' times, and the broker's are needed")
        return self.partition, acknowledged.timestamp / 1000 - self.ahead, self.count


async def send(bootstrap: str, topic: str, rate: float, seconds: float, folder: Path, begin: int) -> list[Step]:
    """Send entities from number `begin` on at the rate, the partitions in turn; gives what was appended when, by whole
    milliseconds that are over (the topic is one of `topics.BROKERS_TIME`).

    Raises `TooBusyError`.
    """
    count = round(rate * seconds * 1.05) + 100
    waiting = prepared(count, begin, folder / f"events-{begin}-{count}.pickle")
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", max_batch_size=topics.BATCH_BYTES)
    await producer.start()
    within = 1 + count / EVENTS_PUT_TOGETHER_A_S
    began = time.monotonic() + within
    batches = _put_together(producer, waiting, rate, seconds)
    sent = dict.fromkeys(waiting, 0)
    under_way = []
    for number, ready in enumerate(batches):
        due = began + ready.seconds
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        if time.monotonic() - due > BEHIND_S:
            raise TooBusyError(f"{BEHIND_S} s behind after {number} sends: too busy a machine for {rate:,.0f} events/s")
        sent[ready.partition] += ready.batch.record_count()
        upto = _Upto(ready.partition, sent[ready.partition], time.time() - time.monotonic())
        under_way.append((upto, await producer.send_batch(ready.batch, topic, partition=ready.partition)))
    steps = [upto.appended(await acknowledged) for upto, acknowledged in under_way]
    await producer.stop()
    return steps


class Watch(threading.Thread):
    """Looks at a rollup when it has got a part, and remembers when each partition's events were first seen."""

    def __init__(self, ready: Stand) -> None:
        super().__init__(daemon=True)
        self.seen: list[Look] = []
        self.ended = threading.Event()
        self._warehouse = ready.warehouse
        self._table = f"{ready.name}_by_received_at"

    def run(self) -> None:
        sql = f"SELECT data_paths[1] FROM system.tables WHERE database = currentDatabase() AND name = '{self._table}'"
        changes = watchfiles.watch(
            self._warehouse.rows(sql)[0][0],
            watch_filter=is_new_part,
            debounce=NOTICED_MS,
            step=NOTICED_MS,
            rust_timeout=round(UNNOTICED_S * 1000),
            yield_on_timeout=True,
            stop_event=self.ended,
            recursive=False,
            raise_interrupt=False,
        )
        for changed in changes:
            for _ in range(LOOKS if changed else 1):
                if self._look():
                    break

    def _look(self) -> bool:
        """Whether there is more than before."""
        asked = time.monotonic()
        found = self._warehouse.rows(f"SELECT org_code, sum(received) FROM {self._table} GROUP BY org_code")
        answered = time.monotonic()
        counts = {mark(partition): 0 for partition in range(events.PARTITIONS)}
        for code, count in found:
            if code[:3] in counts:
                counts[code[:3]] += int(count)
        before = sum(look.count for look in self.seen[-events.PARTITIONS :])
        self.seen += [Look(partition, asked, answered, count) for partition, count in enumerate(counts.values())]
        return sum(counts.values()) > before


def is_new_part(change: watchfiles.Change, path: str) -> bool:
    """Whether an insert has just put a part in its place: one that was merged has a level, the last number."""
    name = Path(path).name
    return change is watchfiles.Change.added and name.endswith("_0") and not name.startswith("tmp_")


class Delay(NamedTuple):
    """Of a send: when it was appended, and the seconds from then until the first question that has it was asked, and
    until its answer was there."""

    partition: int
    at: float
    asked: float
    answered: float


def delays(sent: list[Step], seen: list[Look], after: float) -> list[Delay]:
    """Of each send that was appended after a time: pure."""
    out = []
    for partition in {partition for partition, _, _ in sent}:
        looks = [look for look in seen if look.partition == partition]
        place = 0
        for at, count in [(at, count) for p, at, count in sent if p == partition]:
            while place < len(looks) and looks[place].count < count:
                place += 1
            if place == len(looks):
                raise AssertionError(f"events of partition {partition} never became visible")
            if at >= after:
                look = looks[place]
                out.append(Delay(partition, at, max(0.0, look.asked - at), max(0.0, look.answered - at)))
    return out


def start(ready: Stand, rate: float, seconds: float, file: Path, begin: int = 0) -> subprocess.Popen[bytes]:
    """A process that sends; its steps are in `file` when it has ended."""
    module = [sys.executable, "-m", "tests.benchmarks.pace", ready.bootstrap, ready.contract.topic]
    return subprocess.Popen([*module, str(rate), str(seconds), str(file), str(begin)])


def steps(sender: subprocess.Popen[bytes], file: Path, within_s: float) -> list[Step]:
    """What the sender sent, once it has ended; raises `TooBusyError` if it could not hold the rate."""
    if sender.wait(within_s):
        raise TooBusyError("the sender failed; see what it wrote above")
    loaded: list[Any] = json.loads(file.read_text(encoding="utf-8"))
    return [(int(partition), float(at), int(count)) for partition, at, count in loaded]


if __name__ == "__main__":
    bootstrap, topic, rate, seconds, file, begin = sys.argv[1:]
    told = asyncio.run(send(bootstrap, topic, float(rate), float(seconds), Path(file).parent, int(begin)))
    Path(file).write_text(json.dumps(told), encoding="utf-8")
