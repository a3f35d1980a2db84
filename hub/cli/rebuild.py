"""`ioc kpi backfill`, `ioc kpi rollups`, `ioc kpi retire` and `ioc rebuild`: tables made anew while events flow."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli.context import settings
from hub.cli.declared import read_declared
from hub.cli.output import Exit, Format, console, leave, say, show_rows
from hub.language import t

if TYPE_CHECKING:
    from hub.declarations import Declarations
    from schemas.contract import Contract
    from streams.cutover import Step
    from streams.generations import Position
    from streams.warehouse.client import Warehouse
    from streams.warehouse.placing import Target

    Work = Callable[
        [Warehouse, Contract, Sequence[Target], Callable[[], Mapping[int, Position]], Callable[[Step], None]], list[str]
    ]

LINE_EVERY_S = 5.0
"""Without a terminal the progress is a line now and then."""

ROLLUP_COLUMNS = (
    ("rollup", "rollup"),
    ("table", t("bảng", "table")),
    ("state", t("trạng thái", "state")),
    ("done", t("đã xong", "done")),
    ("chunks", t("số phần", "chunks")),
    ("reason", t("lý do", "reason")),
)


def register(app: typer.Typer) -> None:
    """Add `ioc rebuild`."""
    app.command(
        "rebuild",
        help=t(
            "Tính lại mọi số liệu của một loại bản ghi trong khi dữ liệu vẫn chảy. Ngắt được; chạy lại để tiếp tục.\n\n"
            "Ví dụ:  ioc rebuild dossier",
            "Compute all figures of an entity anew while events flow. It may be stopped; run it again to go on.\n\n"
            "Example:  ioc rebuild dossier",
        ),
    )(rebuild)


def register_kpi(kpi: typer.Typer) -> None:
    """Add what concerns KPIs to their noun."""
    kpi.command(
        "backfill",
        help=t(
            "Tính chỉ số mới hoặc đã đổi công thức từ mọi thay đổi đã ghi. Ngắt được; chạy lại để tiếp tục.\n\n"
            "Ví dụ:  ioc kpi backfill dossier.on_time_share",
            "Compute a new or changed KPI over all that was ever written. It may be stopped; run it again to go on.\n\n"
            "Example:  ioc kpi backfill dossier.on_time_share",
        ),
    )(backfill)
    kpi.command("rollups", help=t("Các bảng tổng hợp và trạng thái.", "The rollup tables and their states."))(rollups)
    kpi.command(
        "retire",
        help=t(
            "Bỏ bảng tổng hợp mà không còn chỉ số nào dùng; có thể tính lại bằng ioc kpi backfill.\n\n"
            "Ví dụ:  ioc kpi retire dossier_by_due_at",
            "Drop a rollup that no KPI rests on any more; ioc kpi backfill can compute it again.\n\n"
            "Example:  ioc kpi retire dossier_by_due_at",
        ),
    )(retire)


def backfill(
    name: Annotated[str, typer.Argument(metavar="NAME", help=t("Chỉ số hoặc rollup.", "KPI or rollup."))],
) -> None:
    from streams.rebuild import UnknownNameError, rollups_of
    from streams.rebuild import backfill as work

    declared = read_declared(settings())
    try:
        names = rollups_of(name, declared.plans)
    except UnknownNameError as error:
        leave(Exit.USAGE, str(error))
    entity = next(e for e, plan in declared.plans.items() if any(rollup.table in names for rollup in plan.rollups))
    made = _run(declared, entity, names, work)
    if not made:
        say(t(f"{name} đã có số liệu đúng định nghĩa.", f"{name} is served as it is defined: nothing to do."))


def rebuild(
    entity: Annotated[str, typer.Argument(metavar="ENTITY")],
    start: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="YYYY-MM-DD",
            help=t("Các ngày trước đó giữ nguyên số liệu.", "Days before it keep the figures they have."),
            show_default=False,
        ),
    ] = None,
) -> None:
    from streams.rebuild import rebuild as work

    declared = read_declared(settings())
    if entity not in declared.in_use:
        known = ", ".join(sorted(declared.in_use))
        leave(
            Exit.USAGE, t(f"Không có loại bản ghi {entity!r}; có: {known}", f"No entity {entity!r}; there are {known}")
        )
    try:
        since = date.fromisoformat(start) if start is not None else None
    except ValueError:
        leave(Exit.USAGE, t(f"--from {start!r}: cần YYYY-MM-DD", f"--from {start!r}: write YYYY-MM-DD"))
    _run(declared, entity, None, partial(work, since=since))


def rollups(output: Annotated[Format, typer.Option("--output", "-o")] = Format.TABLE) -> None:
    from hub.wiring import warehouse_client
    from streams.errors import StreamError
    from streams.generations import State
    from streams.warehouse.catalogue import Catalogue

    try:
        entries = Catalogue(warehouse_client(settings(), read_only=True)).entries()
    except StreamError as error:
        leave(Exit.FAILED, str(error))
    rows = [
        {
            "rollup": entry.rollup,
            "table": entry.table,
            "state": str(entry.state),
            "done": entry.done,
            "chunks": len(entry.chunks),
            "reason": entry.reason,
        }
        for entry in sorted(entries, key=lambda entry: (entry.rollup, entry.generation))
        if entry.state is not State.DROPPED
    ]
    show_rows(rows, ROLLUP_COLUMNS, output)


def retire(
    name: Annotated[str, typer.Argument(metavar="ROLLUP", help=t("Bảng tổng hợp.", "The rollup."))],
) -> None:
    from hub.wiring import warehouse_client
    from streams.errors import StreamError
    from streams.rebuild import RollupUsedError, UnknownNameError
    from streams.rebuild import retire as work

    declared = read_declared(settings())
    try:
        work(warehouse_client(settings(), read_only=False), name, declared.plans)
    except (UnknownNameError, RollupUsedError) as error:
        leave(Exit.USAGE, str(error))
    except StreamError as error:
        leave(Exit.FAILED, str(error))
    say(t(f"Đã bỏ: {name}", f"Retired: {name}"))


def _run(declared: Declarations, entity: str, names: Sequence[str] | None, work: Work) -> list[str]:
    from hub.topics import STREAM_GROUP
    from hub.wiring import warehouse_client
    from streams.errors import StreamError
    from streams.positions import Positions
    from streams.rebuild import targets_of

    config = settings()
    contract = declared.contracts[entity]
    targets = targets_of(contract, declared.plans[entity], config.timezone, names)
    positions = Positions(config.bootstrap, STREAM_GROUP, contract.topic)
    try:
        with _bar() as report:
            made = work(warehouse_client(config, read_only=False), contract, targets, positions.read, report)
    except StreamError as error:
        leave(Exit.FAILED, str(error))
    except KeyboardInterrupt:
        again = t("Đã dừng; chạy lại lệnh này để tiếp tục.", "Stopped; run the same command again to go on.")
        leave(Exit.FAILED, again)
    finally:
        positions.close()
    for name in made:
        say(t(f"Xong: {name}", f"Done: {name}"))
    return made


def _text(step: Step) -> str:
    if step.what == "wait":
        left = ", ".join(str(cut.partition) for cut in step.left)
        return t(f"{step.table}: chờ phân vùng {left}", f"{step.table}: waiting for partition {left}")
    return step.table


@contextlib.contextmanager
def _bar() -> Iterator[Callable[[Step], None]]:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    screen = console(sys.stderr)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    said, table = 0.0, ""
    with Progress(*columns, console=screen, disable=not screen.is_terminal) as progress:
        task = progress.add_task("", total=None)

        def report(step: Step) -> None:
            nonlocal said, table
            if step.table != table:
                table = step.table
                progress.reset(task)
            progress.update(task, description=_text(step), completed=step.done, total=step.total or None)
            if not screen.is_terminal and time.monotonic() - said > LINE_EVERY_S:
                said = time.monotonic()
                say(f"{_text(step)}: {step.done}/{step.total}")

        yield report
