"""Records in the order of their keys, a page at the same cost at any depth. Calls block on the warehouse.

`<entity>_current` may hold a record's older states until they are merged away. Asking for the last ones (FINAL) reads
far more than a page, so keys are looked for among all states first, in the table's own order, which ends with the page;
then the last states of these few keys are held against the same conditions. A record whose last state fits has a state
that fits, so none is missed; one of which only an older state fits falls out, and more keys are looked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from hub.kpi.statement import Statement, Value
from schemas.contract import Contract

KEY = "entity_key"

MOST_ROUNDS = 20
"""Looks for more keys: older states that fit are few, and merges take them away."""

SPARE = 8
"""Keys looked for beyond the page, so that a few older states cost no second look."""


class Rows(Protocol):
    """What is asked of `hub.kpi.reader.Reader`."""

    def rows(self, statement: Statement) -> Sequence[Sequence[Any]]: ...


def rows_by_key(
    reader: Rows,
    contract: Contract,
    columns: Sequence[str],
    where: Sequence[str],
    parameters: dict[str, str],
    wanted: int,
    after: str | None,
) -> list[Sequence[Any]]:
    """Up to `wanted` rows of records not deleted, in the order of their keys, beyond the key `after`.

    `columns`: SQL over a state. `where`: conditions on a state, with `parameters`.
    """
    # Nearly always one look gives a whole page, in one statement.
    most = list(reader.rows(_at_once(contract, columns, where, parameters, wanted + SPARE, after)))
    if len(most) >= wanted:
        return most[:wanted]
    found: list[Sequence[Any]] = []
    place = after
    for _ in range(MOST_ROUNDS):
        limit = wanted - len(found) + SPARE
        states = [str(row[0]) for row in reader.rows(_keys(contract, where, parameters, limit, place))]
        if not states:
            break
        keys = list(dict.fromkeys(states))
        found += reader.rows(_states(contract, columns, where, parameters, keys))
        place = keys[-1]
        if len(found) >= wanted or len(states) < limit:
            break
    return found[:wanted]


def _keys(
    contract: Contract, where: Sequence[str], parameters: dict[str, str], limit: int, after: str | None
) -> Statement:
    # One key for each state: the warehouse would sort all of them to give each key once.
    given = {**parameters, "keys_limit": str(limit)}
    beyond = ""
    if after is not None:
        given["keys_after"] = after
        beyond = f" AND {KEY} > {{keys_after:String}}"
    return Statement(
        f"SELECT {KEY} FROM {contract.current_table} WHERE deleted = 0{beyond} AND {' AND '.join(where)}"
        f" ORDER BY {KEY} LIMIT {{keys_limit:UInt32}}",
        given,
    )


def _at_once(
    contract: Contract,
    columns: Sequence[str],
    where: Sequence[str],
    parameters: dict[str, str],
    limit: int,
    after: str | None,
) -> Statement:
    keys = _keys(contract, where, parameters, limit, after)
    return Statement(_last(contract, columns, where, f"({keys.sql})"), keys.parameters)


def _states(
    contract: Contract, columns: Sequence[str], where: Sequence[str], parameters: dict[str, str], keys: Sequence[str]
) -> Statement:
    # One list: a parameter for each key took the warehouse longer to read than the records.
    given: dict[str, Value] = {**parameters, "keys_found": list(keys)}
    return Statement(_last(contract, columns, where, "{keys_found:Array(String)}"), given)


def _last(contract: Contract, columns: Sequence[str], where: Sequence[str], among: str) -> str:
    """SQL of the last states of the keys `among`, of those that fit."""
    last = (
        f"SELECT * FROM {contract.current_table} WHERE {KEY} IN {among} ORDER BY {KEY}, version DESC LIMIT 1 BY {KEY}"
    )
    return f"SELECT {', '.join(columns)} FROM ({last}) WHERE deleted = 0 AND {' AND '.join(where)} ORDER BY {KEY}"
