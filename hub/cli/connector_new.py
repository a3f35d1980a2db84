"""`ioc connector new`: asks what only a person can say, guesses the rest from a record, and writes a manifest."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli.context import settings
from hub.cli.declared import read_declared
from hub.cli.output import Exit, leave, say
from hub.language import LANGUAGE, t

if TYPE_CHECKING:
    from connectors.draft import Answers

Id = Annotated[str | None, typer.Option("--id", help=t("Mã đầu nối.", "Connector's id."), show_default=False)]
Kind = Annotated[str | None, typer.Option("--kind", help=t("Kiểu nguồn.", "Kind of source."), show_default=False)]
Entity = Annotated[str | None, typer.Option("--entity", help=t("Thực thể.", "Entity."), show_default=False)]
NameVi = Annotated[
    str | None, typer.Option("--name", help=t("Tên tiếng Việt.", "Name in Vietnamese."), show_default=False)
]
NameEn = Annotated[
    str | None, typer.Option("--name-en", help=t("Tên tiếng Anh.", "Name in English."), show_default=False)
]
Department = Annotated[str | None, typer.Option("--department", help=t("Đơn vị.", "Department."), show_default=False)]
Contact = Annotated[str | None, typer.Option("--contact", help=t("Đầu mối.", "Contact."), show_default=False)]
Org = Annotated[str | None, typer.Option("--org", help=t("Mã đơn vị.", "Org code."), show_default=False)]
Cadence = Annotated[int | None, typer.Option("--cadence-s", min=1, help=t("Cam kết, giây.", "Promise, seconds."))]
CutOff = Annotated[str | None, typer.Option("--cut-off", metavar="HH:MM", help=t("Chốt hằng ngày.", "Daily cut-off."))]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="source.KEY=VALUE", help=t("Khóa của nguồn.", "A key of the source."), show_default=False
    ),
]
Sample = Annotated[
    Path | None, typer.Option("--sample", help=t("Bản ghi mẫu (JSON).", "Sample records (JSON)."), show_default=False)
]
Out = Annotated[Path | None, typer.Option("--out", help=t("Tệp ghi ra.", "File to write."), show_default=False)]
Force = Annotated[bool, typer.Option("--force", help=t("Ghi đè tệp đã có.", "Overwrite an existing file."))]

QUESTIONS = (
    ("id", "--id", t("Mã đầu nối (chữ thường, số, gạch nối)", "Connector's id (lower case, digits, hyphens)")),
    ("kind", "--kind", t("Kiểu nguồn", "Kind of source")),
    ("entity", "--entity", t("Thực thể", "Entity")),
    ("name_vi", "--name", t("Tên tiếng Việt", "Name in Vietnamese")),
    ("name_en", "--name-en", t("Tên tiếng Anh", "Name in English")),
    ("department", "--department", t("Đơn vị chủ quản", "Owning department")),
    ("contact", "--contact", t("Đầu mối liên hệ", "Contact")),
    ("org", "--org", t("Mã đơn vị (QĐ 20/2020), ví dụ H53.14", "Org code, for example H53.14")),
)


def register(connector: typer.Typer) -> None:
    """Add the verb."""
    connector.command(
        "new",
        help=t(
            "Tạo khai báo: hỏi từng mục, hoặc nhận bằng cờ; đoán ánh xạ từ bản ghi mẫu.\n\n"
            "Ví dụ:  ioc connector new\n\n"
            "ioc connector new --id hoi-dap --kind rest --entity question --name 'Hỏi đáp' --name-en 'Q&A' "
            "--department 'Sở TT&TT' --contact 'Tổ IOC' --org H53.15 --cadence-s 900 --set source.path=/api/cau-hoi "
            "--sample mau.json",
            "Write a manifest: asks, or takes flags; guesses the mapping from a sample.\n\n"
            "Example:  ioc connector new\n\n"
            "ioc connector new --id q-and-a --kind rest --entity question --name 'Hỏi đáp' --name-en 'Q&A' "
            "--department 'Sở TT&TT' --contact 'Tổ IOC' --org H53.15 --cadence-s 900 --set source.path=/api/questions "
            "--sample records.json",
        ),
    )(new)


def new(
    id: Id = None,
    kind: Kind = None,
    entity: Entity = None,
    name: NameVi = None,
    name_en: NameEn = None,
    department: Department = None,
    contact: Contact = None,
    org: Org = None,
    cadence_s: Cadence = None,
    cut_off: CutOff = None,
    assignments: Set = None,
    sample: Sample = None,
    out: Out = None,
    force: Force = False,
) -> None:
    from connectors.draft import as_yaml, draft
    from connectors.errors import ConnectorError
    from connectors.manifest import ID, config_model
    from hub.connector_trial import sample_records

    config = settings()
    declared = read_declared(config)
    given = {"id": id, "kind": kind, "entity": entity, "name_vi": name, "name_en": name_en or name}
    given |= {"department": department, "contact": contact, "org": org}
    told = _ask(given, declared.contracts)
    if re.fullmatch(ID, told["id"]) is None:
        leave(
            Exit.USAGE, t(f"--id «{told['id']}»: không đúng mẫu {ID}", f"--id “{told['id']}”: is not of the form {ID}")
        )
    try:
        records = sample_records(sample) if sample is not None else []
        answers = _answers(told, _promised(cadence_s, cut_off), assignments or [])
    except ConnectorError as error:
        leave(Exit.USAGE, error.text.to(LANGUAGE))
    contract, others = declared.contracts[told["entity"]], declared.manifests.values()
    tree = draft(answers, contract, config_model(told["kind"]), records, others)
    target = out or (config.connectors_dir or Path()) / f"{told['id']}.yaml"
    if target.exists() and not force:
        leave(Exit.USAGE, t(f"{target} đã có; dùng --force để ghi đè", f"{target} exists; --force overwrites it"))
    target.write_text(as_yaml(tree, told["name_vi"]), encoding="utf-8")
    print(target)
    _say_next(target)


def _say_next(target: Path) -> None:
    from connectors.errors import ConnectorError
    from connectors.manifest import load_manifest

    try:
        load_manifest(target)
    except ConnectorError as error:
        say(t("Còn phải sửa trong tệp:", "Still to be mended in the file:") + f"\n{error.text.to(LANGUAGE)}")
    if "TODO" in target.read_text(encoding="utf-8"):
        say(t("Điền các chỗ ghi TODO.", "Fill in what says TODO."))
    say(t(f"Tiếp theo: ioc connector check {target}", f"Next: ioc connector check {target}"))


def _ask(given: Mapping[str, str | None], contracts: Mapping[str, Any]) -> dict[str, str]:
    """The answers by name; asked for at a terminal, else the missing flags end the process."""
    from connectors.manifest import source_kinds

    missing = [flag for key, flag, _ in QUESTIONS if given[key] is None]
    if missing and not sys.stdin.isatty():
        leave(Exit.USAGE, t(f"Còn thiếu: {', '.join(missing)}", f"Missing: {', '.join(missing)}"))
    choices: dict[str, list[str]] = {"kind": list(source_kinds()), "entity": sorted(contracts)}
    told: dict[str, str] = {}
    for key, _, label in QUESTIONS:
        known = choices.get(key)
        hint = f" ({', '.join(known)})" if known else ""
        told[key] = given[key] or typer.prompt(label + hint)
        if known and told[key] not in known:
            from schemas.declaration import unknown_key

            leave(Exit.USAGE, f"{key} «{told[key]}»: " + t(*unknown_key(told[key], known, "giá trị", "value")))
    return told


def _promised(cadence_s: int | None, cut_off: str | None) -> dict[str, Any]:
    if cut_off is not None:
        return {"cut_off": cut_off}
    return {"cadence_s": cadence_s or 3600}


def _answers(told: Mapping[str, str], sla: Mapping[str, Any], assignments: list[str]) -> Answers:
    from connectors.draft import Answers
    from connectors.flat_config import nested

    pairs = dict(assignment.partition("=")[::2] for assignment in assignments)
    source = nested({f"source.{key.removeprefix('source.')}": value for key, value in pairs.items()}, ()).get(
        "source", {}
    )
    return Answers(
        id=told["id"],
        kind=told["kind"],
        name_vi=told["name_vi"],
        name_en=told["name_en"],
        department=told["department"],
        contact=told["contact"],
        org=told["org"],
        sla=sla,
        source=source,
    )
