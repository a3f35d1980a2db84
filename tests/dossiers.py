"""Dossier events for tests of the core, and the slow, obvious evaluation of what they amount to."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

DAY_MS = 86_400_000
START_MS = 1_641_000_000_000
"""A morning of January 2022."""

OPS = ("UPSERT", "CORRECT", "DELETE")


def dossier(number: int, revision: int, status: int = 4, op: str = "UPSERT", **changes: Any) -> dict[str, Any]:
    """One assertion about dossier `number`."""
    received = START_MS + number % 250 * DAY_MS
    finished = status in (9, 10)
    base: dict[str, Any] = {
        "event_id": f"e{number}-{revision}-{op}",
        "source_system": "portal",
        "org_code": f"H53.{number % 20:02d}",
        "entity_key": f"H53.14-220101-{number:06d}",
        "revision": revision,
        "op": op,
        "event_time": received + revision * 3_600_000,
        "ingest_time": received + revision * 3_600_000 + 1000,
        "admin_code": "25459",
        "admin_codeset": "2022",
        "procedure_code": f"1.{number % 300:06d}",
        "field": "Đất đai",
        "channel": ("ONLINE", "COUNTER", "POST")[number % 3],
        "level": 4,
        "status": status,
        "filed_at": received,
        "received_at": None if status in (1, 3) else received,
        "due_at": received + 10 * DAY_MS,
        "ended_at": received + (5 + number % 12) * DAY_MS if finished else None,
        "returned_at": None,
        "fee": 50_000,
        "paid_online": number % 2 == 0,
        "components_digitised": True,
        "result_electronic": finished and number % 7 == 0,
        "rating": None,
        "applicant": f"{number:032x}",
        "applicant_phone": None,
    }
    return {**base, **changes}


def life_cycles(count: int, seed: int) -> list[dict[str, Any]]:
    """Events of `count` dossiers: progress, corrections, recalls, restores; shuffled and some sent twice."""
    dice = random.Random(seed)
    events: list[dict[str, Any]] = []
    for number in range(count):
        states = [2, 4, 9, 10][: dice.randint(1, 4)]
        for revision, status in enumerate(states, start=1):
            events.append(dossier(number, revision, status))
        last = len(states)
        if dice.random() < 0.1:
            events.append(dossier(number, last, states[-1], "CORRECT", channel="ONLINE"))
        if dice.random() < 0.1:
            events.append(dossier(number, last + 1, states[-1], "DELETE"))
            if dice.random() < 0.5:
                events.append(dossier(number, last + 2, states[-1]))
    events += dice.sample(events, len(events) // 5)
    # Out of order within a window, as a department's outbox would be after an outage.
    order = sorted(range(len(events)), key=lambda place: place + dice.uniform(0, 2_000))
    return [events[place] for place in order]


def final_states(events: Iterable[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The last state of each dossier that is not deleted."""
    best: dict[str, dict[str, Any]] = {}
    for event in events:
        known = best.get(event["entity_key"])
        order = (event["revision"], OPS.index(event["op"]))
        if known is None or order > (known["revision"], OPS.index(known["op"])):
            best[event["entity_key"]] = event
    return {key: event for key, event in best.items() if event["op"] != "DELETE"}


def figures(events: Iterable[dict[str, Any]]) -> dict[str, int]:
    """The measures of the dossier's KPIs."""
    states = final_states(events).values()
    finished = [state for state in states if state["status"] in (9, 10)]
    received = [state for state in states if state["status"] not in (1, 3)]
    vietnam = 7 * 3_600_000
    on_time = [s for s in finished if (s["ended_at"] + vietnam) // DAY_MS <= (s["due_at"] + vietnam) // DAY_MS]
    return {
        "states": len(states),
        "received": len(received),
        "received_online": sum(state["channel"] == "ONLINE" for state in received),
        "finished": len(finished),
        "finished_on_time": len(on_time),
        "result_electronic": sum(state["result_electronic"] for state in finished),
    }
