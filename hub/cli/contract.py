"""`ioc contract`: look at contracts, lint them, see what a change would do, and register it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli.context import settings
from hub.cli.declared import read_declared
from hub.cli.output import Exit, Format, leave, say, show_json, show_rows
from hub.language import LANGUAGE, t

if TYPE_CHECKING:
    from hub.catalogue.impact import Impact
    from hub.catalogue.proposal import Proposal

Output = Annotated[Format, typer.Option("--output", "-o", help=t("Dạng kết quả.", "Form of the result."))]
Target = Annotated[
    str,
    typer.Argument(
        metavar="FILE|ENTITY",
        help=t("Tệp .avsc, hoặc tên thực thể của trục.", "An .avsc file, or the name of an entity of the hub."),
    ),
]

LIST_COLUMNS = (
    ("entity", t("thực thể", "entity")),
    ("title", t("tên", "name")),
    ("owner", t("đơn vị chủ quản", "owner")),
    ("fields", t("số trường", "fields")),
    ("personal", t("cá nhân", "personal")),
    ("in_use", t("đang dùng", "in use")),
    ("topic", t("chủ đề", "topic")),
)
FINDING_COLUMNS = (
    ("file", t("tệp", "file")),
    ("line", t("dòng", "line")),
    ("path", t("trường", "field")),
    ("rule", t("quy tắc", "rule")),
    ("problem", t("lỗi", "problem")),
    ("cure", t("cách sửa", "cure")),
)
IMPACT_COLUMNS = (
    ("what", t("loại", "what")),
    ("name", t("tên", "name")),
    ("blocks", t("chặn", "blocks")),
    ("text", t("nội dung", "what it means")),
)


def register(app: typer.Typer) -> None:
    """Add the noun."""
    group = typer.Typer(no_args_is_help=True, help=t("Hợp đồng dữ liệu của các thực thể.", "Contracts of entities."))
    group.command("ls", help=_with_example("Liệt kê hợp đồng.", "List the contracts.", "ls -o json"))(ls)
    group.command(
        "lint",
        help=_with_example(
            "Kiểm tra tệp hợp đồng; không có tệp nào thì kiểm tra mọi hợp đồng của trục. Mã thoát 3 nếu có lỗi.",
            "Check contract files; without one all contracts of the hub. Exit code 3 if there are findings.",
            "lint schemas/avro/traffic/violation.avsc",
        ),
    )(lint)
    group.command(
        "diff",
        help=_with_example(
            "So với phiên bản mới nhất ở danh bạ: thay đổi gì, đụng tới đâu.",
            "Compare with the registry's latest version: what changes, and what it touches.",
            "diff new/traffic/violation.avsc",
        ),
    )(diff)
    group.command(
        "check",
        help=_with_example(
            "Như diff, thêm kiểm tra cú pháp; mã thoát 3 nếu không được phép.",
            "As diff, and lint; exit code 3 if the change is refused.",
            "check new/traffic/violation.avsc -o json",
        ),
    )(check)
    group.command(
        "promote",
        help=_with_example(
            "Đăng ký phiên bản mới ở danh bạ khi mọi kiểm tra đều đạt; không đạt thì không đăng ký gì.",
            "Register the new version after all checks; if one fails nothing is registered.",
            "promote new/traffic/violation.avsc",
        ),
    )(promote)
    group.command(
        "export",
        help=_with_example(
            "Tải hợp đồng: avsc, json-schema, md hoặc xlsx (từ điển dữ liệu); --all cho mọi thực thể (xlsx).",
            "Write a contract as avsc, json-schema, md or xlsx (data dictionary); --all for all entities (xlsx).",
            "export dossier --format md > dossier.md",
        ),
    )(export)
    app.add_typer(group, name="contract")


def _with_example(vi: str, en: str, arguments: str) -> str:
    return t(f"{vi}\n\nVí dụ:  ioc contract {arguments}", f"{en}\n\nExample:  ioc contract {arguments}")


def ls(output: Output = Format.TABLE) -> None:
    declared = read_declared(settings())
    rows = [
        {
            "entity": contract.entity,
            "title": contract.title(LANGUAGE),
            "owner": contract.owner(LANGUAGE),
            "fields": len(contract.fields),
            "personal": len(contract.pii_fields),
            "in_use": contract.entity in declared.in_use,
            "topic": contract.topic,
        }
        for contract in declared.contracts.values()
    ]
    show_rows(rows, LIST_COLUMNS, output)


def lint(
    files: Annotated[list[Path] | None, typer.Argument(metavar="[FILE…]", show_default=False)] = None,
    output: Output = Format.TABLE,
) -> None:
    from hub.catalogue.proposal import lint_files

    config = settings()
    missing = [path for path in files or () if not path.is_file()]
    if missing:
        leave(Exit.USAGE, t(f"Không có tệp {missing[0]}", f"There is no file {missing[0]}"))
    found, count = lint_files(files, config)
    rows = [
        {
            **{key: getattr(item, key) for key in ("file", "line", "path", "rule")},
            "problem": item.problem(LANGUAGE),
            "cure": item.cure(LANGUAGE),
        }
        for item in found
    ]
    if rows or output is not Format.TABLE:
        show_rows(rows, FINDING_COLUMNS, output)
    if rows:
        say(t(f"{len(rows)} lỗi trong {count} hợp đồng", f"{len(rows)} findings in {count} contracts"))
        raise SystemExit(int(Exit.CHECK_FAILED))
    say(t(f"{count} hợp đồng đạt", f"{count} contracts are clean"))


def _proposal(target: str) -> Proposal:
    """The proposed contract and what it would do; ends the process where it is none."""
    from hub.catalogue.proposal import propose
    from schemas.errors import ContractError, RegistryError

    config = settings()
    declared = read_declared(config)
    try:
        return propose(target, config, declared)
    except ContractError as error:
        leave(Exit.USAGE, t(error.vi, str(error)))
    except RegistryError as error:
        leave(Exit.FAILED, t(f"Danh bạ lược đồ: {error}", f"Schema registry: {error}"))


def diff(target: Target, output: Output = Format.TABLE) -> None:
    _show(_proposal(target).impact, [], output)


def check(target: Target, output: Output = Format.TABLE) -> None:
    _checked(target, output)


def promote(
    target: Target,
    output: Output = Format.TABLE,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help=t("Chỉ kiểm tra, không đăng ký.", "Check only, register nothing."))
    ] = False,
) -> None:
    from hub.wiring import registry_client
    from schemas.errors import RegistryError

    proposal = _checked(target, output)
    if dry_run:
        return
    contract = proposal.contract
    try:
        with registry_client(settings()) as client:
            schema_id = client.register(contract.subject, contract.schema_text)
            version = client.versions(contract.subject)[-1]
    except RegistryError as error:
        leave(Exit.FAILED, t(f"Không đăng ký được: {error}", f"It was not registered: {error}"))
    say(
        t(
            f"Đã đăng ký {contract.subject}, phiên bản {version}, id {schema_id}",
            f"Registered {contract.subject}, version {version}, id {schema_id}",
        )
    )
    if not proposal.loaded:
        say(
            t(
                f"Để trục dùng nó từ lần khởi động sau: đặt tệp vào <IOC_CONTRACTS_DIR>/{contract.domain}/"
                f"{contract.entity}.avsc",
                f"For the hub to use it from its next start put the file into <IOC_CONTRACTS_DIR>/{contract.domain}/"
                f"{contract.entity}.avsc",
            )
        )


def _checked(target: str, output: Format) -> Proposal:
    """Show the verdict; ends the process with exit code 3 where the change is refused."""
    proposal = _proposal(target)
    _show(proposal.impact, proposal.findings, output)
    if proposal.findings or proposal.impact.refused:
        say(t("Không đạt: chưa đăng ký gì.", "Refused: nothing was registered."))
        raise SystemExit(int(Exit.CHECK_FAILED))
    say(t("Đạt mọi kiểm tra.", "All checks passed."))
    return proposal


def _show(impact: Impact, findings: list[Any], output: Format) -> None:
    from hub.catalogue.shapes import finding_json, impact_json

    if output is Format.JSON:
        show_json(impact_json(impact, LANGUAGE) | {"findings": [finding_json(item, LANGUAGE) for item in findings]})
        return
    rows = [
        *({"what": "lint", "name": item.path or item.file, "blocks": True,
           "text": f"{item.problem(LANGUAGE)}; {item.cure(LANGUAGE)}"} for item in findings),
        *({"what": "compatibility", "name": item.path or impact.subject, "blocks": True,
           "text": item.told_en if LANGUAGE == "en" else item.told_vi} for item in impact.incompatibilities),
        *({"what": "change", "name": item.path or impact.entity, "blocks": False, "text": item.text(LANGUAGE)}
          for item in impact.changes),
        *({"what": item.what, "name": item.name, "blocks": item.blocks, "text": item.text(LANGUAGE)}
          for item in impact.effects),
    ]  # fmt: skip
    show_rows(rows, IMPACT_COLUMNS, output)
    compared = t(
        f"So với {impact.base}; mức tương thích {impact.level}", f"Against {impact.base}; level {impact.level}"
    )
    rebuild = t("không cần tính lại", "no rebuild needed")
    if impact.rebuild:
        rebuild = t("cần tính lại số liệu", "figures must be rebuilt")
    say(f"{compared}; {rebuild}")


def export(
    entity: Annotated[str | None, typer.Argument(metavar="ENTITY", show_default=False)] = None,
    form: Annotated[
        str, typer.Option("--format", "-f", metavar="avsc|json-schema|md|xlsx", help=t("Dạng tệp.", "Form."))
    ] = "avsc",
    all_entities: Annotated[
        bool, typer.Option("--all", help=t("Mọi thực thể (xlsx).", "All entities (xlsx)."))
    ] = False,
    to: Annotated[Path | None, typer.Option("--to", help=t("Ghi vào tệp.", "Write to a file."))] = None,
) -> None:
    from hub.catalogue.downloads import FORMATS, Download, download, whole_dictionary

    declared = read_declared(settings())
    if form not in FORMATS:
        forms = ", ".join(FORMATS)
        leave(Exit.USAGE, t(f"Không có dạng {form!r}; có: {forms}", f"There is no form {form!r}; there are {forms}"))
    if all_entities:
        made: Download = whole_dictionary(declared, LANGUAGE, declared.manifests)
    elif entity is not None and entity in declared.contracts:
        made = download(declared, entity, form, LANGUAGE, declared.manifests)
    else:
        known = ", ".join(sorted(declared.contracts))
        leave(Exit.USAGE, t(f"Không có thực thể {entity!r}; có: {known}", f"No entity {entity!r}; there are {known}"))
    if to is not None:
        to.write_bytes(made.body)
        say(t(f"Đã ghi {to}", f"Wrote {to}"))
    elif made.name.endswith(".xlsx") and sys.stdout.isatty():
        leave(Exit.USAGE, t("Tệp Excel cần --to TỆP", "An Excel file needs --to FILE"))
    else:
        sys.stdout.buffer.write(made.body)
