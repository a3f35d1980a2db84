"""The rows of batches of several partitions of a topic, computed in one pass.

To the pass they are batches of one partition: above its lowest 44 bits an offset carries the place of its partition
among those of the block. So each entity's records keep their order, and the rows are those that each partition alone
would have – as long as no entity has records in two of them, which is looked at.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from schemas.codec import BadRecord
from streams import faultpoints, metrics
from streams.block import Bounds, finish, quarantined_rows
from streams.change import OFFSET, STATE_OFFSET
from streams.entity_block import Effect, EntityBlock, effect_of
from streams.errors import StatesAheadError
from streams.intent import Member, joint_text, token_of
from streams.quarantine import stream_refusals
from streams.records import Records, joined
from streams.state_cache import compact

if TYPE_CHECKING:
    from streams.sink import EntitySink

PLACE = 1 << 44
"""An offset is below 2^40, see `version` in `streams.warehouse.schema`."""


ALL = -1
"""The asker of a look-up for all: always the same, so that the next one waits for no other (`streams.look_up`)."""


@dataclass(frozen=True, slots=True)
class OnePart:
    """A partition's records that become part of a block."""

    sink: EntitySink
    records: Records
    member: Member

    @property
    def bounds(self) -> Bounds:
        return self.sink.bounds(self.member.first, self.member.last)


@dataclass(frozen=True, slots=True)
class JointRows:
    """The encoded rows of one block; their effect but for the states, which each partition remembers for itself; and
    by partition the records that are refused, by row."""

    rows: bytes
    effect: Effect
    states: tuple[pl.DataFrame, ...]
    refused: tuple[tuple[BadRecord, ...], ...]


async def prepare_joint(parts: Sequence[OnePart]) -> EntityBlock | None:
    """The block of the parts, in the order of their partitions; None if it cannot be made in one pass.

    Raises `StatesAheadError`, `SchemasAwayError`.
    """
    first = parts[0].sink
    made = await asyncio.to_thread(rows_of, parts)
    if made is None:
        return None
    for part, refused in zip(parts, made.refused, strict=True):
        if refused:
            await first.quarantine.publish(stream_refusals(refused, part.records, part.bounds, first.contract))
    sinks, states, effect = [part.sink for part in parts], made.states, made.effect

    def done() -> None:
        first.written(effect)
        for sink, after in zip(sinks, states, strict=True):
            sink.cache.put(after)

    token = token_of(first.topic_id, [part.member for part in parts])
    return EntityBlock(first.store, made.rows, token, done)


