"""`ioc codes`: the code tables by validity – look at them, take them out, see what a change does, apply it."""

from __future__ import annotations

import asyncio
import getpass
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from hub.cli.context import settings
from hub.cli.declared import read_declared
from hub.cli.output import Exit, Format, leave, say, show_rows
from hub.language import LANGUAGE, t

if TYPE_CHECKING:
    from connectors.live_codes import LiveCodes
    from hub.declarations import Declarations
    from schemas.codes_table import CodeTable

Output = Annotated[Format, typer.Option("--output", "-o", help=t("Dạng kết quả.", "Form of the result."))]
Name = Annotated[str, typer.Argument(metavar="TABLE", help=t("Tên bảng mã.", "Name of the table."))]
File = Annotated[Path, typer.Argument(metavar="FILE", help=t("Tệp CSV hoặc Excel.", "A CSV or Excel file."))]
As = Annotated[
    str | None,
    typer.Option("--table", help=t("Tên bảng, nếu khác tên tệp.", "The table, if the file has another name.")),
]
LIST_COLUMNS = (
    ("table", t("bảng", "table")),
    ("rows", t("số dòng", "rows")),
    ("columns", t("cột", "columns")),
    ("version", t("phiên bản", "version")),
    ("by", t("người sửa", "applied by")),
)
DIFF_COLUMNS = (
    ("kind", t("thay đổi", "change")),
    ("code", t("mã", "code")),
    ("valid_from", t("từ ngày", "from")),
    ("text", t("nội dung", "what it means")),
)
Result = TypeVar("Result")


def register(app: typer.Typer) -> None:
    """Add the noun."""
    group = typer.Typer(no_args_is_help=True, help=t("Bảng mã theo thời hạn hiệu lực.", "Code tables by validity."))
    for command, vi, en, example in (
        (ls, "Liệt kê bảng mã.", "List the tables.", "ls"),
        (show, "Xem các dòng; --on: có hiệu lực ngày nào.", "Show rows; --on: in force on a day.",
         "show admin_unit --on 2022-09-19"),
        (export, "Tải bảng (csv, xlsx).", "Write a table (csv, xlsx).", "export org -f xlsx --to org.xlsx"),
        (diff, "So tệp với bảng đang dùng.", "Compare a file with the table in use.", "diff org.xlsx"),
        (apply, "Cho bảng có hiệu lực ngay, sau khi xem thay đổi; mã thoát 3 nếu bị từ chối.",
         "Let a table take effect at once, after its changes were shown; exit code 3 if it is refused.",
         "apply org.csv --dry-run"),
    ):  # fmt: skip
        text = t(f"{vi}\n\nVí dụ:  ioc codes {example}", f"{en}\n\nExample:  ioc codes {example}")
        group.command(command.__name__, help=text)(command)
    app.add_typer(group, name="codes")


def _with(work: Callable[[LiveCodes, Declarations], Awaitable[Result]]) -> Result:
    """Run with the tables as they are now; ends the process where they cannot be read."""
    from connectors.errors import ConnectorError
    from hub.wiring import live_codes

    config = settings()
    declared = read_declared(config)
    codes = live_codes(config, declared)

    async def run() -> Result:
        await codes.topic.start()
        try:
            return await work(codes, declared)
        finally:
            await codes.topic.stop()

    try:
        return asyncio.run(run())
    except ConnectorError as error:
        leave(Exit.FAILED, str(error))


def _table(codes: LiveCodes, name: str) -> CodeTable:
    if name not in codes:
        known = ", ".join(codes)
        leave(Exit.USAGE, t(f"Không có bảng {name!r}; có: {known}", f"There is no table {name!r}; there are {known}"))
    return codes[name]


def ls(output: Output = Format.TABLE) -> None:
    async def rows(codes: LiveCodes, declared: Declarations) -> list[dict[str, Any]]:
        return [
            {
                "table": name,
                "rows": len(table.rows),
                "columns": ", ".join(table.columns),
                "version": codes.applied(name).get("version", 0),
                "by": codes.applied(name).get("by", t("(tệp kèm trục)", "(of the tree)")),
            }
            for name, table in codes.items()
        ]

    show_rows(_with(rows), LIST_COLUMNS, output)


