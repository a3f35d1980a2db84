"""`ioc key`: API keys of this stack; `ioc link`: a one-time sign-in link."""

from __future__ import annotations

from typing import Annotated

import typer

from hub.cli.context import settings
from hub.cli.output import Exit, Format, leave, say, show_rows
from hub.language import LANGUAGE, t

KEY_COLUMNS = (
    ("id", "id"),
    ("role", t("vai trò", "role")),
    ("org", t("đơn vị", "unit")),
    ("note", t("ghi chú", "note")),
    ("created_at", t("tạo lúc", "created")),
    ("expires_at", t("hết hạn", "expires")),
    ("revoked_at", t("thu hồi", "revoked")),
)


def register(app: typer.Typer) -> None:
    """Add the nouns."""
    key = typer.Typer(no_args_is_help=True, help=t("Khóa API.", "API keys."))
    key.command(
        "create",
        help=t(
            "Tạo khóa; chỉ hiện một lần.\n\nVí dụ:  ioc key create --role department --org H53.14 --quiet",
            "Make a key; shown once.\n\nExample:  ioc key create --role department --org H53.14 --quiet",
        ),
    )(create)
    key.command("ls", help=t("Các khóa đã tạo.", "Keys that were made."))(ls)
    key.command("revoke", help=t("Thu hồi khóa.", "Revoke a key."))(revoke)
    app.add_typer(key, name="key")
    app.command("link", help=t("Liên kết đăng nhập dùng một lần.", "A sign-in link that works once."))(link)


def create(
    role: Annotated[
        str, typer.Option("--role", metavar="admin|operator|department|service", help=t("Vai trò.", "Role."))
    ],
    org: Annotated[
        str | None, typer.Option("--org", help=t("Mã đơn vị.", "Code of the unit."), show_default=False)
    ] = None,
    note: Annotated[str, typer.Option("--note", help=t("Ghi chú.", "A note."), show_default=False)] = "",
    quiet: Annotated[bool, typer.Option("--quiet", help=t("Chỉ in khóa.", "Print the key alone."))] = False,
) -> None:
    from hub.first_keys import key_store
    from hub.security.errors import KeyRequestError

    try:
        made = key_store(settings()).create(role, org, note=note)
    except KeyRequestError as error:
        leave(Exit.USAGE, error.en if LANGUAGE == "en" else error.vi)
    if not quiet:
        say(t("Hãy cất khóa này, nó không hiện lại:", "Keep this key, it is never shown again:"))
    print(made.text)


def ls(output: Annotated[Format, typer.Option("--output", "-o")] = Format.TABLE) -> None:
    from hub.first_keys import key_store

    keys = [key for key, _ in KEY_COLUMNS]
    show_rows([{key: getattr(info, key) for key in keys} for info in key_store(settings()).all()], KEY_COLUMNS, output)


def revoke(key_id: Annotated[str, typer.Argument(metavar="ID")]) -> None:
    from hub.first_keys import key_store
    from hub.security.errors import KeyRequestError

    try:
        info = key_store(settings()).revoke(key_id)
    except KeyRequestError as error:
        leave(Exit.FAILED, error.en if LANGUAGE == "en" else error.vi)
    say(t(f"Đã thu hồi {info.id} ({info.role})", f"Revoked {info.id} ({info.role})"))


def link() -> None:
    from hub.first_keys import sign_in_link

    print(sign_in_link(settings()))
