"""`ioc topics plan|apply`: the topics that the contracts declare against those that the cluster has."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli.context import settings
from hub.cli.declared import read_declared
from hub.cli.output import Exit, Format, leave, say, show_rows
from hub.language import t

if TYPE_CHECKING:
    from hub.topic_plan import Step, TopicSpec

COLUMNS = (
    ("topic", t("chủ đề", "topic")),
    ("setting", t("thiết lập", "setting")),
    ("declared", t("khai báo", "declared")),
    ("actual", t("thực tế", "actual")),
    ("action", t("việc", "action")),
    ("reason", t("lý do", "reason")),
    ("cure", t("cách làm", "cure")),
)

ACTIONS = {
    "create": t("tạo", "create"),
    "alter": t("sửa", "alter"),
    "refuse": t("từ chối", "refuse"),
    "note": t("lưu ý", "note"),
}
"""As people read them; JSON has the keys."""

Output = Annotated[Format, typer.Option("--output", "-o", help=t("Dạng kết quả.", "Form of the output."))]
Shorter = Annotated[
    list[str] | None,
    typer.Option(
        "--shorter-retention",
        metavar="TOPIC",
        help=t("Chấp nhận xóa bản ghi cũ của chủ đề này.", "Accept that older records of this topic are deleted."),
    ),
]


def register(group: typer.Typer) -> None:
    """Add the commands to `ioc topics`."""
    group.command(
        "plan",
        help=t(
            "So sánh chủ đề mà hợp đồng dữ liệu khai báo với chủ đề thực có; không đổi gì.\n\n"
            "Mã thoát 0: đúng như khai báo; 3: có khác biệt.\n\nVí dụ:  ioc topics plan -o json",
            "Compare the topics that the contracts declare with those that are there; changes nothing.\n\n"
            "Exit code 0: as declared; 3: there are differences.\n\nExample:  ioc topics plan -o json",
        ),
    )(plan)
    group.command(
        "apply",
        help=t(
            "Tạo chủ đề còn thiếu và sửa thiết lập lệch; việc nguy hiểm bị từ chối kèm lý do và cách làm.\n\n"
            "Mã thoát 3: có việc bị từ chối (việc khác vẫn làm).\n\n"
            "Ví dụ:  ioc topics apply --dry-run\n\n        ioc topics apply --yes",
            "Create missing topics and mend settings that differ; what is dangerous is refused, with the reason and "
            "the way round.\n\nExit code 3: something was refused (the rest is done).\n\n"
            "Examples:  ioc topics apply --dry-run\n\n           ioc topics apply --yes",
        ),
    )(apply)


def plan(output: Output = Format.TABLE) -> None:
    _, steps = _planned([])
    _show(steps, output)
    raise SystemExit(int(Exit.CHECK_FAILED if _differences(steps) else Exit.OK))


def apply(
    yes: Annotated[bool, typer.Option("--yes", help=t("Không hỏi lại.", "Do not ask."))] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help=t("Chỉ xem.", "Only show what would be done."))] = False,
    shorter_retention: Shorter = None,
    output: Output = Format.TABLE,
) -> None:
    from hub.topic_admin import apply_steps
    from hub.topic_plan import Action
    from hub.topics import TopicsError

    specs, steps = _planned(shorter_retention or [])
    _show(steps, output)
    todo = [step for step in steps if step.action in (Action.CREATE, Action.ALTER)]
    if todo and not dry_run:
        _confirm(len(todo), yes)
        try:
            apply_steps(settings().bootstrap, specs, todo)
        except TopicsError as error:
            leave(Exit.FAILED, str(error))
        say(t(f"Đã làm {len(todo)} việc", f"Changes made: {len(todo)}"))
    refused = sum(step.action is Action.REFUSE for step in steps)
    if refused:
        leave(Exit.CHECK_FAILED, t(f"{refused} việc bị từ chối", f"Changes refused: {refused}"))


def _planned(shorter: Sequence[str]) -> tuple[list[TopicSpec], list[Step]]:
    from hub.declarations import with_topics
    from hub.topic_admin import real_topics
    from hub.topic_plan import Accepted, plan_topics
    from hub.topics import TopicsError, topic_specs

    config = settings()
    declared = read_declared(config)
    kafka = config.kafka
    possible = topic_specs(declared.contracts.values(), kafka.topic_partitions, kafka.replication_factor)
    unknown = sorted(set(shorter) - {spec.name for spec in possible})
    if unknown:
        leave(Exit.USAGE, t(f"Không hợp đồng nào khai báo {unknown[0]}", f"No contract declares {unknown[0]}"))
    try:
        real, brokers = real_topics(config.bootstrap, possible)
    except TopicsError as error:
        leave(Exit.FAILED, str(error))
    # A contract that nothing leans on needs no topic; one that a connector has come for since has it already.
    used = with_topics(declared, {spec.name for spec in possible} - set(real)).in_use
    specs = topic_specs(used.values(), kafka.topic_partitions, kafka.replication_factor)
    return specs, plan_topics(specs, real, brokers, Accepted(frozenset(shorter)))


def _differences(steps: Sequence[Step]) -> bool:
    from hub.topic_plan import Action

    return any(step.action is not Action.NOTE for step in steps)


def _show(steps: Sequence[Step], output: Format) -> None:
    if output is not Format.TABLE or steps:
        rows = [{key: getattr(step, key) for key, _ in COLUMNS} for step in steps]
        if output is Format.TABLE:
            rows = [{**row, "action": ACTIONS[row["action"]]} for row in rows]
        show_rows(rows, COLUMNS, output)
    if not _differences(steps):
        bootstrap = settings().bootstrap
        say(t(f"Chủ đề trên {bootstrap} đúng như khai báo", f"The topics at {bootstrap} are as declared"))


def _confirm(count: int, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        leave(Exit.USAGE, t("Cần --yes khi không có người trả lời", "Nobody is there to ask: say --yes"))
    if not typer.confirm(t(f"Làm {count} việc?", f"Changes to make: {count}. Go on?")):
        leave(Exit.FAILED, t("Không đổi gì", "Nothing was changed"))
