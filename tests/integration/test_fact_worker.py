"""Facts through a worker process: what it does not remember it looks up, also after it was killed."""

from __future__ import annotations

import random
import re
import time
import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.dossier_model import current_in, from_views, identified, last_assertions, rollups
from tests.dossiers import DAY_MS, dossier
from tests.fact_worker import REMEMBERED_DAYS, FactBench
from tests.stream_worker import bench, value_of


def reading(station: int, at: int, revision: int = 1, op: str = "UPSERT") -> dict[str, Any]:
    """What a station measured at a moment (ms): the time is in the key."""
    values = {"entity_key": f"S{station}-{at}", "event_time": at, "received_at": at, "ended_at": at, "due_at": at}
    return identified({**dossier(station, revision, 9, op), **values})


@pytest.mark.long
async def test_very_late_facts_and_repeats_count_once_also_after_a_kill(
    kafka: str, warehouse: str, tmp_path: Path
) -> None:
    dice = random.Random(5)
    now = int(time.time() * 1000)
    facts = [reading(n, now - dice.choice([0, 1, 2, 5, 30, 900]) * DAY_MS - n * 1000) for n in range(600)]
    withdrawn = [identified({**event, "op": "DELETE", "revision": 2}) for event in dice.sample(facts, 60)]
    again = dice.sample(facts, 300)
    with bench(kafka, warehouse, f"f{uuid.uuid4().hex[:8]}", tmp_path) as ready:
        table = FactBench.of(ready)
        sent: list[dict[str, Any]] = []

        def is_right() -> bool:
            return table.primary_rows() == len(sent) and from_views(table) == rollups(sent)

        for part in (facts, dice.sample([*withdrawn, *again], 360)):
            worker = table.start()
            await table.produce([(event["entity_key"].encode(), value_of(event)) for event in part])
            sent += part
            table.wait(is_right)
            worker.kill()
            worker.wait()
        assert {key: gone for key, (_, _, gone) in current_in(table).items()} == {
            key: event["op"] == "DELETE" for key, event in last_assertions(sent).items()
        }
        loaded = re.findall(r"known_keys_loaded .*?keys=(\d+)", re.sub(r"\x1b\[\d*m", "", table.log()))
        recent = sum(event["event_time"] >= now - REMEMBERED_DAYS * DAY_MS for event in facts)
        assert 0 < int(loaded[-1]) <= recent < len(facts)
