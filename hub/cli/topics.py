"""`ioc topics`: create the hub's topics on the cluster, and give them more partitions."""

from __future__ import annotations

from typing import Annotated

import typer

from hub.cli import topics_plan
from hub.cli.context import settings
from hub.cli.declared import read_declared
from hub.cli.output import Exit, leave, say
from hub.language import t


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(
        invoke_without_command=True,
        help=t("Tạo các chủ đề còn thiếu trên Kafka.", "Create missing topics in Kafka."),
    )
    group.callback()(topics)
    group.command(
        "grow",
        help=t(
            "Thêm phân vùng cho một chủ đề, giữ đúng thứ tự từng hồ sơ.\n\n"
            "Ví dụ:  ioc topics grow ioc.administration.dossier --partitions 8",
            "More partitions for a topic, every entity's order kept.\n\n"
            "Example:  ioc topics grow ioc.administration.dossier --partitions 8",
        ),
    )(grow)
    topics_plan.register(group)
    app.add_typer(group, name="topics")


def topics(context: typer.Context) -> None:
    if context.invoked_subcommand is not None:
        return
    from hub.topics import TopicsError, ensure_topics

    config = settings()
    try:
        ensure_topics(
            config.bootstrap,
            read_declared(config).in_use.values(),
            config.kafka.topic_partitions,
            config.kafka.replication_factor,
        )
    except TopicsError as error:
        leave(Exit.FAILED, str(error))
    say(t(f"Đã đủ chủ đề trên {config.bootstrap}", f"All topics exist at {config.bootstrap}"))


def grow(
    topic: Annotated[str, typer.Argument(metavar="TOPIC")],
    partitions: Annotated[int, typer.Option("--partitions", min=1, help=t("Số phân vùng mới.", "Their new number."))],
    within: Annotated[
        float, typer.Option("--within", min=1, help=t("Chờ xử lý hết, giây.", "Seconds to wait for the drain."))
    ] = 120.0,
    without_drain: Annotated[
        bool,
        typer.Option(
            "--without-drain",
            help=t(
                "Khi công cụ khác đã thêm phân vùng: nhận ngay, rồi chạy ioc audit.",
                "For partitions that another tool has added: take them up at once, then run ioc audit.",
            ),
        ),
    ] = False,
) -> None:
    import asyncio

    from connectors.errors import ConnectorError
    from hub.topic_growth import GrowthRefusedError
    from hub.topics import TopicsError
    from hub.wiring import grow_topic
    from streams.errors import StreamError

    try:
        grown = asyncio.run(grow_topic(settings(), topic, partitions, within, not without_drain, say))
    except (GrowthRefusedError, TopicsError, ConnectorError, StreamError) as error:
        leave(Exit.FAILED, str(error))
    if not grown.in_order:
        say(
            t(
                "Có nơi vẫn ghi trong lúc thêm phân vùng: bộ xử lý sẽ để phân vùng mới chờ cho đúng thứ tự.",
                "Somebody wrote while partitions were added: workers let the new ones wait to keep the order.",
            )
        )
    elif not grown.reassigned:
        say(t("Chưa có bộ xử lý nào nhận phân vùng mới.", "No worker has taken the new partitions over yet."))
    say(t(f"{topic} có {partitions} phân vùng", f"{topic} has {partitions} partitions"))
