"""What the core asks of the warehouse for one entity: states, written rows. Blocking calls."""

from __future__ import annotations

import io
from collections.abc import Iterable

import numpy as np
import polars as pl

from schemas.contract import Contract
from streams.block import Bounds, arrow_stream
from streams.broken_views import BrokenViews
from streams.change import DELETED, STATE_OFFSET
from streams.errors import WarehouseError, WarehouseUnavailableError
from streams.fences import BEYOND
from streams.intent import NOTHING, Joint, Member, Written, parse_joint
from streams.look_up import SharedLookUp
from streams.losses import LossBook
from streams.states import HASH_SQL, Hashes, merged_run
from streams.warehouse.client import Warehouse
from streams.warehouse.schema import BOOKKEEPING, column_type

MAX_QUERY_BYTES = 256 * 1024 * 1024
"""A look-up names its keys in the statement: 100,000 keys of 30 bytes are 3 MB, and keys as long as a batch may hold
(`streams.partition.MAX_BATCH_BYTES`) of all batches at once 100 MB, more where they are escaped."""

HASHES_PER_QUERY = 4_000_000
"""Known keys are loaded in slices of about so many, so that no answer grows without bound."""


MANY_KEYS = 1_000
"""So many are told as one text, which the warehouse takes apart itself: 160,000 literals take it 2 s to parse."""

ALL_GRANULES = 20_000
"""With so many keys some are in about every granule, and to look them up in the index is in vain (1 s of 160,000)."""

_BETWEEN = "\n"


