"""`ioc topics`: create the hub's topics on the cluster; `ioc lag`: how far the stream is behind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli import topics_plan
from hub.cli.context import settings
from hub.cli.declared import read_declared
from hub.cli.output import Exit, Format, leave, say, show_rows
from hub.language import t

if TYPE_CHECKING:
    from hub.health.group import Health
    from hub.topics import PartitionLag

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
    app.command("lag", help=t("Độ trễ của bộ xử lý luồng.", "How far the stream worker is behind."))(lag)


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


def lag(output: Annotated[Format, typer.Option("--output", "-o")] = Format.TABLE) -> None:
    from hub.topics import STREAM_GROUP, GroupLag, TopicsError

    config = settings()
    group = GroupLag(
        config.bootstrap, STREAM_GROUP, [contract.topic for contract in read_declared(config).in_use.values()]
    )
    try:
        found, members = group.read(), group.members()
    except TopicsError as error:
        leave(Exit.FAILED, str(error))
    finally:
        group.close()
    lost = _lost()
    health = _health(config.bootstrap, found, members)
    rows = []
    for item in found:
        place = item.topic, item.partition
        seconds = health[place].behind.seconds
        rows.append(
            {
                "topic": item.topic,
                "partition": item.partition,
                "committed": item.committed,
                "end": item.end,
                "lag": item.lag,
                "lag_seconds": None if seconds is None else round(seconds, 1),
                "status": health[place].status.value,
                "lost": None if lost is None else lost.get(place, 0),
            }
        )
    show_rows(rows, LAG_COLUMNS, output)


def _health(bootstrap: str, found: Sequence[PartitionLag], members: int) -> Health:
    """One look at the stream's group, its last commits included."""
    from hub.clock import utc_now
    from hub.health.commits import CommitLog
    from hub.health.group import ALLOWED, Reading, fold
    from hub.health.oldest import OldestRecords
    from hub.kafka_watch import waiting
    from hub.topics import STREAM_GROUP

    oldest, commits = OldestRecords(bootstrap), CommitLog(bootstrap, STREAM_GROUP)
    try:
        reading = Reading(found, oldest.at(waiting(found)), commits.read_back(), members)
    finally:
        oldest.close()
        commits.close()
    return fold({}, reading, ALLOWED, utc_now())


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
