"""`ioc kafka fetch`: Apache Kafka's jars by Maven."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from hub.cli.context import settings
from hub.cli.output import Exit, leave, say
from hub.language import t

if TYPE_CHECKING:
    from hub.kafka_jars import KafkaJars


def register(app: typer.Typer) -> None:
    """Add the noun."""
    kafka = typer.Typer(no_args_is_help=True, help=t("Kafka của máy này.", "This machine's Kafka."))
    kafka.command("fetch", help=t("Tải các tệp jar bằng Maven.", "Fetch the jars with Maven."))(fetch)
    app.add_typer(kafka, name="kafka")


def fetch() -> None:
    from hub.broker import classes_of
    from hub.kafka_jars import kafka_jars

    jars = kafka_jars(settings().kafka.libs)
    if jars.complete():
        say(t(f"Đã có đủ trong {jars.libs}", f"Complete in {jars.libs}"))
    else:
        classes_of(jars.libs).unlink(missing_ok=True)  # of other jars
        _fetch(jars)
    if not classes_of(jars.libs).exists():
        _archive(jars.libs)


def _fetch(jars: KafkaJars) -> None:
    from hub.kafka_jars import JarsError

    say(t(f"Tải Apache Kafka về {jars.libs} …", f"Fetching Apache Kafka to {jars.libs} …"))
    count = 0

    def progress(name: str) -> None:
        nonlocal count
        count += 1
        say(f"  [{count}] {name}")

    try:
        jars.fetch(progress)
    except JarsError as error:
        leave(Exit.FAILED, str(error))


def _archive(libs: Path) -> None:
    from hub.kafka_classes import ArchiveError, make_archive

    say(t("Ghi sẵn các lớp của Kafka để khởi động nhanh …", "Keeping Kafka's classes for quick starts …"))
    try:
        make_archive(libs)
    except ArchiveError as error:
        say(t(f"Không ghi được, Kafka khởi động chậm hơn: {error}", f"Not kept, Kafka starts more slowly: {error}"))
