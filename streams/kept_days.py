"""`--from DATE`: days before it keep the figures they have, days from it on are computed anew.

The changes of old days may be gone, or not worth reading. So the live table's old days are copied. The flow goes on
meanwhile, and what the copy holds must be known to the offset: a copy counts only if no block that was in flight
while it was read touches an old day. What the new view has counted of old days by then is taken off again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

import structlog

from streams.errors import StreamError
from streams.generations import Cut, Entry, Position, Reach, beyond, choose_cuts
from streams.warehouse.client import INSERT_SETTINGS, Warehouse
from streams.warehouse.placing import Target

log = structlog.get_logger()

ATTEMPTS = 20
"""Corrections of old days are rare; a flow that touches them all the time needs a whole rebuild."""

PAUSE_S = 0.2
"""Longer than a worker without work takes to confirm its last batch."""


class KeptDaysError(StreamError):
    """Old days cannot be kept: rebuild without a date, or from an earlier one."""


@dataclass(frozen=True, slots=True)
class Kept:
    """Days before `since` come from a copy that holds all rows up to `upto`, and no others."""

    since: date
    upto: tuple[Cut, ...] = ()

    def json(self) -> str:
        cuts = [[cut.partition, cut.life, cut.offset, cut.topic_id] for cut in self.upto]
        return json.dumps({"from": self.since.isoformat(), "upto": cuts})


def kept_of(entry: Entry) -> Kept | None:
    """What a generation under way keeps, None for a whole one."""
    if not entry.reason.startswith("{"):
        return None
    raw = json.loads(entry.reason)
    return Kept(date.fromisoformat(raw["from"]), tuple(Cut(*item) for item in raw["upto"]))


def copy_of(table: str) -> str:
    """The table that holds the old days until they are in."""
    return f"{table}_kept"


@dataclass(frozen=True, slots=True)
class KeptDays:
    """Copies old days. `wait` returns when all rows up to the cuts are written. Blocks."""

    warehouse: Warehouse
    positions: Callable[[], Mapping[int, Position]]
    reached: Callable[[str], Mapping[int, Reach]]
    wait: Callable[[Target, tuple[Cut, ...]], None]

    def copy(self, target: Target, live: str, table: str, since: date) -> Kept:
        """Copy days before `since` of the table `live`; raises `KeptDaysError`."""
        copy = copy_of(table)
        for _ in range(ATTEMPTS):
            upto = _confirmed(self.positions(), self.reached(target.changes))
            self.warehouse.command(f"DROP TABLE IF EXISTS {copy}")
            self.warehouse.command(target.create(copy))
            self.warehouse.command(f"INSERT INTO {copy} SELECT * FROM {live} WHERE {_before(since)}")
            flown = choose_cuts(self.positions(), self.reached(target.changes), {})
            self.wait(target, flown)
            doubtful = target.select(_between(target, upto, flown))
            if not self.warehouse.rows(f"SELECT 1 FROM ({doubtful}) WHERE {_before(since)} LIMIT 1"):
                return Kept(since, upto)
            log.info("old_days_copied_again", table=table)
            time.sleep(PAUSE_S)
        raise KeptDaysError(
            f"days before {since} of {target.name} changed each time they were copied; "
            "choose an earlier date, or rebuild without one"
        )

    def insert(self, target: Target, entry: Entry, kept: Kept) -> None:
        """The old days into the new table, less what its view has counted of them already. May be repeated."""
        keys = ", ".join(["day", *(f"`{name}`" for name in entry.definition.dimensions)])
        minus = ", ".join(f"-`{name}`" for name, _ in entry.definition.measures)
        counted = target.select(_between(target, entry.cuts, kept.upto))
        for what, select in (
            ("kept", f"SELECT * FROM {copy_of(entry.table)}"),
            ("less", f"SELECT {keys}, {minus} FROM ({counted}) WHERE {_before(kept.since)}"),
        ):
            token = {"insert_deduplication_token": f"backfill:{entry.table}:{what}"}
            self.warehouse.command(f"INSERT INTO {entry.table} {select}", {**INSERT_SETTINGS, **token})


def _before(since: date) -> str:
    return f"day < toDate('{since.isoformat()}')"


def _between(target: Target, after: tuple[Cut, ...], upto: tuple[Cut, ...]) -> str:
    """A source of the rows beyond `after` and not beyond `upto`."""
    return f"(SELECT * FROM {target.changes} WHERE {beyond(after)} AND NOT ({beyond(upto)}))"


def _confirmed(positions: Mapping[int, Position], reached: Mapping[int, Reach]) -> tuple[Cut, ...]:
    """Up to where all is written, views included: the commits say so; where there is none, nothing is in flight."""
    cuts = []
    for partition, reach in sorted(reached.items()):
        position = positions.get(partition)
        done = reach.offset if position is None else position.done
        of_another_topic = position is not None and position.topic_id not in ("", reach.topic_id)
        cuts.append(Cut(partition, reach.life, -1 if of_another_topic else done, reach.topic_id))
    return tuple(cuts)
