"""Updates of known entities, and how speed and memory follow their number.

updates   one worker reads new entities, then two revisions of each of them, all in its cache; and updates of random
          entities out of many that were known before it started, mostly not in its cache
entities  new entities while 1M and 10M others are known; the worker's resident memory

Entities known beforehand are written into `<entity>_current` by SQL (`seeding`). The events are on the topic before the
worker starts, which no writer then shares the processors with, and the rate is taken from when it has loaded the known
keys.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.benchmarks import events, seeding, topics
from tests.benchmarks.stand import Stand, Worker, rate_between, stand

RUN_S = 300
STRIDE = 7_368_787
"""A prime: steps of it visit all of the known entities in no order."""


def median(rates: list[float]) -> int:
    return round(statistics.median(rates))


def _write(ready: Stand, messages: Iterable[events.Message]) -> int:
    return asyncio.run(topics.write(ready.bootstrap, ready.contract.topic, messages))


def _loaded_worker(ready: Stand) -> Worker:
    """A worker that has just loaded the keys known before it: while it did, it looked every key up. Without an audit,
    which would find that the states have no changes, and look at each of them closely all the time."""
    worker = ready.start(audit=False)
    ready.wait(lambda: worker.loaded_s(ready.contract.topic) is not None, RUN_S)
    return worker


def _middle(told: list[tuple[float, int]], start: int, end: int) -> float:
    """The rate between a tenth and nine tenths of the way from one count to another."""
    tenth = (end - start) // 10
    return rate_between(told, start + tenth, end - tenth)


def _expect_retractions(ready: Stand, wanted: int) -> None:
    """Each update must have taken back the state before it, or what was measured was something else."""
    found = ready.number("SELECT count() FROM $_changes WHERE kind = 'retracted'")
    if found != wanted:
        raise AssertionError(f"{found} states were taken back, not {wanted}")


def cached_updates(bootstrap: str, url: str, folder: Path, entities: int) -> tuple[float, float]:
    """Rates of new entities and of updates of them, by one worker that remembers all."""
    with stand(bootstrap, url, folder) as ready:
        for revision in (1, 2, 3):
            _write(ready, events.messages(range(entities), revision))
        ready.start(cached_states=2 * entities)  # partitions are not updated in step: room for another round
        told = ready.timeline(3 * entities, RUN_S)
        _expect_retractions(ready, 2 * entities)
        return _middle(told, 0, entities), _middle(told, entities, 3 * entities)


def random_updates(bootstrap: str, url: str, folder: Path, known: int, count: int) -> float:
    """Rate of updates of random ones out of `known` entities, with the default cache."""
    with stand(bootstrap, url, folder) as ready:
        seeding.seed_current(ready, known)
        messages = [events.message(step * STRIDE % known, 2) for step in range(count)]
        _write(ready, messages)
        _loaded_worker(ready)
        told = ready.timeline(count, RUN_S)
        _expect_retractions(ready, count)
        return _middle(told, told[0][1], count)


def updates(
    bootstrap: str, url: str, folder: Path, repeats: int, entities: int, known: int, random_count: int
) -> dict[str, Any]:
    """The part `updates`."""
    inserted, updated, at_random = [], [], []
    for repeat in range(repeats):
        new, again = cached_updates(bootstrap, url, folder, entities)
        inserted.append(new)
        updated.append(again)
        at_random.append(random_updates(bootstrap, url, folder, known, random_count))
        print(
            f"  repeat {repeat + 1}: new {new:,.0f}/s, updates in cache {again:,.0f}/s, random of {known:,} "
            f"{at_random[-1]:,.0f}/s",
            flush=True,
        )
    return {
        "new_per_s": [round(rate) for rate in inserted],
        "cached_updates_per_s": [round(rate) for rate in updated],
        "random_updates_per_s": [round(rate) for rate in at_random],
        "known": known,
        "cached_share": _share(updated, inserted),
        "cached_share_wanted": 0.45,
        "random_share": _share(at_random, inserted),
        "random_share_wanted": 0.20,
    }


def _share(some: list[float], of: list[float]) -> float:
    return round(statistics.median(a / b for a, b in zip(some, of, strict=True)), 3)


def new_beside_known(bootstrap: str, url: str, folder: Path, known: int, count: int) -> tuple[float, float, float]:
    """Rate of new entities beside so many known ones, the worker's resident memory (MiB) at its most, and the
    seconds it took to load the known keys."""
    with stand(bootstrap, url, folder) as ready:
        seeding.seed_current(ready, known)
        messages = list(events.messages(range(known, known + count)))
        _write(ready, messages)
        worker = _loaded_worker(ready)
        memory = [_memory(worker)]
        told: list[tuple[float, int]] = []

        def looked() -> bool:
            told.append((time.monotonic(), ready.processed()))
            memory.append(_memory(worker))
            return told[-1][1] >= count

        ready.wait(looked, RUN_S)
        return _middle(told, told[0][1], count), max(memory), worker.loaded_s(ready.contract.topic) or 0.0


def _memory(worker: Worker) -> float:
    return worker.rss_mib() if worker.process.poll() is None else 0.0


def entities(bootstrap: str, url: str, folder: Path, repeats: int, few: int, many: int, count: int) -> dict[str, Any]:
    """The part `entities`."""
    rates: dict[int, list[float]] = {few: [], many: []}
    memory: dict[int, list[float]] = {few: [], many: []}
    seconds: dict[int, list[float]] = {few: [], many: []}
    for repeat in range(repeats):
        for known in (few, many):
            rate, mib, loading = new_beside_known(bootstrap, url, folder, known, count)
            rates[known].append(rate)
            memory[known].append(mib)
            seconds[known].append(loading)
            print(
                f"  repeat {repeat + 1}: {known:,} known: new {rate:,.0f}/s, {mib:,.0f} MiB, loaded in {loading} s",
                flush=True,
            )
    return {
        "new_per_s": {str(known): [round(rate) for rate in found] for known, found in rates.items()},
        "kept_share": _share(rates[many], rates[few]),
        "kept_share_wanted": 0.8,
        "keys_loaded_s": {str(known): found for known, found in seconds.items()},
        "worker_mib": {str(known): round(max(found)) for known, found in memory.items()},
        "worker_mib_allowed": {str(known): round((500e6 + 40 * (known + count)) / 2**20) for known in (few, many)},
    }
