"""`ioc up`, `ioc down`, `ioc status`: the stack on this machine."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli.context import INVOCATION, settings, state_dir
from hub.cli.declared import read_declared
from hub.cli.output import Exit, complain, leave, say
from hub.language import t

if TYPE_CHECKING:
    from hub.config import Settings

READY_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 60.0

FETCH_NOW = "Kafka's jars are missing (about 60 MB). Fetch them with Maven now?"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(
        "up",
        help=t(
            "Khởi động cả hệ thống trên máy này.\n\nVí dụ:  ioc up  ·  ioc up --wait --timeout 60",
            "Start the whole stack on this machine.\n\nExamples:  ioc up  ·  ioc up --wait --timeout 60",
        ),
    )(up)
    app.command("down", help=t("Dừng những gì `ioc up --wait` đã khởi động.", "Stop what `ioc up --wait` started."))(
        down
    )


def up(
    wait: Annotated[
        bool,
        typer.Option(
            "--wait",
            help=t("Chạy nền, trả về khi /readyz xanh.", "Run in the background; return when /readyz is green."),
        ),
    ] = False,
    timeout: Annotated[
        float, typer.Option("--timeout", help=t("Giây chờ tối đa của --wait.", "Longest wait of --wait, s."))
    ] = READY_TIMEOUT_S,
    supervised: Annotated[bool, typer.Option("--supervised", hidden=True)] = False,
) -> None:
    from hub.launch import LaunchError, run_supervisor, start_in_background, wait_until_ready

    config = settings()
    try:
        if supervised:
            run_supervisor(config, INVOCATION.flags, _line)
            return
        make_ready(config)
        if not wait:
            run_supervisor(config, INVOCATION.flags, say)
            return
        supervisor = start_in_background(config, INVOCATION.flags)
        if not wait_until_ready(config, supervisor, timeout, say):
            leave(Exit.TIMEOUT, t("Hết giờ chờ; hệ thống vẫn chạy nền.", "Not ready in time; still running behind."))
        say(t(f"Sẵn sàng: {config.api_url}", f"Ready: {config.api_url}"))
    except LaunchError as error:
        leave(Exit.FAILED, str(error))


def make_ready(config: Settings) -> None:
    """Check what a start needs, offering to fetch Kafka's jars where somebody can answer; raises `LaunchError`."""
    from hub.cli.kafka import fetch
    from hub.launch import JarsMissingError, prepare

    read_declared(config)
    try:
        prepare(config, show_key)
    except JarsMissingError:
        if not sys.stdin.isatty():
            raise
        question = t("Chưa có các tệp jar của Kafka (khoảng 60 MB). Tải bằng Maven ngay?", FETCH_NOW)
        if not typer.confirm(question, default=True, err=True):
            raise
        fetch()
        prepare(config, show_key)


def show_key(key: str) -> None:
    """Show a new administrator key: said even under `-q`, for it is stored as a hash only."""
    complain(
        t(f"Khóa quản trị (chỉ hiện một lần, hãy cất giữ): {key}", f"Administrator key (shown once, keep it): {key}")
    )


def _line(text: str) -> None:
    print(text, flush=True)


def down(
    timeout: Annotated[
        float, typer.Option("--timeout", help=t("Giây chờ tối đa.", "Longest wait, s."))
    ] = STOP_TIMEOUT_S,
) -> None:
    from hub.launch import stop_running

    state = state_dir()
    if not stop_running(state, timeout, say):
        leave(Exit.TIMEOUT, t("Không dừng được trong thời hạn.", "Could not be stopped in time."))
