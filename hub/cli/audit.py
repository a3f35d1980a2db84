"""`ioc audit`: are the figures right? And `--heal`: put them right, while the flow goes on."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Callable, Iterator
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli.context import settings
from hub.cli.declared import read_declared
from hub.cli.output import Exit, Format, console, leave, say, show_rows
from hub.language import t

if TYPE_CHECKING:
    from hub.audit import Outcome
    from streams.audit import Finding

COLUMNS = (
    ("entity", t("bản ghi", "entity")),
    ("check", t("kiểm tra", "check")),
    ("place", t("ở đâu", "where")),
    ("rows", t("số dòng", "rows")),
    ("expected", t("phải là", "expected")),
    ("found", t("thực có", "found")),
    ("ok", t("đạt", "ok")),
    ("code", t("mã", "code")),
    ("text", t("kết luận", "verdict")),
)

TEXTS = {
    "missing": t("mất bản ghi, Kafka còn giữ: chữa được", "lost, Kafka still has them: can be healed"),
    "doubled": t("bản ghi bị ghi hai lần: chữa được", "written more than once: can be healed"),
    "overlapping": t("biên các lô chồng lên nhau", "bounds of batches overlap"),
    "gone": t("Kafka không còn giữ, không thể đọc lại", "Kafka no longer has them: cannot be read again"),
    "untraced": t("thuộc chủ đề cũ, không đối chiếu được", "of an earlier topic: cannot be compared"),
    "differs": t("lệch: chữa được bằng --heal", "differs: --heal puts it right"),
    "unsettled": t("chưa kết luận được khi tải cao, hãy chạy lại", "not settled under this load: run it again"),
    "equal": t("khớp", "equal"),
    "surplus": t("nguồn đã gửi lại (không tính hai lần)", "sent again by the source (not counted twice)"),
    "waiting": t("còn chờ xử lý", "still waiting to be processed"),
    "lost": t("nguồn đã phát nhưng không đến nơi", "published by the source and not arrived"),
}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "audit",
        help=t(
            "Kiểm tra số liệu: mỗi bản ghi đúng một lần, bảng tổng hợp = tổng các thay đổi, trạng thái hiện tại = thay "
            "đổi cuối, tổng nguồn = chủ đề = kho. Mã thoát 3 nếu có sai lệch. Chạy được khi dữ liệu đang chảy.\n\n"
            "Ví dụ:  ioc audit  ·  ioc audit dossier --from 2026-01-01 -o json  ·  ioc audit --heal --dry-run",
            "Are the figures right? Every record once, rollups = sums of the changes, current states = last changes, "
            "source = topic = warehouse. Exit code 3 if something differs. May run while data flow.\n\n"
            "Examples:  ioc audit  ·  ioc audit dossier --from 2026-01-01 -o json  ·  ioc audit --heal --dry-run",
        ),
    )(audit)


def audit(
    entities: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ENTITY]…", help=t("Mặc định: tất cả.", "Default: all."), show_default=False),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option("--from", metavar="YYYY-MM-DD", help=t("Từ ngày.", "First day."), show_default=False),
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", metavar="YYYY-MM-DD", help=t("Đến ngày.", "Last day."), show_default=False)
    ] = None,
    heal: Annotated[
        bool,
        typer.Option(
            "--heal", help=t("Chữa bằng cách thêm dòng bù, không xóa gì.", "Put right by inserting; deletes nothing.")
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help=t("Chỉ nói sẽ thêm gì.", "Only say what would be inserted."))
    ] = False,
    output: Annotated[Format, typer.Option("--output", "-o", help=t("Dạng kết quả.", "Form of the result."))] = (
        Format.TABLE
    ),
) -> None:
    from hub.audit import Request, run_audit
    from streams.audit_checks import Days
    from streams.errors import StreamError

    if dry_run and not heal:
        leave(Exit.USAGE, t("--dry-run chỉ dùng cùng --heal", "--dry-run goes with --heal only"))
    days = Days(_day("--from", start), _day("--to", end))
    if days.first is not None and days.last is not None and days.first > days.last:
        leave(Exit.USAGE, t(f"--from {start} sau --to {end}", f"--from {start} is after --to {end}"))
    config = settings()
    declared = read_declared(config)
    for name in entities or ():
        if name not in declared.in_use:
            known = ", ".join(sorted(declared.in_use))
            leave(
                Exit.USAGE, t(f"Không có loại bản ghi {name!r}; có: {known}", f"No entity {name!r}; there are {known}")
            )
    request = Request(entities or sorted(declared.in_use), days, heal, dry_run)
    try:
        with _bar() as progress:
            outcome = asyncio.run(run_audit(config, declared, request, progress))
    except StreamError as error:
        leave(Exit.FAILED, str(error))
    _show(outcome, output, dry_run)
    if not outcome.clean:
        raise SystemExit(int(Exit.CHECK_FAILED))


def _show(outcome: Outcome, output: Format, dry_run: bool) -> None:
    for target, why, rows in outcome.inserted:
        said = t("Sẽ thêm", "Would insert") if dry_run else t("Đã thêm", "Inserted")
        say(f"{said}: {rows} → {target} ({why})")
    if dry_run and any(why == "compensation" for _, why, _ in outcome.inserted):
        say(
            t(
                "Bảng tổng hợp và sổ sẽ được kiểm tra lại và chữa sau khi chữa các thay đổi.",
                "Rollups and the ledger are checked again and healed after the changes are.",
            )
        )
    show_rows([_row(finding) for finding in outcome.findings], COLUMNS, output)
    if outcome.clean:
        say(t("Mọi số liệu đều khớp.", "All figures are right."))
    else:
        say(t("Có sai lệch. Chữa: ioc audit --heal", "Something differs. Put it right: ioc audit --heal"))


def _row(finding: Finding) -> dict[str, Any]:
    return {
        "entity": finding.entity,
        "check": finding.check,
        "place": finding.place,
        "rows": finding.rows,
        "expected": finding.expected,
        "found": finding.found,
        "ok": finding.noted,
        "text": TEXTS.get(finding.code, finding.code),
        "code": finding.code,
    }


def _day(option: str, text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        leave(
            Exit.USAGE,
            t(
                f"{option} cần ngày dạng 2026-01-31, nhận được {text!r}",
                f"{option} needs a day as 2026-01-31: {text!r}",
            ),
        )


@contextlib.contextmanager
def _bar() -> Iterator[Callable[[str, int, int], None]]:
    """Progress on stderr where a person looks at it."""
    if not sys.stderr.isatty():
        yield lambda what, done, total: None
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console(sys.stderr), transient=True) as bar:
        task = bar.add_task("")
        yield lambda what, done, total: bar.update(task, description=what, completed=done, total=max(total, 1))
