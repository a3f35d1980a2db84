"""A new generation of a derived table while events flow. Numbered steps; each may be interrupted and resumed.

1 try       the definition on edge values and on what is written: what throws is refused, nothing has changed
2 cut       for each partition an offset that nothing in flight passes; recorded before anything is made
3 view      table and view with the cut in its SQL; if the flow passed the cut meanwhile, again with a larger margin
4 pass      wait until all rows up to the cut are written
5 fill      chunks of `<entity>_changes` up to the cut, recorded before, each under its token `backfill:<table>:<n>`
6 switch    one write of the catalogue (or one exchange of tables); views and tables before it are dropped

A row of an offset up to the cut comes by the back-fill, a later one by the view, however often its block is sent
again: the view refuses the first kind by its SQL, and the target's own tokens drop what it has seen of the second.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date

import structlog

from streams.cutover import CutOver, Step
from streams.errors import StreamError, WarehouseUnavailableError
from streams.generations import (
    BUILDING,
    Cut,
    Entry,
    Position,
    State,
    beyond,
    choose_cuts,
    chunks_of,
    inside,
    serving,
)
from streams.kept_days import KeptDays, KeptDaysError, copy_of, kept_of
from streams.warehouse.catalogue import Catalogue
from streams.warehouse.client import INSERT_SETTINGS, Warehouse
from streams.warehouse.placing import Target, try_out
from streams.warehouse.reach import written_ranges

log = structlog.get_logger()

CHUNK_ROWS = 1_000_000
"""Rows of `<entity>_changes` per insert: seconds of work, so an interruption costs little."""

SAMPLE_ROWS = 50_000
"""Rows on which a definition is tried before anything is made; the back-fill itself meets the others."""

RETRY_S = 1.0

GRACE_S = 1.0
"""A reader knows the generation before for as long as its cache lives, 0.2 s, and a moment to ask."""

UNTOKENED: dict[str, object] = {"insert_deduplicate": 0, "async_insert": 0, "optimize_on_insert": 0}
"""Collapsing versions while they are written takes three times as long as leaving it to the merges."""

EXCHANGED = "exchanged"
"""Reason of a generation that took the place of the table of its name."""


class MeasureThrowsError(StreamError):
    """The definition throws on some row: mend the KPI file."""


class BrokenMeanwhileError(StreamError):
    """The new view threw on a live row and was dropped: mend the KPI file and start again."""


class Backfill:
    """Makes new generations of an entity's tables, one after the other. Blocks for as long as it takes."""

    def __init__(
        self,
        warehouse: Warehouse,
        fence_table: str,
        positions: Callable[[], Mapping[int, Position]],
        renew: Callable[[], None],
        report: Callable[[Step], None],
        chunk_rows: int = CHUNK_ROWS,
    ) -> None:
        """`positions`: the group's commits now · `renew`: keeps the lease, called often."""
        self._warehouse = warehouse
        self._cutover = CutOver(warehouse, fence_table, positions, renew, report)
        self._positions = positions
        self._renew = renew
        self._report = report
        self._chunk_rows = chunk_rows
        self._catalogue = Catalogue(warehouse)

    def check(self, target: Target) -> None:
        """Step 1: raise `MeasureThrowsError` if the definition throws; changes nothing."""
        thrown = try_out(self._warehouse, target, SAMPLE_ROWS)
        if thrown is not None:
            raise MeasureThrowsError(f"{target.name} cannot be computed, mend its measures: {thrown[:500]}")

    def run(self, target: Target, since: date | None = None) -> None:
        """Steps 2 to 6 for one table; an interrupted one of the same definition is resumed.

        `since`: days before it keep the figures they have.
        """
        entry = self._interrupted(target, since)
        if entry is None:
            live = self._live_days(target) if since is not None else ""
            self._cutover.discard(target)
            entry = self._cutover.cut(target)
            if since is not None:
                kept = self._kept_days().copy(target, live, entry.table, since)
                entry = replace(entry, reason=kept.json())
            entry = self._plan_chunks(target, entry)
        else:
            log.info("backfill_resumed", table=entry.table, done=entry.done, chunks=len(entry.chunks))
        entry = self._fill(target, entry)
        self._switch(target, entry)
        self._report(Step(entry.table, "done", len(entry.chunks), len(entry.chunks)))

    def _kept_days(self) -> KeptDays:
        def wait(target: Target, cuts: tuple[Cut, ...]) -> None:
            self._cutover.wait(target, cuts, target.name)

        return KeptDays(self._warehouse, self._positions, self._cutover.reached, wait)

    def _live_days(self, target: Target) -> str:
        """The table whose old days can be kept."""
        entry = serving(self._catalogue.entries(), target.name)
        if entry is None or entry.state is not State.LIVE or entry.definition != target.definition:
            raise KeptDaysError(f"{target.name} has no live figures to keep: rebuild without a date")
        return entry.table

    def _interrupted(self, target: Target, since: date | None) -> Entry | None:
        """The generation whose chunks were being filled in, if its view still feeds it."""
        for entry in self._catalogue.entries():
            kept = kept_of(entry)
            same = entry.rollup == target.name and entry.definition == target.definition
            same = same and (kept.since if kept is not None else None) == since
            if same and entry.state is State.FILLING and self._exists(f"view_{entry.table}"):
                return entry
        return None

    def _exists(self, table: str) -> bool:
        return bool(self._warehouse.rows("EXISTS TABLE " + table)[0][0])

    def _plan_chunks(self, target: Target, entry: Entry) -> Entry:
        chunks = chunks_of(written_ranges(self._warehouse, target.changes), entry.cuts, self._chunk_rows)
        return self._advance(replace(entry, state=State.FILLING, chunks=chunks))

    def _advance(self, entry: Entry) -> Entry:
        """Record a step; raises `BrokenMeanwhileError` if a worker has dropped the view."""

        def advanced(entries: list[Entry]) -> list[Entry]:
            known = next(e for e in entries if (e.rollup, e.generation) == (entry.rollup, entry.generation))
            if known.state not in BUILDING:
                raise BrokenMeanwhileError(f"{entry.table} is {known.state}: {known.reason}")
            return [entry]

        return self._catalogue.change(advanced)[0]

    def _fill(self, target: Target, entry: Entry) -> Entry:
        kept = kept_of(entry)
        if kept is not None and entry.done == 0:
            self._patiently(entry, lambda: self._kept_days().insert(target, entry, kept))
        while entry.done < len(entry.chunks):
            self._report(Step(entry.table, "fill", entry.done, len(entry.chunks)))
            self._renew()
            self._insert(target, entry)
            entry = self._advance(replace(entry, done=entry.done + 1))
        return entry

    def _insert(self, target: Target, entry: Entry) -> None:
        """The next chunk; its token makes it once."""
        select = target.select(f"(SELECT * FROM {target.changes} WHERE {inside(entry.chunks[entry.done])})")
        kept = kept_of(entry)
        if kept is not None:
            select = f"SELECT * FROM ({select}) WHERE day >= toDate('{kept.since.isoformat()}')"
        if target.exchange:
            # The newest version of a key counts, so a chunk may come twice; without a token it may come in blocks.
            settings = UNTOKENED
        else:
            settings = {**INSERT_SETTINGS, "insert_deduplication_token": f"backfill:{entry.table}:{entry.done}"}
        self._patiently(entry, lambda: self._warehouse.command(f"INSERT INTO {entry.table} {select}", settings))

    def _patiently(self, entry: Entry, insert: Callable[[], object]) -> None:
        """Again and again until the warehouse has taken it."""
        while True:
            try:
                insert()
                return
            except WarehouseUnavailableError as error:
                log.warning("backfill_waits", table=entry.table, chunk=entry.done, error=str(error)[:300])
                self._renew_patiently()
                time.sleep(RETRY_S)

    def _renew_patiently(self) -> None:
        try:
            self._renew()
        except WarehouseUnavailableError as error:
            log.warning("backfill_waits", error=str(error)[:300])

    def _switch(self, target: Target, entry: Entry) -> None:
        self._report(Step(entry.table, "switch", len(entry.chunks), len(entry.chunks)))
        if target.exchange:
            self._exchange(target, entry)
            return

        def switched(entries: list[Entry]) -> list[Entry]:
            before = serving(entries, target.name)
            retired = [replace(before, state=State.RETIRED)] if before is not None else []
            return [replace(entry, state=State.LIVE, chunks=(), reason=""), *retired]

        for written in self._catalogue.change(switched):
            if written.state is State.RETIRED:
                self._warehouse.command(f"DROP VIEW IF EXISTS view_{written.table}")
        log.info("rollup_switched", rollup=target.name, table=entry.table)
        self._warehouse.command(f"DROP TABLE IF EXISTS {copy_of(entry.table)}")

    def sweep(self) -> None:
        """Drop what was retired, once nobody reads it any more."""
        time.sleep(GRACE_S)
        self._catalogue.sweep()
        self._catalogue.forget()

    def _exchange(self, target: Target, entry: Entry) -> None:
        """Put the new table under the name; a repeated call does nothing, known by the table's comment.

        A block that is sent at this very moment may reach the old table by both names: what came since the cut is
        inserted once more, the newest version of a key counts.
        """
        database = "database = currentDatabase()"
        shown = self._warehouse.rows(f"SELECT comment FROM system.tables WHERE {database} AND name = '{target.name}'")
        if not shown or shown[0][0] != entry.table:
            self._warehouse.command(f"EXCHANGE TABLES {target.name} AND {entry.table}")
        now = choose_cuts(self._positions(), self._cutover.reached(target.changes), {})
        self._cutover.wait(target, now, target.name)
        source = f"(SELECT * FROM {target.changes} WHERE {beyond(entry.cuts)} AND NOT ({beyond(now)}))"
        self._warehouse.command(f"INSERT INTO {target.name} {target.select(source)}", UNTOKENED)
        log.info("table_exchanged", table=target.name, generation=entry.generation)
        self._catalogue.change(lambda _: [replace(entry, state=State.RETIRED, reason=EXCHANGED)])
        self._catalogue.sweep(target.name)