def _text(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _among(keys: list[str]) -> str:
    """What stands behind IN for these keys, at least one."""
    text = _BETWEEN.join(keys)
    if len(keys) < MANY_KEYS or text.count(_BETWEEN) != len(keys) - 1:
        return f"({','.join(map(_text, keys))})"
    return f"(SELECT arrayJoin(splitByChar({_text(_BETWEEN)}, {_text(text)})))"


def _frame(stream: bytes) -> pl.DataFrame:
    return pl.read_ipc_stream(io.BytesIO(stream))


class EntityStore:
    """One entity's tables. Safe from several threads."""

    def __init__(self, warehouse: Warehouse, contract: Contract) -> None:
        self._warehouse = warehouse
        self._contract = contract
        self.losses = LossBook(warehouse, contract.topic)
        self._broken_views = BrokenViews(
            warehouse, (f"view_{contract.current_table}", f"view_ledger_{contract.entity}")
        )
        self.look_up = SharedLookUp(self.current_states)
        self._payload = ", ".join(f"`{field.name}`" for field in contract.fields)
        types = [*((field.name, column_type(field)) for field in contract.fields), *BOOKKEEPING]
        self.columns = [name for name, _ in types]
        self._dictionaries = frozenset(name for name, kind in types if "LowCardinality" in kind)

    def known_run(self) -> Hashes:
        """Sorted hashes of all keys that have a state; 10 million take some 2 s."""
        table = self._contract.current_table
        rows = int(self._warehouse.rows(f"SELECT count() FROM {table}")[0][0])
        slices = max(1, -(-rows // HASHES_PER_QUERY))
        return merged_run([self._hashes(f"{HASH_SQL} % {slices} = {number}") for number in range(slices)])

    def _hashes(self, where: str) -> Hashes:
        stream = self._warehouse.arrow(f"SELECT {HASH_SQL} AS hash FROM {self._contract.current_table} WHERE {where}")
        run = np.sort(_frame(stream)["hash"].to_numpy())
        # A key has a row for each state that is not merged away yet. (numpy's own `unique` takes 70 times as long.)
        return run[np.concatenate(([True], run[1:] != run[:-1]))] if len(run) else run

    def written(self, topic_id: str, partition: int) -> Written:
        """The last batch in `_changes`, and the losses on record that follow it."""
        rows = self._warehouse.rows(
            f"SELECT `first`, `last` FROM {self._contract.changes_table} "
            "WHERE partition = {partition:Int32} AND topic_id = {topic_id:String} "
            "ORDER BY partition DESC, `offset` DESC LIMIT 1",
            {"partition": partition, "topic_id": topic_id},
        )
        first, last = (int(rows[0][0]), int(rows[0][1])) if rows else (NOTHING.first, NOTHING.last)
        return self.losses.following(topic_id, partition, first, last)

    def current_states(self, keys: list[str]) -> pl.DataFrame:
        """Newest states of the keys: the contract's columns, `state_offset`, `deleted`, `version`."""
        fields = ", ".join(f"`{field.name}`" for field in self._contract.fields if field.name != "entity_key")
        names = [field.name for field in self._contract.fields if field.name != "entity_key"]
        picks = ", ".join(f"tupleElement(newest, {i}) AS `{name}`" for i, name in enumerate(names, start=1))
        count = len(names)
        return self._states(
            f"SELECT entity_key, {picks}, tupleElement(newest, {count + 1}) AS state_offset, "
            f"tupleElement(newest, {count + 2}) AS deleted, version FROM (SELECT entity_key, "
            f"argMax(tuple({fields}, state_offset, deleted), {self._contract.current_table}.version) AS newest, "
            f"max({self._contract.current_table}.version) AS version "
            f"FROM {self._contract.current_table} WHERE entity_key IN {_among(keys)} "
            "GROUP BY entity_key)",
            len(keys),
        )

    def states_before(self, keys: list[str], bounds: Bounds) -> pl.DataFrame:
        """States of the keys as they were before the batch, from `_changes`: for a redo."""
        # In an earlier life of the topic an entity may have been in another partition.
        earlier = f"life < {bounds.life} OR " if bounds.life else ""
        return self._states(
            f"SELECT {self._payload}, `offset` AS state_offset, kind = 'deleted' AS deleted "
            f"FROM {self._contract.changes_table} "
            f"WHERE ({earlier}(partition = {bounds.partition} AND life = {bounds.life} "
            f"AND `offset` < {bounds.first})) AND kind IN ('applied', 'deleted') "
            f"AND entity_key IN {_among(keys)} "
            "ORDER BY life DESC, `offset` DESC LIMIT 1 BY entity_key",
            len(keys),
        )

    def _states(self, sql: str, keys: int) -> pl.DataFrame:
        settings = {"max_query_size": MAX_QUERY_BYTES, "output_format_arrow_string_as_string": 1}
        if keys >= ALL_GRANULES:
            settings["use_index_for_in_with_subqueries"] = 0
        frame = _frame(self._warehouse.arrow(sql, settings))
        return frame.with_columns(pl.col(STATE_OFFSET).cast(pl.Int64), pl.col(DELETED).cast(pl.Boolean))

    def written_rows(self, bounds: Bounds) -> tuple[pl.DataFrame, Joint]:
        """The rows of a batch that are in `_changes`, and those of the batches in one block with it: the members.

        Its own rows are stamped with the epoch of `bounds`, and other partitions' with one beyond their fences.
        """
        rows = self._rows_of(bounds, (bounds.member,))
        joint = parse_joint(rows["joint"][0]) if rows.height else ()
        if joint:
            rows = self._rows_of(bounds, joint)
        epoch = pl.when(pl.col("partition") == bounds.partition).then(bounds.epoch).otherwise(BEYOND)
        return rows.with_columns(epoch.cast(pl.Int64).alias("epoch")), joint

    def _rows_of(self, bounds: Bounds, members: Iterable[Member]) -> pl.DataFrame:
        columns = ", ".join(f"`{name}`" for name in self.columns)
        within = " OR ".join(
            f"(partition = {member.partition} AND `offset` BETWEEN {member.first} AND {member.last} "
            f"AND `first` = {member.first} AND `last` = {member.last})"
            for member in members
        )
        return _frame(
            self._warehouse.arrow(
                f"SELECT {columns} FROM {self._contract.changes_table} WHERE ({within}) "
                f"AND topic_id = {_text(bounds.topic_id)} AND heal = 0",
                {"output_format_arrow_string_as_string": 1},
            )
        )

    def block(self, rows: pl.DataFrame) -> bytes:
        """The rows of a batch as they are sent."""
        return arrow_stream(rows[self.columns], self._dictionaries)

    def insert(self, block: bytes, token: str) -> None:
        """Insert a block under its token; the same call may be repeated until it succeeds.

        A view that throws is dropped, and the call is to be repeated: `WarehouseUnavailableError`.
        """
        try:
            self._warehouse.insert(self._contract.changes_table, self.columns, block, token)
        except WarehouseUnavailableError:
            raise
        except WarehouseError as error:
            if not self._broken_views.drop(error):
                raise
            raise WarehouseUnavailableError(
                f"a view threw and was dropped, the block is sent again: {error}"
            ) from error
