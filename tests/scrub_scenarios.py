"""Real data directories of the engine, damaged as a kill damages them. Each scenario wants a process of its own."""

from __future__ import annotations

from pathlib import Path

import chdb

from streams.warehouse.engine import Engine, EngineError
from streams.warehouse.scrub import LOGS, scrub

TABLES = """
    CREATE TABLE a (p Int32, n Int64) ENGINE = MergeTree PARTITION BY p ORDER BY n
        SETTINGS non_replicated_deduplication_window = 100;
    CREATE TABLE s (p Int32, n Int64) ENGINE = SummingMergeTree ORDER BY p
        SETTINGS non_replicated_deduplication_window = 100;
    CREATE MATERIALIZED VIEW v TO s AS SELECT p, sum(n) AS n FROM a GROUP BY p;
    CREATE MATERIALIZED VIEW inner_v (p Int32, n Int64) ENGINE = SummingMergeTree ORDER BY p
        SETTINGS non_replicated_deduplication_window = 100 AS SELECT p, sum(n) AS n FROM a GROUP BY p
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


def _sums(engine: Engine) -> list[int]:
    return [int(engine.run(f"SELECT sum(n) FROM {name}", {}, {}).body) for name in ("a", "s", "inner_v")]


def ghost_tokens_beside_merged_parts(place: Path) -> tuple[list[int], list[str]]:
    """Five blocks written and merged, the sixth block's token without its part in all three tables; then all six sent
    again. The sums, and the parts of the tokens that were dropped."""
    engine = _made(place)
    for number in range(1, 6):
        _write(engine, number)
    engine.run("OPTIMIZE TABLE a FINAL", {}, {})
    _write(engine, 6)
    engine.close()
    for path in [path for path in (place / "data").glob("store/*/*/*_6_6_*") if path.is_dir()]:
        path.rename(path.parent / "detached" / path.name)
    dropped = [token.part.replace("_6_6_1", "_6_6_0") for found in scrub(place / "data") for token in found.dropped]
    engine = _opened(place)
    try:
        for number in range(1, 7):
            _write(engine, number)
        return _sums(engine), dropped
    finally:
        engine.close()


def lost_parts(place: Path) -> tuple[list[int], list[int]]:
    """Three blocks written, the third's parts gone from every table: the sums before and after all are sent again."""
    engine = _made(place)
    for number in range(1, 4):
        _write(engine, number)
    engine.close()
    for path in [path for path in (place / "data").glob("store/*/*/*_3_3_*") if path.is_dir()]:
        path.rename(path.parent / "detached" / path.name)
    engine = _opened(place)
    try:
        before = _sums(engine)
        for number in range(1, 4):
            _write(engine, number)
        return before, _sums(engine)
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
