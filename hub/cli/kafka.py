"""`ioc kafka fetch`: Apache Kafka's jars by Maven."""

from __future__ import annotations

import typer

from hub.cli.context import settings
from hub.cli.output import Exit, leave, say
from hub.language import t


def register(app: typer.Typer) -> None:
    """Add the noun."""
    kafka = typer.Typer(no_args_is_help=True, help=t("Kafka của máy này.", "This machine's Kafka."))
    kafka.command("fetch", help=t("Tải các tệp jar bằng Maven.", "Fetch the jars with Maven."))(fetch)
    app.add_typer(kafka, name="kafka")


def fetch() -> None:
    from hub.kafka_jars import JarsError, kafka_jars

    jars = kafka_jars(settings().kafka.libs)
    if jars.complete():
        say(t(f"Đã có đủ trong {jars.libs}", f"Complete in {jars.libs}"))
        return
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
