"""Signed changes: pure. From (states before a batch, the batch) to the rows of `<entity>_changes`.

Every offset leaves exactly one primary row – applied (sign +1), deleted, superseded, repeat or quarantined
(sign 0) – and every state that is replaced or deleted is taken back by one extra row with sign −1. The order of
assertions is (revision, op rank, content hash): total, so the outcome does not depend on arrival.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import polars as pl

from schemas.contract import OPS, Contract

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
    """`rows`: the contract's columns, offset, kind, sign, state_offset. `states`: the last state of each key
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
    known = states.select(*payload, pl.col(STATE_OFFSET).alias(OFFSET), DELETED)
    fresh = batch.select(*payload, OFFSET, (pl.col("op") == "DELETE").alias(DELETED))
    union = pl.concat([known, fresh]).with_columns(pl.int_range(pl.len(), dtype=pl.Int64).alias(_SEQ))
    union = _ordered(union, contract)

    # The states come first and the batch is in offset order, so within a key the row number is the arrival.
    is_state = pl.col(_SEQ) < known.height
    best = pl.col(_ORDER).cum_max().shift(1).over("entity_key")
    marked = union.select(
        "entity_key",
        _SEQ,
        is_state.alias("is_state"),
        DELETED,
        (best.is_null() | (pl.col(_ORDER) > best)).alias("wins"),
        (pl.col(_ORDER) == best).fill_null(value=False).alias("same"),
    ).with_columns(
        pl.when("wins").then(pl.col(_SEQ)).forward_fill().shift(1).over("entity_key").alias("previous"),
    )
    kind = (
        pl.when(pl.col("wins") & pl.col(DELETED))
        .then(pl.lit("deleted"))
        .when("wins")
        .then(pl.lit("applied"))
        .when("same")
        .then(pl.lit("repeat"))
        .otherwise(pl.lit("superseded"))
    )
    primary = union.slice(known.height).with_columns(marked.slice(known.height).select(kind.alias("kind"), "previous"))
    rows = primary.select(
        *payload,
        OFFSET,
        "kind",
        (pl.col("kind") == "applied").cast(pl.Int8).alias("sign"),
        pl.col(OFFSET).alias(STATE_OFFSET),
    )
    return Changes(
        rows=pl.concat([rows, _retractions(union, primary, payload)]),
        states=_last_states(union, marked, payload),
    )


def _retractions(union: pl.DataFrame, primary: pl.DataFrame, payload: list[str]) -> pl.DataFrame:
    """The states that the batch replaced or deleted, with sign −1, at the offset that replaced them."""
    replacing = primary.filter(pl.col("kind").is_in(["applied", "deleted"]) & pl.col("previous").is_not_null())
    old = union[replacing["previous"]]
    taken_back = old.select(
        *payload,
        replacing[OFFSET],
        pl.lit("retracted").alias("kind"),
        pl.lit(-1, dtype=pl.Int8).alias("sign"),
        old[OFFSET].alias(STATE_OFFSET),
        DELETED,
    )
    # A deleted state counts nothing any more: there is nothing to take back.
    return taken_back.filter(~pl.col(DELETED)).drop(DELETED)


def _last_states(union: pl.DataFrame, marked: pl.DataFrame, payload: list[str]) -> pl.DataFrame:
    last = marked.filter("wins").group_by("entity_key").agg(pl.col(_SEQ).max(), pl.col("is_state").last())
    changed = last.filter(~pl.col("is_state"))[_SEQ].sort()
    return union[changed].select(*payload, pl.col(OFFSET).alias(STATE_OFFSET), DELETED)
