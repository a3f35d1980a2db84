"""The cut of a new generation: an offset of each partition ahead of the flow, its view, and the wait for the flow.

A block's bounds are committed before it is sent. So no block that was on its way before the view was there goes
further than the commits say once it is there: if they are within the cut, the view sees every later row.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import structlog

from streams.errors import StreamError
from streams.generations import (
    BUILDING,
    Cut,
    Entry,
    Position,
    Reach,
    State,
    choose_cuts,
    next_generation,
    overtaken,
    table_of,
    waiting_for,
)
from streams.warehouse.catalogue import Catalogue
from streams.warehouse.client import Warehouse
from streams.warehouse.placing import Target
from streams.warehouse.reach import reached

log = structlog.get_logger()

MARGIN_FACTOR = 4
"""A cut that was passed while the view was made is set so many times further ahead."""

CUT_ATTEMPTS = 8
POLL_S = 0.2
STALL_S = 5.0
"""A partition that ends before its cut and does not move is cut again where it stands."""


class CutError(StreamError):
    """No cut could be made: the flow was quicker again and again."""


@dataclass(frozen=True, slots=True)
class Step:
    """How far a back-fill is. `what`: wait, fill, switch or done; `left`: of `wait`, the partitions not there yet."""

    table: str
    what: str
    done: int = 0
    total: int = 0
    left: tuple[Cut, ...] = ()


class CutOver:
    """Makes the table and view of a new generation. Blocks for as long as the flow takes."""

    def __init__(
        self,
        warehouse: Warehouse,
        fence_table: str,
        positions: Callable[[], Mapping[int, Position]],
        renew: Callable[[], None],
        report: Callable[[Step], None],
    ) -> None:
        self.positions = positions
        self._warehouse = warehouse
        self._fence_table = fence_table
        self._renew = renew
        self._report = report
        self._catalogue = Catalogue(warehouse)

    def reached(self, changes: str, waiting: tuple[Cut, ...] | None = None) -> dict[int, Reach]:
        """See `streams.warehouse.reach`."""
        return reached(self._warehouse, self._fence_table, changes, waiting)

    def discard(self, target: Target) -> None:
        """What an earlier attempt left and cannot be resumed."""
        self._catalogue.change(
            lambda entries: [
                replace(e, state=State.RETIRED) for e in entries if e.rollup == target.name and e.state in BUILDING
            ]
        )
        self._catalogue.sweep(target.name)

    def cut(self, target: Target) -> Entry:
        """Steps 2 to 4; raises `CutError`."""
        margins: dict[int, int] = {}
        for _ in range(CUT_ATTEMPTS):
            entry = self._make(target, choose_cuts(self.positions(), self.reached(target.changes), margins))
            late = overtaken(entry.cuts, self.positions(), self.reached(target.changes))
            stalled = () if late else self.wait(target, entry.cuts, entry.table)
            if not late and not stalled:
                return entry
            log.info("backfill_cut_again", table=entry.table, overtaken=late, stalled=[c.partition for c in stalled])
            margins = {p: MARGIN_FACTOR * (late.get(p, 0) + margins.get(p, 0)) for p in {*late, *margins}}
            margins |= {cut.partition: 0 for cut in stalled}
            self.discard(target)
        raise CutError(f"{target.name}: the flow passed the cut {CUT_ATTEMPTS} times; try again when it is calmer")

    def _make(self, target: Target, cuts: tuple[Cut, ...]) -> Entry:
        def begun(entries: list[Entry]) -> list[Entry]:
            number = next_generation(entries, target.name)
            table = table_of(target.name, number)
            return [Entry(target.name, target.entity, number, table, State.CUTTING, target.definition, cuts)]

        entry = self._catalogue.change(begun)[0]
        self._warehouse.command(target.create(entry.table))
        if target.exchange:
            self._warehouse.command(f"ALTER TABLE {entry.table} MODIFY COMMENT '{entry.table}'")
        self._warehouse.command(target.view(entry.table, cuts))
        return entry

    def wait(self, target: Target, cuts: tuple[Cut, ...], table: str) -> tuple[Cut, ...]:
        """Wait until all rows up to the cuts are written; the cuts of partitions that ended before, or nothing."""
        seen: dict[int, int] = {}
        moved = time.monotonic()
        left = cuts
        while True:
            positions = self.positions()
            left = waiting_for(left, positions, self.reached(target.changes, left))
            if not left:
                return ()
            self._renew()
            self._report(Step(table, "wait", len(cuts) - len(left), len(cuts), left))
            bounds = {partition: position.bound for partition, position in positions.items()}
            if bounds != seen:
                seen, moved = bounds, time.monotonic()
            short = tuple(cut for cut in left if bounds.get(cut.partition, -1) < cut.offset)
            if short and time.monotonic() - moved > STALL_S:
                return short
            time.sleep(POLL_S)
