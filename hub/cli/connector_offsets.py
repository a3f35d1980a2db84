"""`ioc connector offsets show|set`: where a source is read from."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from hub.cli.connector_exchange import DryRun, Key, Name, Output, Yes, ask, at, confirm
from hub.cli.output import Exit, Format, leave, say, show_json, show_rows
from hub.language import t


def register(group: typer.Typer) -> None:
    """Add the noun to `ioc connector`."""
    offsets = typer.Typer(no_args_is_help=True, help=t("Vị trí đọc tại nguồn.", "Positions at the sources."))
    offsets.command(
        "show",
        help=t("Vị trí đã lưu.\n\nVí dụ:  ioc connector offsets show portal",
               "The stored position.\n\nExample:  ioc connector offsets show portal"),
    )(offsets_show)  # fmt: skip
    offsets.command(
        "set",
        help=t(
            "Đặt lại vị trí (đầu nối phải đang dừng). Đọc lại không đếm hai lần: kho nhận ra bản đã có theo phiên bản."
            '\n\nVí dụ:  ioc connector offsets set portal \'{"since": "2026-01-01T00:00:00+07:00"}\'',
            "Set the position (of a stopped connector). Reading again counts nothing twice: the warehouse knows "
            "revisions it has.\n\nExample:  ioc connector offsets set portal "
            '\'{"since": "2026-01-01T00:00:00+07:00"}\'',
        ),
    )(offsets_set)
    group.add_typer(offsets, name="offsets")


def offsets_show(name: Name, output: Output = Format.TABLE, key: Key = None) -> None:
    found = ask("GET", at(name, "/offsets"), key)["offsets"]
    if output is Format.JSON:
        show_json(found)
        return
    if not found:
        say(t(f"{name}: chưa có vị trí, sẽ đọc từ đầu", f"{name}: no position yet, it reads from the beginning"))
    rows = [{"key": part, "value": value} for item in found for part, value in item["offset"].items()]
    show_rows(rows, (("key", t("mục", "part")), ("value", t("giá trị", "value"))), output)


def offsets_set(
    name: Name,
    position: Annotated[
        str | None, typer.Argument(metavar="JSON", help=t("Vị trí mới.", "The new position."), show_default=False)
    ] = None,
    beginning: Annotated[
        bool, typer.Option("--beginning", help=t("Đọc lại từ đầu.", "Read from the beginning."))
    ] = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    key: Key = None,
) -> None:
    offset = _position(position, beginning)
    before = ask("GET", at(name, "/offsets"), key)["offsets"]
    now = before[0]["offset"] if before else None
    say(t(f"{name}: từ {now} thành {offset}", f"{name}: from {now} to {offset}"))
    if dry_run:
        return
    confirm(t("Đặt lại vị trí?", "Set the position?"), yes)
    if offset is None:
        ask("DELETE", at(name, "/offsets"), key)
    else:
        body = {"offsets": [{"partition": {"connector": name}, "offset": offset}]}
        ask("PATCH", at(name, "/offsets"), key, body)
    say(t(f"Xong. Chạy tiếp: ioc connector resume {name}", f"Done. Go on: ioc connector resume {name}"))


def _position(text: str | None, beginning: bool) -> dict[str, Any] | None:
    if beginning == (text is not None):
        leave(Exit.USAGE, t("Cho một vị trí JSON hoặc --beginning", "Give a position as JSON, or --beginning"))
    if text is None:
        return None
    try:
        found = json.loads(text)
    except ValueError as error:
        leave(Exit.USAGE, t(f"Vị trí không phải JSON: {error}", f"The position is not JSON: {error}"))
    if not isinstance(found, dict):
        leave(Exit.USAGE, t("Vị trí phải là một đối tượng JSON", "The position must be a JSON object"))
    return found
