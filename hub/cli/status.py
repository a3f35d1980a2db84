"""`ioc status`: the stack's processes, and what its roles say of themselves."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from hub.cli.context import settings
from hub.cli.output import Exit, Format, say, show_json, show_rows
from hub.language import t

UNIT_COLUMNS = (
    ("unit", t("tiến trình", "process")),
    ("phase", t("trạng thái", "state")),
    ("pid", "pid"),
    ("rss_mib", "RSS MiB"),
    ("deaths", t("số lần chết", "deaths")),
)
CHECK_COLUMNS = (("check", t("kiểm tra", "check")), ("ok", t("đạt", "ok")), ("cause", t("nguyên nhân", "cause")))


def register(app: typer.Typer) -> None:
    """Add the command."""
    text = t(
        "Các tiến trình và /readyz. Mã thoát 0 nếu sẵn sàng, 1 nếu chưa.",
        "Processes and /readyz. Exit code 0 if ready, 1 if not.",
    )
    app.command("status", help=text)(status)


def status(output: Annotated[Format, typer.Option("--output", "-o")] = Format.TABLE) -> None:
    from hub.status import stack_status

    found = stack_status(settings())
    units: list[dict[str, Any]] = found["units"]
    if output is Format.JSON:
        show_json(found)
    else:
        show_rows(units, UNIT_COLUMNS, output)
        if output is Format.TABLE:
            show_rows(found["checks"], CHECK_COLUMNS, output)
    if not found["running"]:
        say(t("Không có gì đang chạy; khởi động: ioc up --wait", "Nothing runs; start it: ioc up --wait"))
    if not found["ready"]:
        raise SystemExit(int(Exit.FAILED))
