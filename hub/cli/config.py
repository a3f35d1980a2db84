"""`ioc config show`: what the settings are, and where each came from."""

from __future__ import annotations

from typing import Annotated

import typer

from hub.cli.context import loaded
from hub.cli.output import Format, show_rows
from hub.language import t


def register(app: typer.Typer) -> None:
    """Add the noun."""
    config = typer.Typer(no_args_is_help=True, help=t("Cấu hình.", "Settings."))
    config.command(
        "show",
        help=t(
            "Cấu hình đang dùng; mật khẩu được che.\n\nVí dụ:  ioc config show --origin",
            "The settings in use; passwords are masked.\n\nExample:  ioc config show --origin",
        ),
    )(show)
    app.add_typer(config, name="config")


def show(
    origin: Annotated[bool, typer.Option("--origin", help=t("Kèm nguồn gốc.", "With their origin."))] = False,
    output: Annotated[Format, typer.Option("--output", "-o")] = Format.TABLE,
) -> None:
    from hub.config import flat_values, redacted

    found = loaded()
    rows = [
        {
            "key": key,
            "value": redacted(key, value),
            "origin": found.origins.get(key, t("mặc định", "default")),
        }
        for key, value in flat_values(found.settings)
    ]
    columns = [("key", t("khóa", "key")), ("value", t("giá trị", "value"))]
    if origin:
        columns.append(("origin", t("nguồn", "origin")))
    show_rows(rows, columns, output)
