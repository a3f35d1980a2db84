"""Signed changes: pure. From (states before a batch, the batch) to the rows of `<entity>_changes`.

Every offset leaves exactly one primary row – applied (sign +1), deleted, superseded, repeat or quarantined
(sign 0) – and every state that is replaced or deleted is taken back by one extra row with sign −1. The order of
assertions is (revision, op rank, content hash): total, so the outcome does not depend on arrival.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from schemas.contract import OPS, Contract
from streams.arrivals import TOOK_BACK

OFFSET = "offset"
STATE_OFFSET = "state_offset"
DELETED = "deleted"

NOT_CONTENT = ("event_id", "ingest_time")
"""Fields that differ between two deliveries of one assertion."""

_SEQ = "__seq"
_ORDER = "__order"
_OP_RANK = {op: rank for rank, op in enumerate(OPS)}


@dataclass(frozen=True, slots=True)
class Changes:
    """`rows`: the contract's columns, offset, kind, sign, state_offset, reason. `states`: the last state of each key
    of the batch after it, with `state_offset` and `deleted`."""

    rows: pl.DataFrame
    states: pl.DataFrame


def content_hash(frame: pl.DataFrame, contract: Contract) -> pl.Series:
    """One hash per row over the content, equal for a state just decoded and the same state from the warehouse."""
    parts = [
        pl.col(field.name).cast(pl.Int64 if field.base == "timestamp" else pl.String).cast(pl.String).fill_null("\x00")
        for field in contract.fields
        if field.name not in NOT_CONTENT
    ]
    texts = frame.select(pl.concat_str(parts, separator="\x1f")).to_series().to_list()
    return pl.Series("hash", [hashlib.blake2b(text.encode(), digest_size=16).hexdigest() for text in texts])


def _ordered(union: pl.DataFrame, contract: Contract) -> pl.DataFrame:
    """Add `__order`, an integer that ranks the assertions of one key."""
    rank = pl.col("op").replace_strict(_OP_RANK, return_dtype=pl.Int64)
    union = union.with_columns((pl.col("revision") * len(OPS) + rank).alias(_ORDER))
    ties = union.select(pl.struct("entity_key", _ORDER).is_duplicated()).to_series()
    if not ties.any():
        return union
    tied = union.filter(ties)
    hashes = tied.select(_SEQ).with_columns(content_hash(tied, contract))
    union = union.join(hashes, on=_SEQ, how="left", maintain_order="left")
    dense = pl.struct(_ORDER, pl.col("hash").fill_null("")).rank("dense").cast(pl.Int64)
    return union.with_columns(dense.alias(_ORDER)).drop("hash")


def compute(batch: pl.DataFrame, states: pl.DataFrame, contract: Contract) -> Changes:
    """Compute the changes of one batch.

    `batch`: the contract's columns and `offset` (Int64, ascending); at least one row.
    `states`: the contract's columns, `state_offset` (Int64) and `deleted` (Boolean); at most one row a key, all
    below the batch's first offset.
    """
    payload = [field.name for field in contract.fields]
    if not states.height and batch["entity_key"].n_unique() == batch.height:
        return _all_new(batch, payload)
    known = states.select(*payload, pl.col(STATE_OFFSET).alias(OFFSET), DELETED)
    fresh = batch.select(*payload, OFFSET, (pl.col("op") == "DELETE").alias(DELETED))
    union = pl.concat([known, fresh]).with_columns(pl.int_range(pl.len(), dtype=pl.Int64).alias(_SEQ))
    union = _ordered(union, contract)
    verdict = _judge(union, known.height)
    primary = union.slice(known.height)
    kinds = np.select(
        [verdict.wins & verdict.deletes, verdict.wins, verdict.same], ["deleted", "applied", "repeat"], "superseded"
    )[known.height :]
    replacing = _replacing(verdict, known.height)
    reasons = np.full(primary.height, "", dtype=object)
    reasons[replacing - known.height] = TOOK_BACK
    rows = primary.select(
        *payload,
        OFFSET,
        pl.Series("kind", kinds.astype(object), dtype=pl.String),
        pl.Series("sign", (kinds == "applied").astype(np.int8)),
        pl.col(OFFSET).alias(STATE_OFFSET),
        pl.Series("reason", reasons, dtype=pl.String),
    )
    return Changes(
        rows=pl.concat([rows, _retractions(union, verdict, replacing, payload)]),
        states=union[verdict.last[verdict.last >= known.height]].select(
            *payload, pl.col(OFFSET).alias(STATE_OFFSET), DELETED
        ),
    )


def _all_new(batch: pl.DataFrame, payload: list[str]) -> Changes:
    """As `compute` for entities that are all new and each named once: every assertion wins, nothing is taken back.

    A first load consists of such batches, and this costs a third.
    """
    deletes = pl.col("op") == "DELETE"
    offset = pl.col(OFFSET)
    rows = batch.select(
        *payload,
        OFFSET,
        pl.when(deletes).then(pl.lit("deleted")).otherwise(pl.lit("applied")).alias("kind"),
        (~deletes).cast(pl.Int8).alias("sign"),
        offset.alias(STATE_OFFSET),
        pl.lit("").alias("reason"),
    )
    return Changes(rows, batch.select(*payload, offset.alias(STATE_OFFSET), deletes.alias(DELETED)))


@dataclass(frozen=True, slots=True)
class _Verdict:
    """By row of the union: does it win over what came before it in its key, is it the same assertion again, does
    it delete, and the row of the state it replaces (−1: none). `last`: the rows of the last states, ascending."""

    wins: npt.NDArray[np.bool_]
    same: npt.NDArray[np.bool_]
    deletes: npt.NDArray[np.bool_]
    previous: npt.NDArray[np.int64]
    last: npt.NDArray[np.int64]


def _judge(union: pl.DataFrame, known: int) -> _Verdict:
    """Running maxima within each key, without a window per key: the states come first and the batch is in offset
    order, so after a stable sort by key the rows of a key are in the order of arrival; a maximum that runs over
    `key number × rows + rank` starts anew at each key by itself."""
    count = union.height
    codes = union["entity_key"].cast(pl.Categorical).to_physical().to_numpy()
    rank = np.unique(union[_ORDER].to_numpy(), return_inverse=True)[1].reshape(-1)
    by_key = np.argsort(codes, kind="stable")
    begins = np.ones(count, dtype=np.bool_)
    begins[1:] = codes[by_key][1:] != codes[by_key][:-1]
    value = np.cumsum(begins) * count + rank[by_key]
    best = np.maximum.accumulate(value)
    earlier = np.concatenate(([-1], best[:-1]))
    wins = begins | (value > earlier)
    winner = np.maximum.accumulate(np.where(wins, np.arange(count), 0))
    replaced = np.where(begins, -1, np.concatenate(([0], winner[:-1])))

    def by_row(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        out = np.empty_like(values)
        out[by_key] = values
        return out

    ends = np.append(begins[1:], True)
    return _Verdict(
        wins=by_row(wins),
        same=by_row(~begins & (value == earlier)),
        deletes=union[DELETED].to_numpy(),
        previous=by_row(np.where(replaced < 0, -1, by_key[replaced])),
        last=np.sort(by_key[winner[ends]]),
    )


def _replacing(verdict: _Verdict, known: int) -> npt.NDArray[np.int64]:
    """Rows of the union that replace or delete a state that counts."""
    replacing = np.flatnonzero(verdict.wins & (verdict.previous >= 0))
    replacing = replacing[replacing >= known]
    # A deleted state counts nothing any more: there is nothing to take back.
    return replacing[~verdict.deletes[verdict.previous[replacing]]]


def _retractions(
    union: pl.DataFrame, verdict: _Verdict, replacing: npt.NDArray[np.int64], payload: list[str]
) -> pl.DataFrame:
    """The states that the batch replaced or deleted, with sign −1, at the offset that replaced them."""
    old = union[verdict.previous[replacing]]
    return old.select(
        *payload,
        union[OFFSET][replacing],
        pl.lit("retracted").alias("kind"),
        pl.lit(-1, dtype=pl.Int8).alias("sign"),
        old[OFFSET].alias(STATE_OFFSET),
        pl.lit("").alias("reason"),
    )
