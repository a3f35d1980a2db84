"""`ioc demo`: the stack, the simulated department systems, and what is going on."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli.context import INVOCATION, settings
from hub.cli.output import Exit, leave, say, show_json
from hub.cli.stack import make_ready
from hub.language import t

if TYPE_CHECKING:
    from hub.config import Settings

ONCE_TIMEOUT_S = 600.0


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "demo",
        help=t(
            "Trình diễn: hệ thống và các hệ thống mô phỏng của tỉnh.\n\n"
            "Ví dụ:  ioc demo  ·  ioc demo --scale 0.1  ·  ioc demo --reset  ·  ioc demo --once > figures.json",
            "Demonstration: the stack and the province's simulated systems.\n\n"
            "Examples:  ioc demo  ·  ioc demo --scale 0.1  ·  ioc demo --reset  ·  ioc demo --once > figures.json",
        ),
    )(demo)


def demo(
    once: Annotated[
        bool,
        typer.Option(
            "--once",
            help=t(
                "Nạp lịch sử, đối chiếu với sổ của nguồn, in JSON rồi dừng.",
                "Load the history, hold it against the sources' ledgers, print JSON, stop.",
            ),
        ),
    ] = False,
    reset: Annotated[
        bool, typer.Option("--reset", help=t("Xóa trạng thái, làm lại từ đầu.", "Delete the state, begin anew."))
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help=t("Không hỏi lại.", "Do not ask."))] = False,
    scale: Annotated[
        float | None,
        typer.Option(
            "--scale", min=0.001, help=t("Cỡ lịch sử, 1 = đủ.", "Size of the history, 1 = all."), show_default=False
        ),
    ] = None,
    live_rate: Annotated[
        float | None,
        typer.Option(
            "--live-rate", min=0, help=t("Sự kiện mới mỗi giây.", "Live events a second."), show_default=False
        ),
    ] = None,
    speed: Annotated[
        float | None,
        typer.Option(
            "--speed",
            min=0,
            help=t("Thay cho --live-rate: gấp mấy lần một ngày thật của tỉnh.", "Instead: so many times a real day."),
            show_default=False,
        ),
    ] = None,
    timeout: Annotated[
        float, typer.Option("--timeout", help=t("Giây chờ tối đa của --once.", "Longest wait of --once, s."))
    ] = ONCE_TIMEOUT_S,
) -> None:
    from hub import demo as demonstration
    from hub.demo_live import run_live
    from hub.demo_once import run_once
    from hub.launch import LaunchError

    config = settings()
    try:
        demonstration.demo_root()
        if reset:
            _reset(config, yes)
        options = demonstration.DemoOptions(
            demonstration.chosen_scale(config, scale),
            (0.0 if once else demonstration.DEFAULT_LIVE_RATE) if live_rate is None else live_rate,
            None if once else speed,
        )
        make_ready(config)
        if once:
            result = run_once(config, options, INVOCATION.flags, timeout, say)
            show_json(result.report)
            raise SystemExit(result.exit_code)
        run_live(config, options, INVOCATION.flags, say)
    except demonstration.DemoError as error:
        leave(Exit.USAGE, str(error))
    except LaunchError as error:
        leave(Exit.FAILED, str(error))


def _reset(config: Settings, yes: bool) -> None:
    from hub.demo import reset

    where = config.state_dir.absolute()
    if not where.exists():
        return
    if not yes:
        if not sys.stdin.isatty():
            leave(Exit.USAGE, t("--reset cần --yes khi không có bàn phím", "--reset needs --yes without a terminal"))
        question = t(f"Xóa toàn bộ dữ liệu trong {where}?", f"Delete all data in {where}?")
        if not typer.confirm(question, err=True):
            leave(Exit.FAILED, t("Giữ nguyên.", "Kept."))
    reset(config)
    say(t(f"Đã xóa {where}", f"Deleted {where}"))
