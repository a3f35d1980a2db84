"""`ioc connector document`: the pages of connected systems, made of their declarations; no running stack is needed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli.context import settings
from hub.cli.declared import read_declared
from hub.cli.output import Exit, leave, say
from hub.language import LANGUAGE, t

if TYPE_CHECKING:
    from hub.declarations import Declarations

Wanted = Annotated[
    list[str] | None,
    typer.Argument(metavar="ID…", help=t("Mã đầu nối; bỏ trống là tất cả.", "Connectors' ids; none means all.")),
]
Folder = Annotated[
    Path | None,
    typer.Option(
        "--out",
        "-o",
        file_okay=False,
        help=t("Ghi mỗi hệ thống một tệp <mã>.md vào thư mục.", "Write a file <id>.md for each into a directory."),
        show_default=False,
    ),
]


def register(connector: typer.Typer) -> None:
    """Add the verb to the noun."""
    connector.command(
        "document",
        help=t(
            "Trang mô tả hệ thống, sinh từ khai báo: gửi gì, ánh xạ thế nào, chỉ số tính thế nào và căn cứ.\n\n"
            "Ví dụ:  ioc connector document portal  ·  ioc connector document -o trang/",
            "A system's page, made of its declarations: what it sends, how it is mapped, how its KPIs are computed and "
            "why.\n\nExamples:  ioc connector document portal  ·  ioc connector document -o pages/",
        ),
    )(document)


def document(wanted: Wanted = None, out: Folder = None) -> None:
    from schemas.declaration import unknown_key

    declared = read_declared(settings())
    manifests = declared.manifests
    for name in wanted or ():
        if name not in manifests:
            vi, en = unknown_key(name, manifests, "đầu nối", "connector")
            leave(Exit.USAGE, t(f"«{name}» {vi}", f"“{name}” {en}"))
    pages = {name: _page(declared, name) for name in wanted or sorted(manifests)}
    if out is None:
        sys.stdout.write("\n".join(pages.values()))
        return
    out.mkdir(parents=True, exist_ok=True)
    for name, text in pages.items():
        (out / f"{name}.md").write_text(text, encoding="utf-8")
    say(t(f"Đã ghi {len(pages)} trang vào {out}", f"{len(pages)} pages written to {out}"))


def _page(declared: Declarations, name: str) -> str:
    from hub.catalogue.system_page import markdown, system_page

    manifest = declared.manifests[name]
    entity = manifest.entity
    return markdown(system_page(manifest, declared.contracts[entity], declared.plans.get(entity), LANGUAGE))
