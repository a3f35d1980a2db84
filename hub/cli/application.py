"""The command tree and its global options."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from hub.cli import (
    alerts,
    audit,
    codes,
    config,
    contract,
    demo,
    doctor,
    figures,
    health,
    kafka,
    keys,
    lag,
    reading,
    rebuild,
    roles,
    stack,
    status,
    topics,
)
from hub.cli.context import INVOCATION, add_flag
from hub.cli.output import STYLE
from hub.language import t

app = typer.Typer(
    name="ioc",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    help=t(
        "Trục tích hợp dữ liệu của Trung tâm điều hành thông minh (IOC).",
        "Integration hub of a province's Intelligent Operations Centre.",
    ),
    epilog=t(
        "Ví dụ:  ioc up --wait  ·  ioc kpi get dossier.on_time_share --from 2022-01-01 --to 2022-09-30  ·  ioc down",
        "Examples:  ioc up --wait  ·  ioc kpi get dossier.on_time_share --from 2022-01-01 --to 2022-09-30  ·  ioc down",
    ),
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from hub.version import version

        print(f"ioc {version()}")
        raise typer.Exit


@app.callback()
def options(
    state_dir: Annotated[
        Path | None, typer.Option("--state-dir", help=t("Thư mục trạng thái.", "State directory."), show_default=False)
    ] = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help=t("Đặt một cấu hình.", "Set a setting."), show_default=False),
    ] = None,
    lang: Annotated[
        str | None, typer.Option("--lang", metavar="vi|en", help=t("Ngôn ngữ.", "Language."), show_default=False)
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help=t("Không in thông báo.", "No messages."))] = False,
    no_color: Annotated[bool, typer.Option("--no-color", help=t("Không tô màu.", "No colours."))] = False,
    show_version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help=t("In phiên bản.", "Print the version.")),
    ] = False,
) -> None:
    """Global options come before the command."""
    STYLE.quiet = quiet
    STYLE.color = not no_color
    for assignment in assignments or ():
        add_flag(assignment)
    if state_dir is not None:
        INVOCATION.flags["state_dir"] = str(state_dir)
    if lang is not None:
        INVOCATION.flags["lang"] = lang


for commands in (
    *(stack, status, health, alerts, lag, demo, reading, contract, codes, audit),
    *(figures, rebuild, keys, topics, doctor, config, kafka, roles),
):
    commands.register(app)


def main() -> None:
    """Entry point of `ioc`; ends the process with one of the codes of `hub.cli.output.Exit`."""
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # The reader of our pipe has seen enough; keep the interpreter from complaining at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
