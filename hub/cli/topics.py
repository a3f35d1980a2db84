"""`ioc topics`: create the hub's topics on the cluster; `ioc lag`: how far the stream is behind."""

from __future__ import annotations

from typing import Annotated

import typer

from hub.cli.context import settings
from hub.cli.output import Exit, Format, leave, say, show_rows
from hub.language import t

LAG_COLUMNS = (
    ("topic", t("chủ đề", "topic")),
    ("partition", t("phân vùng", "partition")),
    ("committed", t("đã xử lý", "committed")),
    ("end", t("cuối", "end")),
    ("lag", t("tồn", "lag")),
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("topics", help=t("Tạo các chủ đề còn thiếu trên Kafka.", "Create missing topics in Kafka."))(topics)
    app.command("lag", help=t("Độ trễ của bộ xử lý luồng.", "How far the stream worker is behind."))(lag)


def topics() -> None:
    from hub.topics import TopicsError, ensure_topics
    from schemas.contract import load_contracts

    config = settings()
    try:
        ensure_topics(
            config.bootstrap, load_contracts().values(), config.kafka.topic_partitions, config.kafka.replication_factor
        )
    except TopicsError as error:
        leave(Exit.FAILED, str(error))
    say(t(f"Đã đủ chủ đề trên {config.bootstrap}", f"All topics exist at {config.bootstrap}"))


def lag(output: Annotated[Format, typer.Option("--output", "-o")] = Format.TABLE) -> None:
    from hub.topics import STREAM_GROUP, TopicsError
    from hub.topics import lag as read_lag
    from schemas.contract import load_contracts

    try:
        found = read_lag(settings().bootstrap, STREAM_GROUP, [contract.topic for contract in load_contracts().values()])
    except TopicsError as error:
        leave(Exit.FAILED, str(error))
    rows = [
        {
            "topic": item.topic,
            "partition": item.partition,
            "committed": item.committed,
            "end": item.end,
            "lag": item.lag,
        }
        for item in found
    ]
    show_rows(rows, LAG_COLUMNS, output)