def rows_of(parts: Sequence[OnePart]) -> JointRows | None:
    """See `prepare_joint`. Blocks."""
    first = parts[0].sink
    if any(part.sink.known is not first.known for part in parts):
        return None
    records = side_by_side([part.records for part in parts])
    with first.computing:
        with metrics.STAGE.labels("decode").time():
            placed, times, bad = first.decoded(records)
        faultpoints.reach("after_decode")
        places = placed.select("entity_key", (pl.col(OFFSET) // PLACE).alias("place"))
        if places["entity_key"].n_unique() != places.n_unique():
            return None
        with metrics.STAGE.labels("lookup").time():
            states = _states(parts, placed, places)
        with metrics.STAGE.labels("change").time():
            rows, after, new, found = first.changed(placed, states)
            bad = (*bad, *found)
            if bad:
                unusable = quarantined_rows(bad, records.offsets, records.keys, first.contract)
                rows = pl.concat([rows.select(unusable.columns), unusable])
            del records, placed, places, states  # copies of what the rows say, and there are two more to come
            rows = _placed_back(finish(rows, times, parts[0].bounds), parts)
            states_after = by_place(after, len(parts))
            effect = effect_of(rows, None, new)
            del after, new
            return JointRows(first.store.block(rows), effect, states_after, _by_part(bad, parts))


def side_by_side(parts: Sequence[Records]) -> Records:
    """The records of several partitions as those of one."""
    offsets = [np.asarray(records.offsets, dtype=np.int64) + number * PLACE for number, records in enumerate(parts)]
    whole = joined(parts)
    return Records(np.concatenate(offsets).tolist(), whole.times, whole.keys, whole.values, whole.traces)


def _states(parts: Sequence[OnePart], placed: pl.DataFrame, places: pl.DataFrame) -> pl.DataFrame:
    """The states before the records, each with the place of its partition in its offset."""
    first = parts[0].sink
    keys = first.known.to_look_up(placed) if placed.height else placed["entity_key"]
    if not len(keys):
        return first.no_states
    homes = places.filter(pl.col("entity_key").is_in(keys.implode())).unique(maintain_order=True)
    frames, missing = [], []
    for number, part in enumerate(parts):
        cached, lacking = part.sink.cache.get(homes.filter(pl.col("place") == number)["entity_key"].to_list())
        frames += [frame.with_columns(pl.col(STATE_OFFSET) + number * PLACE) for frame in cached]
        missing += lacking
    if missing:
        asked = partial(first.store.look_up.states, ALL, missing)
        frames.append(_found(first.asked(asked), homes, parts))
    frames = [frame for frame in frames if frame.height]
    return pl.concat(frames) if frames else first.no_states


def _found(found: pl.DataFrame, homes: pl.DataFrame, parts: Sequence[OnePart]) -> pl.DataFrame:
    """States that were looked up; raises `StatesAheadError`."""
    versions = pl.lit(pl.Series([part.bounds.version for part in parts], dtype=pl.UInt64))
    found = found.join(homes, on="entity_key", how="left", maintain_order="left")
    ahead = found.filter(pl.col("version") >= versions.gather(pl.col("place"))).height
    if ahead:
        raise StatesAheadError(f"{ahead} states are ahead of a batch of {joint_text(part.member for part in parts)}")
    return found.with_columns(pl.col(STATE_OFFSET) + pl.col("place") * PLACE).select(parts[0].sink.state_columns())


def by_place(states: pl.DataFrame, places: int) -> tuple[pl.DataFrame, ...]:
    """The states of each place, as `Changes.states`: in the order of their offsets. A cache may keep one for long, so
    a small part of the frame gets memory of its own."""
    offsets = states[STATE_OFFSET].to_numpy()
    ends = np.searchsorted(offsets, [number * PLACE for number in range(1, places + 1)]).tolist()
    placed_back = states.with_columns(pl.Series(STATE_OFFSET, offsets % PLACE))
    parts = [placed_back.slice(begin, end - begin) for begin, end in pairwise([0, *ends])]
    return tuple(part if 2 * places * part.height >= states.height else compact(part) for part in parts)


def _placed_back(rows: pl.DataFrame, parts: Sequence[OnePart]) -> pl.DataFrame:
    """Of each row its partition and the bounds there, and its offsets as they are."""
    bounds = [part.bounds for part in parts]
    place = pl.col(OFFSET) // PLACE

    def told(name: str, kind: type[pl.Int32 | pl.Int64], values: Sequence[int]) -> pl.Expr:
        return pl.lit(pl.Series(values, dtype=kind)).gather(place).alias(name)

    return rows.with_columns(
        told("partition", pl.Int32, [one.partition for one in bounds]),
        told("first", pl.Int64, [one.first for one in bounds]),
        told("last", pl.Int64, [one.last for one in bounds]),
        told("epoch", pl.Int64, [one.epoch for one in bounds]),
        pl.lit(joint_text(part.member for part in parts)).alias("joint"),
        pl.col(OFFSET) - place * PLACE,
        pl.col(STATE_OFFSET) - place * PLACE,
    )


def _by_part(bad: Sequence[BadRecord], parts: Sequence[OnePart]) -> tuple[tuple[BadRecord, ...], ...]:
    ends = pairwise(accumulate((len(part.records) for part in parts), initial=0))
    return tuple(
        tuple(BadRecord(r.row - low, r.code, r.reason, r.reason_en) for r in bad if low <= r.row < high)
        for low, high in ends
    )
