"""`ioc doctor`: checks this machine; exit code 3 if something is missing."""

from __future__ import annotations

from typing import Annotated

import typer

from hub.cli.context import settings
from hub.cli.output import Exit, Format, show_rows
from hub.language import t

COLUMNS = (
    ("ok", t("đạt", "ok")),
    ("check", t("kiểm tra", "check")),
    ("found", t("thấy", "found")),
    ("cure", t("cách khắc phục", "cure")),
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    text = t(
        "Kiểm tra máy: Python, Java, Maven, Node, cổng, đĩa, đồng hồ – kèm cách khắc phục.",
        "Check the machine: Python, Java, Maven, Node, ports, disk, clock – each with its cure.",
    )
    app.command("doctor", help=text)(doctor)


def doctor(output: Annotated[Format, typer.Option("--output", "-o")] = Format.TABLE) -> None:
    from hub.doctor import examine

    checks = list(examine(settings()))
    rows = [{"ok": check.ok, "check": check.name, "found": check.found, "cure": check.cure} for check in checks]
    show_rows(rows, COLUMNS, output)
    if not all(check.ok for check in checks):
        raise SystemExit(int(Exit.CHECK_FAILED))
