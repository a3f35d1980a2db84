"""Real data directories of the engine, damaged as a kill damages them. Each scenario wants a process of its own."""

from __future__ import annotations

from pathlib import Path

import chdb

from streams.warehouse.engine import Engine, EngineError
from streams.warehouse.scrub import LOGS, scrub

WINDOW = "SETTINGS non_replicated_deduplication_window = 5"
"""Short, so that the engine begins several logs."""

TABLES = f"""
    CREATE TABLE a (p Int32, n Int64) ENGINE = MergeTree PARTITION BY p ORDER BY n {WINDOW};
    CREATE TABLE s (p Int32, n Int64) ENGINE = SummingMergeTree ORDER BY p {WINDOW};
    CREATE MATERIALIZED VIEW v TO s AS SELECT p, sum(n) AS n FROM a GROUP BY p;
    CREATE MATERIALIZED VIEW inner_v (p Int32, n Int64) ENGINE = SummingMergeTree ORDER BY p {WINDOW}
        AS SELECT p, sum(n) AS n FROM a GROUP BY p
"""


def _opened(place: Path) -> Engine:
    return Engine(place / "data", place / "spool")


def _made(place: Path) -> Engine:
    engine = _opened(place)
    for statement in TABLES.split(";"):
        engine.run(statement, {}, {})
    return engine


def _write(engine: Engine, number: int) -> None:
    settings = {
        "insert_deduplication_token": f"t{number}",
        "deduplicate_blocks_in_dependent_materialized_views": "1",
    }
    engine.run(f"INSERT INTO a VALUES (1, {number})", settings, {})


def _lose(place: Path, number: int) -> None:
    """Take the parts of one block away from every table, as if they had never been renamed into place."""
    for path in [path for path in (place / "data").glob(f"store/*/*/*_{number}_{number}_*") if path.is_dir()]:
        path.rename(path.parent / "detached" / path.name)


def _sums(engine: Engine) -> list[int]:
    return [int(engine.run(f"SELECT sum(n) FROM {name}", {}, {}).body) for name in ("a", "s", "inner_v")]


def lost_beside_merged_parts(place: Path) -> tuple[list[int], int]:
    """Five blocks written and merged, the sixth one's parts lost; then the last five sent again. The sums, and how many
    tokens were dropped."""
    engine = _made(place)
    for number in range(1, 6):
        _write(engine, number)
    engine.run("OPTIMIZE TABLE a FINAL", {}, {})
    engine.run("SYSTEM STOP MERGES", {}, {})
    _write(engine, 6)
    engine.close()
    _lose(place, 6)
    dropped = sum(len(found.dropped) for found in scrub(place / "data"))
    engine = _opened(place)
    try:
        for number in range(2, 7):
            _write(engine, number)
        return _sums(engine), dropped
    finally:
        engine.close()


def lost_after_several_logs(place: Path) -> tuple[list[int], list[int], int]:
    """Thirty blocks written, the last one's parts lost: the sums before and after the last five are sent again, and the
    number of logs of the table that has fewest."""
    engine = _made(place)
    for number in range(1, 30):
        _write(engine, number)
    engine.run("SYSTEM STOP MERGES", {}, {})
    _write(engine, 30)
    engine.close()
    _lose(place, 30)
    logs = min(len(list(logs.iterdir())) for logs in (place / "data").glob(f"store/*/*/{LOGS}"))
    engine = _opened(place)
    try:
        before = _sums(engine)
        for number in range(26, 31):
            _write(engine, number)
        return before, _sums(engine), logs
    finally:
        engine.close()


def lost_part_without_scrub(place: Path) -> int:
    """Rows of a table whose only block lost its part and was sent again, over a directory opened as it was."""
    insert = "INSERT INTO a SETTINGS insert_deduplication_token = 't1' VALUES (1, 1)"
    data = place / "data"
    connection = chdb.connect(str(data))
    for statement in (*TABLES.split(";"), insert):
        connection.query(statement)
    connection.close()
    for path in [path for path in data.glob(f"store/*/*/{LOGS}/../1_1_1_*") if path.is_dir()]:
        path.rename(path.parent / "detached" / path.name)
    connection = chdb.connect(str(data))
    try:
        connection.query(insert)
        return int(connection.query("SELECT count() FROM a").bytes())
    finally:
        connection.close()


def opened_twice(place: Path) -> str:
    """What a second opening says."""
    engine = _opened(place)
    try:
        _opened(place)
    except EngineError as error:
        return str(error)
    finally:
        engine.close()
    return ""
