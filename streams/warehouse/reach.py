"""How far an entity's topic partitions are written, by `<entity>_changes` and the fences. Blocks."""

from __future__ import annotations

from collections.abc import Sequence

from streams.generations import Cut, Reach
from streams.warehouse.client import Warehouse


def reached(
    warehouse: Warehouse, fence_table: str, changes: str, waiting: Sequence[Cut] | None = None
) -> dict[int, Reach]:
    """The last offset of each partition in its newest life, −1 if none.

    With `waiting` it tells only whether those cuts are passed, by the primary key: cheap enough to ask again and again.
    """
    lives = {
        int(partition): (int(life), str(topic_id))
        for partition, life, topic_id in warehouse.rows(f"SELECT partition, life, topic_id FROM {fence_table}")
    }
    where = "1"
    if waiting is not None:
        where = " OR ".join(f"(partition = {cut.partition} AND offset >= {cut.offset})" for cut in waiting) or "0"
    ends = {
        (int(partition), int(life)): int(offset)
        for partition, life, offset in warehouse.rows(
            f"SELECT partition, life, max(offset) FROM {changes} WHERE {where} GROUP BY partition, life ORDER BY life"
        )
    }
    for partition, life in ends:
        if partition not in lives or lives[partition][0] < life:
            lives[partition] = (life, "")
    return {p: Reach(life, ends.get((p, life), -1), topic_id) for p, (life, topic_id) in lives.items()}


def written_ranges(warehouse: Warehouse, changes: str) -> list[tuple[int, int, int, int, int]]:
    """(partition, life, first offset, last offset, count of rows) of what is written."""
    rows = warehouse.rows(
        f"SELECT partition, life, min(offset), max(offset), count() FROM {changes} GROUP BY partition, life"
    )
    return [(int(row[0]), int(row[1]), int(row[2]), int(row[3]), int(row[4])) for row in rows]