def show(
    name: Name,
    on: Annotated[str | None, typer.Option("--on", metavar="DAY", help=t("Ngày (2022-09-19).", "A day."))] = None,
    output: Output = Format.TABLE,
) -> None:
    async def found(codes: LiveCodes, declared: Declarations) -> CodeTable:
        return _table(codes, name)

    table = _with(found)
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    if on is not None:
        rows = [row for row in rows if row["valid_from"] <= on and (not row["valid_to"] or on <= row["valid_to"])]
    show_rows(rows, [(column, column) for column in table.columns], output)


def export(
    name: Name,
    form: Annotated[str, typer.Option("--format", "-f", metavar="csv|xlsx", help=t("Dạng tệp.", "Form."))] = "csv",
    to: Annotated[Path | None, typer.Option("--to", help=t("Ghi vào tệp.", "Write to a file."))] = None,
) -> None:
    from hub.code_files import FORMS, code_file

    if form not in FORMS:
        leave(
            Exit.USAGE, t(f"Không có dạng {form!r}; có: csv, xlsx", f"There is no form {form!r}; there are csv, xlsx")
        )

    async def found(codes: LiveCodes, declared: Declarations) -> CodeTable:
        return _table(codes, name)

    made = code_file(_with(found), form)
    if to is not None:
        to.write_bytes(made)
        say(t(f"Đã ghi {to}", f"Wrote {to}"))
    elif form == "xlsx" and sys.stdout.isatty():
        leave(Exit.USAGE, t("Tệp Excel cần --to TỆP", "An Excel file needs --to FILE"))
    else:
        sys.stdout.buffer.write(made)


def _read(file: Path, name: str | None) -> CodeTable:
    from hub.code_files import read_code_file
    from schemas.errors import ContractError

    try:
        return read_code_file(file, name or file.stem)
    except ContractError as error:
        leave(Exit.CHECK_FAILED, t(error.vi, str(error)))


def diff(file: File, name: As = None, output: Output = Format.TABLE) -> None:
    table = _read(file, name)

    async def compare(codes: LiveCodes, declared: Declarations) -> None:
        _show(codes, table, output)

    _with(compare)


def _show(codes: LiveCodes, table: CodeTable, output: Format) -> int:
    """The changes; how many there are."""
    from schemas.codes_diff import differences

    changes = differences(codes.get(table.name), table)
    rows = [
        {"kind": each.kind, "code": each.code, "valid_from": each.valid_from, "text": each.text().to(LANGUAGE)}
        for each in changes
    ]
    show_rows(rows, DIFF_COLUMNS, output)
    return len(changes)


def apply(
    file: File,
    name: As = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help=t("Chỉ xem, không đổi gì.", "Show only."))] = False,
    yes: Annotated[bool, typer.Option("--yes", help=t("Không hỏi lại.", "Do not ask."))] = False,
    output: Output = Format.TABLE,
) -> None:
    from connectors.clock import now_ms
    from hub.code_files import misfits

    table = _read(file, name)

    async def run(codes: LiveCodes, declared: Declarations) -> None:
        count = _show(codes, table, output)
        faults = misfits(table, codes, declared)
        if faults:
            leave(Exit.CHECK_FAILED, t("Chưa đổi gì: ", "Nothing was changed: ") + "; ".join(faults))
        if not count:
            say(t("Không có gì khác.", "Nothing differs."))
            return
        if dry_run:
            say(t(f"{count} thay đổi, chưa áp dụng", f"{count} changes, not applied"))
            return
        if not yes and not typer.confirm(t(f"Áp dụng {count} thay đổi?", f"Apply {count} changes?")):
            leave(Exit.FAILED, t("Chưa đổi gì.", "Nothing was changed."))
        version = await codes.apply(table, getpass.getuser(), now_ms())
        say(t(f"{table.name}: phiên bản {version} đã có hiệu lực", f"{table.name}: version {version} is in effect"))

    _with(run)
