"""What the connectors' commands share: their options, the way to the workers' interface, how its answers look."""

from __future__ import annotations

import sys
from typing import Annotated, Any
from urllib.parse import quote

import typer

from hub.cli.context import settings
from hub.cli.output import Exit, Format, leave, show_json, show_rows
from hub.language import LANGUAGE, t

Name = Annotated[str, typer.Argument(metavar="ID", help=t("Mã đầu nối.", "The connector's id."))]
Names = Annotated[list[str], typer.Argument(metavar="ID…", help=t("Mã các đầu nối.", "The connectors' ids."))]
Output = Annotated[Format, typer.Option("--output", "-o", help=t("Dạng kết quả.", "Form of the result."))]
Key = Annotated[
    str | None,
    typer.Option(
        "--key", help=t("Khóa API; mặc định IOC_API_KEY.", "API key; default IOC_API_KEY."), show_default=False
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help=t("Chỉ kiểm tra, không đổi gì.", "Check, change nothing."))]
Yes = Annotated[bool, typer.Option("--yes", "-y", help=t("Không hỏi lại.", "Do not ask."))]

STATUS_COLUMNS = (
    ("connector", t("đầu nối", "connector")),
    ("state", t("trạng thái", "state")),
    ("target", t("yêu cầu", "target")),
    ("version", t("phiên bản", "version")),
    ("approved", t("đã duyệt", "approved")),
    ("worker", t("tiến trình", "worker")),
)
ACT_COLUMNS = (
    ("at", t("lúc", "at")),
    ("by", t("ai", "by")),
    ("act", t("việc", "act")),
    ("version", t("phiên bản", "version")),
    ("detail", t("chi tiết", "detail")),
)
ACTS_VI = {
    "applied": "đăng ký",
    "approved": "duyệt",
    "paused": "tạm dừng",
    "resumed": "chạy tiếp",
    "stopped": "dừng",
    "restarted": "khởi động lại",
    "removed": "gỡ",
    "position_set": "đặt vị trí",
}


def ask(method: str, path: str, key: str | None, body: Any = None, parameters: Any = None) -> Any:
    """One request to the workers' interface; ends the process with a message where that fails."""
    from hub.client import ApiAwayError, ClientError, RefusedError, connect_client

    try:
        return connect_client(settings(), key).send(method, path, body, parameters)
    except ApiAwayError as error:
        leave(
            Exit.FAILED,
            t(f"Không có tiến trình đầu nối nào trả lời ({error}). Chạy: ioc up --wait",
              f"No connect worker answers ({error}). Run: ioc up --wait"),
        )  # fmt: skip
    except RefusedError as error:
        leave(Exit.CHECK_FAILED if error.status == 400 else Exit.FAILED, f"{error}{_cure(error.status)}")
    except ClientError as error:
        leave(Exit.FAILED, str(error))


def _cure(status: int) -> str:
    """What to do about a refusal that the interface cannot know: it does not see where the key came from."""
    if status != 403:
        return ""
    return t(
        ". Dùng khóa quản trị hoặc của đơn vị: --key, IOC_API_KEY.",
        ". Use an administrator's or the unit's key: --key, IOC_API_KEY.",
    )


def at(name: str, rest: str = "") -> str:
    """The address of a connector."""
    return f"/connectors/{quote(name, safe='')}{rest}"


def confirm(question: str, yes: bool) -> None:
    """Ask, unless `--yes`; without a terminal to ask on, that is a usage error."""
    if yes:
        return
    if not sys.stdin.isatty():
        leave(Exit.USAGE, t(f"{question} Thêm --yes để đồng ý.", f"{question} Add --yes to agree."))
    if not typer.confirm(question, err=True):
        leave(Exit.FAILED, t("Không đổi gì.", "Nothing was changed."))


def row(told: dict[str, Any]) -> dict[str, Any]:
    own = told["ioc"]
    return {
        "connector": told["name"],
        "state": own["state"],
        "target": own["target"],
        "version": own["version"],
        "approved": own["approved_version"],
        "worker": own.get("worker"),
    }


def show_status(told: list[dict[str, Any]], output: Format) -> None:
    if output is Format.JSON:
        show_json(told)
    else:
        show_rows([row(item) for item in told], STATUS_COLUMNS, output)


def show_acts(acts: list[dict[str, Any]], output: Format) -> None:
    from datetime import UTC, datetime
    from zoneinfo import ZoneInfo

    zone = ZoneInfo(settings().timezone)
    rows = [
        {
            **act,
            "at": datetime.fromtimestamp(act["at"] / 1000, UTC).astimezone(zone).isoformat(timespec="seconds"),
            "act": ACTS_VI.get(act["act"], act["act"]) if LANGUAGE == "vi" else act["act"],
        }
        for act in acts
    ]
    show_rows(rows, ACT_COLUMNS, output)
