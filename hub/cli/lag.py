"""`ioc lag`: how far a consumer group is behind, read from Kafka itself: it works while everything else is down."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli.context import settings
from hub.cli.declared import read_declared
from hub.cli.output import Exit, Format, console, leave, say, show_rows
from hub.language import t

if TYPE_CHECKING:
    from hub.health.group import Health
    from hub.topics import PartitionLag

WATCH_S = 2.0
LAG_COLUMNS = (
    ("topic", t("chủ đề", "topic")),
    ("partition", t("phân vùng", "partition")),
    ("committed", t("đã xử lý", "committed")),
    ("end", t("cuối", "end")),
    ("lag", t("tồn", "lag")),
    ("lag_seconds", t("trễ (giây)", "lag (s)")),
    ("status", t("trạng thái", "status")),
    ("lost", t("đã mất", "lost")),
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "lag",
        help=t(
            "Nhóm xử lý chậm bao nhiêu, theo bản ghi và giây.\n\nVí dụ:  ioc lag --watch",
            "How far a group is behind, in records and seconds.\n\nExample:  ioc lag --watch",
        ),
    )(lag)


def lag(
    group: Annotated[
        str | None,
        typer.Option("--group", help=t("Nhóm; mặc định bộ xử lý luồng.", "Group; default the stream workers'.")),
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help=t("Đọc lại mỗi 2 giây đến khi Ctrl-C.", "Again every 2 s until Ctrl-C."))
    ] = False,
    output: Annotated[Format, typer.Option("--output", "-o")] = Format.TABLE,
) -> None:
    from hub.topics import STREAM_GROUP, TopicsError

    name = group or STREAM_GROUP
    looking: _Looking | None = None
    try:
        looking = _Looking(name)
        while True:
            rows = looking.rows()
            if watch and sys.stdout.isatty():
                console(sys.stdout).clear()
            show_rows(rows, LAG_COLUMNS, output)
            if not rows:
                say(t(f"Nhóm {name} chưa xử lý chủ đề nào", f"The group {name} has not processed any topic yet"))
            if not watch:
                return
            time.sleep(WATCH_S)
    except TopicsError as error:
        leave(Exit.FAILED, str(error))
    finally:
        if looking is not None:
            looking.close()


class _Looking:
    """Looks at one group again and again; the first look reads its last commits."""

    def __init__(self, group: str) -> None:
        from hub.group_lag import GroupLag
        from hub.health.commits import CommitLog
        from hub.health.oldest import OldestRecords
        from hub.topics import STREAM_GROUP

        config = settings()
        self._own = group == STREAM_GROUP
        asked = GroupLag(config.bootstrap, group, ())
        try:
            declared = [contract.topic for contract in read_declared(config).in_use.values()]
            topics = declared if self._own else asked.committed_topics()
        finally:
            asked.close()
        # The stream leaves aside what is not committed; of another group nobody says.
        self._group = GroupLag(config.bootstrap, group, topics, read_committed=self._own)
        self._oldest = OldestRecords(config.bootstrap, read_committed=self._own)
        self._commits = CommitLog(config.bootstrap, group)
        self._health: Health = {}
        self._first = True

    def rows(self) -> list[dict[str, Any]]:
        """One row a partition; raises TopicsError."""
        asked, members = self._group.read(), self._group.members()
        found = self._look(asked, members)
        lost = _lost() if self._own else {}
        rows = []
        for item in found:
            place = item.topic, item.partition
            seconds = self._health[place].behind.seconds
            rows.append(
                {
                    "topic": item.topic,
                    "partition": item.partition,
                    "committed": item.committed,
                    "end": item.end,
                    "lag": item.lag,
                    "lag_seconds": None if seconds is None else round(seconds, 1),
                    "status": self._health[place].status.value,
                    "lost": None if lost is None else lost.get(place, 0),
                }
            )
        return rows

    def _look(self, asked: Sequence[PartitionLag], members: int) -> Sequence[PartitionLag]:
        """What is there, without offsets that hold no record."""
        from hub.clock import utc_now
        from hub.health.group import ALLOWED, Reading, fold
        from hub.kafka_watch import beyond, waiting

        commits = self._commits.read_back() if self._first else self._commits.read()
        self._first = False
        oldest = self._oldest.at(waiting(asked))
        found = beyond(asked, self._oldest.empty)
        reading = Reading(found, oldest, commits, members)
        self._health = fold(self._health, reading, ALLOWED, utc_now())
        return found

    def close(self) -> None:
        for part in (self._group, self._oldest, self._commits):
            part.close()


def _lost() -> dict[tuple[str, int], int] | None:
    """Records that retention took before they were processed; None while the warehouse does not tell."""
    from hub.wiring import warehouse_client
    from streams.errors import WarehouseError
    from streams.losses import lost_records

    warehouse = warehouse_client(settings(), read_only=True)
    try:
        return lost_records(warehouse)
    except WarehouseError as error:
        say(t(f"Chưa biết số bản ghi đã mất: {error}", f"Lost records are not known: {error}"))
        return None
    finally:
        warehouse.close()
