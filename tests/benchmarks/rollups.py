"""A rollup's query at 1M, 10M and 50M change rows: flat, since a rollup grows with days and dimensions, not events.

The changes are written by SQL into `_changes` (`seeding`), in the same rows as events would leave, and the rollup's
view derives its own from them; the other views, which the query does not read, are taken away first. The days received
spread over the same year at each size. The query is the one behind a KPI: `hub/kpi/query.py` sums a rollup over a range
of days, in all and by unit.
"""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import Any

from tests.benchmarks import seeding
from tests.benchmarks.stand import Stand, stand

DAYS = 365
QUERIES = 40
WANTED = 1.3
SETTLE_S = 120
"""For merges of the last inserts: a query that meets them measures them. Then the rollup is one part, as two minutes
without a write leave it: the number of parts comes from the pace of the writes, not from the number of changes."""

QUERY = "SELECT {group}sum(received_online), sum(received) FROM $_by_received_at WHERE {days}{tail}"
LAST_MONTH = "day BETWEEN toDate('2022-12-01') AND toDate('2022-12-31')"
YEAR = "day BETWEEN toDate('2022-01-01') AND toDate('2022-12-31')"
ASKED = {
    "month": QUERY.format(group="", days=LAST_MONTH, tail=""),
    "year": QUERY.format(group="", days=YEAR, tail=""),
    "year_by_unit": QUERY.format(group="org_code, ", days=YEAR, tail=" GROUP BY org_code"),
}


def query_ms(ready: Stand, sql: str) -> float:
    """Median of a query's time over HTTP, milliseconds."""
    found = []
    for _ in range(QUERIES):
        began = time.perf_counter()
        ready.warehouse.rows(sql.replace("$", ready.name))
        found.append((time.perf_counter() - began) * 1000)
    return statistics.median(found)


def settle(ready: Stand) -> None:
    """Wait until no merge of the stand's tables runs, or for the time allowed."""
    running = f"SELECT count() FROM system.merges WHERE position(table, '{ready.name}') > 0"
    deadline = time.monotonic() + SETTLE_S
    while int(ready.warehouse.rows(running)[0][0]) and time.monotonic() < deadline:
        time.sleep(0.5)


def _only_the_rollup(ready: Stand) -> None:
    for (view,) in ready.warehouse.rows(
        "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine = 'MaterializedView' "
        f"AND position(name, '{ready.name}') > 0 AND name != 'view_{ready.name}_by_received_at'"
    ):
        ready.warehouse.command(f"DROP VIEW {view} SYNC")
    ready.warehouse.command(f"SYSTEM STOP MERGES {ready.contract.changes_table}")


def measure(bootstrap: str, url: str, folder: Path, sizes: tuple[int, ...]) -> dict[str, Any]:
    """The part `rollups`."""
    figures: dict[str, dict[str, float]] = {}
    seconds: dict[str, float] = {}
    with stand(bootstrap, url, folder) as ready:
        _only_the_rollup(ready)
        seeded = 0
        for size in sizes:
            began = time.monotonic()
            seeding.seed_changes(ready, seeded, size, seeding.over_days(DAYS))
            seconds[str(size)] = round(time.monotonic() - began, 1)
            seeded = size
            settle(ready)
            ready.warehouse.command(f"OPTIMIZE TABLE {ready.name}_by_received_at FINAL")
            counted = ready.number("SELECT sum(received) FROM $_by_received_at")
            if counted != size:
                raise AssertionError(f"the rollup counts {counted} of {size} changes")
            figures[str(size)] = {name: round(query_ms(ready, sql), 2) for name, sql in ASKED.items()}
            figures[str(size)]["rollup_rows"] = ready.number("SELECT count() FROM $_by_received_at")
            print(f"  {size:,} changes ({seconds[str(size)]} s to write): {figures[str(size)]}", flush=True)
    least, most = figures[str(sizes[0])], figures[str(sizes[-1])]
    return {
        "query_ms": figures,
        "seeding_s": seconds,
        "most_to_least": {name: round(most[name] / least[name], 2) for name in ASKED},
        "most_to_least_allowed": WANTED,
    }
