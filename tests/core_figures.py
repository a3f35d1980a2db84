"""Figures of a core under test, as its warehouse has them."""

from __future__ import annotations

from tests.stream_worker import Bench


def measured(table: Bench) -> dict[str, int]:
    """The same figures as `tests.dossiers.figures`, from the rollups and the current states."""
    name = table.name
    received, online = table.warehouse.rows(f"SELECT sum(received), sum(received_online) FROM {name}_by_received_at")[0]
    finished, on_time, electronic = table.warehouse.rows(
        f"SELECT sum(finished), sum(finished_on_time), sum(result_electronic) FROM {name}_by_ended_at"
    )[0]
    states = table.warehouse.rows(f"SELECT count() FROM {name}_current FINAL WHERE NOT deleted")[0][0]
    return {
        "states": states,
        "received": received,
        "received_online": online,
        "finished": finished,
        "finished_on_time": on_time,
        "result_electronic": electronic,
    }


def kinds(table: Bench) -> dict[str, int]:
    rows = table.warehouse.rows(f"SELECT kind, count() FROM {table.name}_changes GROUP BY kind")
    return {str(kind): int(count) for kind, count in rows}


def assert_every_offset_once(table: Bench, messages: int) -> None:
    rows = table.warehouse.rows(
        f"SELECT count(), uniqExact(partition, `offset`) FROM {table.name}_changes WHERE kind != 'retracted'"
    )
    assert tuple(rows[0]) == (messages, messages)
