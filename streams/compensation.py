"""What has to be inserted to make `<entity>_changes` right, deleting nothing: pure.

The primary rows hold every assertion, so the changes of an entity can be computed anew from its own history (and from
records that were lost and are read from Kafka again). What is there too often is taken back by a row of kind
`retracted` with `heal` = 1, the opposite sign, and the kind it takes back as its reason; what is missing is added with
`heal` = 1.
"""

from __future__ import annotations

import polars as pl

from schemas.contract import Contract
from streams.change import STATE_OFFSET, compute

PLACE = ("life", "partition", "offset")
"""Where a record was, in the order in which the lives and offsets of one partition follow each other."""

BATCH = ("topic_id", "first", "last", "kafka_time", "batch_time")

PRIMARY = ("applied", "superseded", "repeat", "deleted", "quarantined")

_SEEN = "__seen"
_NET = "__net"
_IDENTITY = ("entity_key", *PLACE, "kind", "sign", STATE_OFFSET)


def _with_net(rows: pl.DataFrame) -> pl.DataFrame:
    """Add `__net`: 1 for a row, −1 for one that takes a row back, which is then described as the row it takes back."""
    takes_back = (
        (pl.col("heal") == 1) & (pl.col("kind") == "retracted") & pl.col("reason").is_in([*PRIMARY, "retracted"])
    )
    return rows.with_columns(
        pl.when(takes_back).then(pl.col("reason")).otherwise(pl.col("kind")).alias("kind"),
        pl.when(takes_back).then(-pl.col("sign")).otherwise(pl.col("sign")).cast(pl.Int8).alias("sign"),
        pl.when(takes_back).then(-1).otherwise(1).cast(pl.Int64).alias(_NET),
    )  # fmt: skip


def assertions(rows: pl.DataFrame) -> pl.DataFrame:
    """One row for each record in `rows` (of `<entity>_changes`) that is not quarantined, in order."""
    primary = _with_net(rows).filter(pl.col("kind").is_in(PRIMARY) & (pl.col("kind") != "quarantined"))
    return primary.unique(list(PLACE), keep="first", maintain_order=True).sort(PLACE)


def moved(rows: pl.DataFrame) -> list[str]:
    """Entities with records in several partitions of one life: their order cannot be told from the rows."""
    homes = rows.group_by("entity_key", "life").agg(pl.col("partition").n_unique().alias("homes"))
    return sorted(homes.filter(pl.col("homes") > 1)["entity_key"].unique())


def right_rows(history: pl.DataFrame, contract: Contract) -> pl.DataFrame:
    """The changes that the assertions amount to. `history`: whole histories of some entities, as `assertions` gives
    them; the rows have the contract's columns, those of PLACE and BATCH, kind, sign, state_offset and reason."""
    payload = [field.name for field in contract.fields]
    order = history.with_row_index(_SEEN).with_columns(pl.col(_SEEN).cast(pl.Int64))
    numbered = order.select(*payload, pl.col(_SEEN).alias("offset"))
    nothing = numbered.clear().select(
        *payload, pl.col("offset").alias(STATE_OFFSET), pl.lit(value=False).alias("deleted")
    )
    rows = compute(numbered, nothing, contract).rows.rename({"offset": _SEEN, STATE_OFFSET: "__state"})
    places = order.select(_SEEN, *PLACE, *BATCH)
    states = order.select(pl.col(_SEEN).alias("__state"), pl.col("offset").alias(STATE_OFFSET))
    placed = rows.join(places, on=_SEEN, how="left").join(states, on="__state", how="left")
    return placed.select(*payload, *PLACE, *BATCH, "kind", "sign", STATE_OFFSET, "reason")


def compensation(actual: pl.DataFrame, right: pl.DataFrame, contract: Contract) -> pl.DataFrame:
    """The rows to insert. `actual`: all rows of the entities in question; `right`: as `right_rows` gives them.

    Quarantined rows stay as they are, once each. Without `epoch`; deterministic order.
    """
    columns = [*(field.name for field in contract.fields), *PLACE, *BATCH, "kind", "sign", STATE_OFFSET, "reason"]
    there = _with_net(actual)
    refused = there.filter(pl.col("kind") == "quarantined").unique(list(PLACE), keep="first", maintain_order=True)
    wanted = pl.concat([right.select(columns), refused.select(columns)], how="vertical_relaxed")
    counted = there.group_by(_IDENTITY).agg(pl.col(_NET).sum())
    samples = there.unique(list(_IDENTITY), keep="first", maintain_order=True)
    too_many = (
        samples.drop(_NET)
        .join(counted, on=_IDENTITY)
        .join(wanted.select(*_IDENTITY, pl.lit(1, pl.Int64).alias("__wanted")), on=_IDENTITY, how="left")
        .with_columns((pl.col(_NET) - pl.col("__wanted").fill_null(0)).alias("__excess"))
        .filter(pl.col("__excess") > 0)
        .select(
            pl.exclude("kind", "sign", "reason", _NET, "__wanted"),
            pl.lit("retracted").alias("kind"),
            (-pl.col("sign")).cast(pl.Int8).alias("sign"),
            pl.col("kind").alias("reason"),
        )
    )
    too_few = wanted.join(counted, on=_IDENTITY, how="left").with_columns(
        (1 - pl.col(_NET).fill_null(0)).alias("__excess")
    )
    too_few = too_few.filter(pl.col("__excess") > 0)
    both = pl.concat(
        [part.select(*columns, pl.col("__excess").cast(pl.Int64)) for part in (too_many, too_few)],
        how="vertical_relaxed",
    )
    repeated = both.select(pl.exclude("__excess").repeat_by("__excess").explode()) if both.height else both
    return (
        repeated.select(columns)
        .with_columns(pl.lit(1, dtype=pl.UInt8).alias("heal"))
        .sort(*PLACE, "sign", "kind", "reason", descending=[False, False, False, True, False, False])
    )


def last_states(right: pl.DataFrame, contract: Contract) -> pl.DataFrame:
    """The state each entity should show: the contract's columns, deleted, version and state_offset."""
    payload = [field.name for field in contract.fields]
    applied = right.filter(pl.col("kind").is_in(["applied", "deleted"])).sort(PLACE)
    newest = applied.unique("entity_key", keep="last", maintain_order=True)
    return newest.select(
        *payload,
        (pl.col("kind") == "deleted").cast(pl.UInt8).alias("deleted"),
        (pl.col("life").cast(pl.UInt64) * 2**40 + pl.col("offset").cast(pl.UInt64)).alias("version"),
        pl.col(STATE_OFFSET).cast(pl.Int64),
    )
