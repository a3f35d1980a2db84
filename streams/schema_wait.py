"""A batch needs a schema that the registry does not give: how long it waits, and what becomes of it.

Only the registry can tell an id that is new from one that never was. While it is away
- records of schemas that the worker has read before go on;
- a batch with another id waits: its bounds are on record, it leaves its place to other partitions, and what arrives
  behind it is let go and read again later, so that nobody else is held up;
- when the registry answers, the batch goes on: its records become rows, or go to the quarantine on a 404;
- after `limit` the batch is done *without* these schemas: their records go to the quarantine as `schema_away`, whole
  on their topic and to be sent again, and the others of the partition go on. Later batches with the same ids do not
  wait anew while the registry stays away.

A clock must not decide what a row is: a worker that does the batch again could come to other rows under the same
token. So the decision is put on record before anything is made of it, beside the intent in the commit: fenced by the
group's generation, and read by whoever takes the partition over (`Commit.without`). From then on the rows are a pure
function again: of the states, the batch, and what is on record about it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta

import structlog

from schemas.errors import SchemasAwayError
from schemas.without import Without
from streams import metrics

log = structlog.get_logger()

LIMIT = timedelta(minutes=10)
"""Longer than a restart, an update or a change of leader takes; then a partition's other records count more."""

ASK_AGAIN_S = 1.0
SAY_AGAIN_S = 30.0

FORGET_S = 60.0
"""An id that nobody missed for so long begins its wait anew."""

SHOWN_IDS = 20


class SchemaWait:
    """What a worker's partitions wait for. `monotonic` is a clock in seconds."""

    def __init__(self, limit: timedelta = LIMIT, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._limit_s = limit.total_seconds()
        self._monotonic = monotonic
        self._missed: dict[int, tuple[float, float]] = {}
        """By id: since when it is missed, and when it was last."""
        self._said: dict[str, float] = {}
        """By waiting partition: when that was last said."""

    async def wait(
        self, partition: str, away: SchemasAwayError, without: Without, check: Callable[[], None]
    ) -> Without:
        """What the batch does without from now on: the same as before, after a pause, or more if the time is up.

        `check` raises if the partition is not ours any more.
        """
        overdue = self._overdue(away.ids)
        wider = without.joined(away.ids, away.known) if overdue else None
        if wider is not None:
            log.error("schemas_given_up", partition=partition, ids=_shown(away.ids), count=len(away.ids))
            metrics.SCHEMAS_GIVEN_UP.inc(len(away.ids))
            return wider
        self._say(partition, away)
        await asyncio.sleep(ASK_AGAIN_S)
        check()
        return without

    def over(self, partition: str) -> None:
        """The partition does not wait any more."""
        self._said.pop(partition, None)
        metrics.SCHEMA_WAITS.set(len(self._said))

    def _overdue(self, ids: frozenset[int]) -> bool:
        now = self._monotonic()
        self._missed = {key: (since, last) for key, (since, last) in self._missed.items() if now - last < FORGET_S}
        for schema_id in ids:
            since, _ = self._missed.get(schema_id, (now, now))
            self._missed[schema_id] = since, now
        return all(now - self._missed[schema_id][0] >= self._limit_s for schema_id in ids)

    def _say(self, partition: str, away: SchemasAwayError) -> None:
        now = self._monotonic()
        if now - self._said.get(partition, now - SAY_AGAIN_S) >= SAY_AGAIN_S:
            self._said[partition] = now
            metrics.SCHEMA_WAITS.set(len(self._said))
            log.warning("schemas_awaited", partition=partition, ids=_shown(away.ids), reason=str(away)[:300])


def _shown(ids: frozenset[int]) -> list[int]:
    return sorted(ids)[:SHOWN_IDS]
