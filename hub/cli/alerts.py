"""`ioc alerts`: what there is to act on, and what is done about it; through the API."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from hub.cli.context import settings
from hub.cli.output import Exit, Format, leave, say, show_json, show_rows
from hub.cli.reading import Key, Output, ask
from hub.language import LANGUAGE, t

COLUMNS = (
    ("alert", t("mã", "id")),
    ("severity", t("mức", "severity")),
    ("state_text", t("xử lý", "state")),
    ("holds", t("còn", "holds")),
    ("name_text", t("cảnh báo", "alert")),
    ("subject", t("đối tượng", "subject")),
    ("owner", t("phụ trách", "owner")),
    ("assignee", t("giao cho", "assigned to")),
    ("opened", t("từ lúc", "since")),
)
ACT_COLUMNS = (
    ("at", t("lúc", "at")),
    ("act", t("việc", "act")),
    ("by", t("ai", "by")),
    ("to", t("cho", "to")),
    ("text", t("ghi chú", "note")),
)
DELIVERY_COLUMNS = (
    ("at", t("lúc", "at")),
    ("kind", t("tin", "message")),
    ("channel", t("kênh", "channel")),
    ("result", t("kết quả", "result")),
    ("attempts", t("số lần", "attempts")),
    ("reason", t("lý do", "reason")),
)
SILENCE_COLUMNS = (
    ("silence", t("mã", "id")),
    ("active", t("đang", "active")),
    ("rule", t("quy tắc", "rule")),
    ("subject", t("đối tượng", "subject")),
    ("owner", t("đơn vị", "owner")),
    ("end", t("đến", "until")),
    ("by", t("ai", "by")),
    ("reason", t("lý do", "reason")),
)
RULE_COLUMNS = (
    ("id", t("quy tắc", "rule")),
    ("name_text", t("tên", "name")),
    ("severity", t("mức", "severity")),
    ("condition", t("điều kiện", "condition")),
    ("owner_text", t("phụ trách", "owner")),
    ("channels_text", t("kênh", "channels")),
)
STATES = {
    "open": t("mở", "open"),
    "assigned": t("đã giao", "assigned"),
    "handled": t("đã xử lý", "handled"),
}
TIMES = ("opened", "ended", "at", "start", "end")
AlertId = Annotated[str, typer.Argument(metavar="ALERT", help=t("Mã cảnh báo.", "The alert's id."))]
NoteText = Annotated[str, typer.Option("--note", "-m", help=t("Đã làm gì, thấy gì.", "What was done or seen."))]


def register(app: typer.Typer) -> None:
    """Add the noun."""
    alerts = typer.Typer(
        no_args_is_help=True, help=t("Cảnh báo và việc xử lý.", "Alerts, and what is done about them.")
    )
    commands = (
        (alerts_ls, t("Cảnh báo; mã thoát 3 nếu còn cái mở.", "Alerts; exit code 3 if one is open."),
         "ls --state open"),
        (alerts_show, t("Một cảnh báo với nhật ký.", "One alert with its trail."),
         "show 20260302-030000-1a2b3c4d"),
        (alerts_assign, t("Giao cho ai đó.", "Give it to somebody."),
         "assign 20260302-030000-1a2b3c4d --to 'Trần An'"),
        (alerts_note, t("Ghi chú.", "Add a note."),
         "note 20260302-030000-1a2b3c4d -m 'đã gọi đầu mối'"),
        (alerts_handle, t("Đóng, kèm việc đã làm.", "Close it, with what was done."),
         "handle 20260302-030000-1a2b3c4d -m 'đã đổi khóa'"),
        (alerts_silence, t("Không báo ai một thời gian.", "Tell nobody for a while."),
         "silence --rule 'health.*' --subject portal --hours 4 --reason 'nâng cấp'"),
        (alerts_unsilence, t("Thôi im lặng.", "End a silence."),
         "unsilence 1a2b3c4d5e6f"),
        (alerts_silences, t("Các khoảng im lặng.", "Silence windows."),
         "silences -o json"),
        (alerts_rules, t("Quy tắc đang dùng.", "The rules in force."),
         "rules"),
        (alerts_check, t("Kiểm tra tệp quy tắc; mã thoát 3 nếu sai.", "Check rule files; exit code 3 if wrong."),
         "check ./alerts"),
    )  # fmt: skip
    for command, text, example in commands:
        label = t("Ví dụ", "Example")
        alerts.command(example.split()[0], help=f"{text}\n\n{label}:  ioc alerts {example}")(command)
    app.add_typer(alerts, name="alerts")


def alerts_ls(
    state: Annotated[str | None, typer.Option("--state", metavar="open|assigned|handled", show_default=False)] = None,
    rule: Annotated[str | None, typer.Option("--rule", show_default=False)] = None,
    days: Annotated[int, typer.Option("--days", min=1, max=400, help=t("Số ngày trở lại.", "Days back."))] = 30,
    output: Output = Format.TABLE,
    key: Key = None,
) -> None:
    items = ask("/v1/alerts", key, {"state": state, "rule": rule, "days": str(days)})["items"]
    _show(items, COLUMNS, output)
    if not items:
        say(t("Không có cảnh báo nào", "No alerts"))
    if any(item["state"] == "open" and item["holds"] for item in items):
        raise SystemExit(int(Exit.CHECK_FAILED))


def alerts_show(alert: AlertId, output: Output = Format.TABLE, key: Key = None) -> None:
    found = ask(f"/v1/alerts/{quote(alert, safe='')}", key)
    if output is Format.JSON:
        show_json(found)
        return
    _show([found], COLUMNS, output)
    _show(found["acts"], ACT_COLUMNS, output)
    _show(found["deliveries"], DELIVERY_COLUMNS, output)


def alerts_assign(
    alert: AlertId,
    to: Annotated[str, typer.Option("--to", help=t("Người nhận.", "Who takes it."))],
    note: NoteText = "",
    key: Key = None,
) -> None:
    _send("POST", f"/v1/alerts/{quote(alert, safe='')}/assign", key, {"to": to, "note": note})
    say(t(f"{alert}: đã giao cho {to}", f"{alert}: given to {to}"))


def alerts_note(alert: AlertId, note: NoteText, key: Key = None) -> None:
    _send("POST", f"/v1/alerts/{quote(alert, safe='')}/notes", key, {"text": note})
    say(t(f"{alert}: đã ghi", f"{alert}: noted"))


def alerts_handle(alert: AlertId, note: NoteText, key: Key = None) -> None:
    _send("POST", f"/v1/alerts/{quote(alert, safe='')}/handle", key, {"text": note})
    say(t(f"{alert}: đã đóng", f"{alert}: closed"))


def alerts_silence(
    hours: Annotated[float, typer.Option("--hours", help=t("Bao lâu, giờ.", "How long, hours."))],
    reason: Annotated[str, typer.Option("--reason", help=t("Vì sao.", "Why."))],
    rule: Annotated[str, typer.Option("--rule", help=t("Mẫu quy tắc.", "Pattern of rules."))] = "*",
    subject: Annotated[str, typer.Option("--subject", help=t("Mẫu đối tượng.", "Pattern of subjects."))] = "*",
    owner: Annotated[str, typer.Option("--owner", help=t("Mẫu đơn vị.", "Pattern of units."))] = "*",
    key: Key = None,
) -> None:
    body = {"hours": hours, "reason": reason, "rule": rule, "subject": subject, "owner": owner}
    made = _send("POST", "/v1/alerts/silences", key, body)
    print(made["silence"])
    say(t(f"Im lặng đến {_time(made['end'])}", f"Silent until {_time(made['end'])}"))


def alerts_unsilence(silence: Annotated[str, typer.Argument(metavar="SILENCE")], key: Key = None) -> None:
    _send("DELETE", f"/v1/alerts/silences/{quote(silence, safe='')}", key)
    say(t(f"{silence}: đã kết thúc", f"{silence}: ended"))


def alerts_silences(output: Output = Format.TABLE, key: Key = None) -> None:
    _show(ask("/v1/alerts/silences", key)["items"], SILENCE_COLUMNS, output)


def alerts_rules(output: Output = Format.TABLE, key: Key = None) -> None:
    _show(ask("/v1/alerts/rules", key)["items"], RULE_COLUMNS, output)


def alerts_check(
    directory: Annotated[Path, typer.Argument(metavar="DIRECTORY", exists=True, file_okay=False)],
) -> None:
    from hub.alerts.rule_files import Against, load_alert_rules
    from hub.declarations import load_declarations
    from schemas.errors import DeclarationError

    declared = load_declarations(settings())
    kpis = {kpi.id: kpi for plan in declared.plans.values() for kpi in plan.kpis}
    try:
        found = load_alert_rules(Against(kpis, declared.calendars.calendars), directory)
    except DeclarationError as error:
        leave(Exit.CHECK_FAILED, error.text.to(LANGUAGE))
    count, ways = len(found.rules), len(found.channels)
    say(t(f"Đúng: {count} quy tắc, {ways} kênh", f"All right: {count} rules, {ways} channels"))


def _send(method: str, path: str, key: str | None, body: Any = None) -> Any:
    from hub.client import ApiAwayError, ClientError, client

    try:
        return client(settings(), key).send(method, path, body)
    except ApiAwayError as error:
        leave(
            Exit.FAILED,
            t(f"API không trả lời ({error}). Chạy: ioc up --wait", f"No answer ({error}). Run: ioc up --wait"),
        )
    except ClientError as error:
        leave(Exit.FAILED, str(error))


def _show(items: list[dict[str, Any]], columns: tuple[tuple[str, str], ...], output: Format) -> None:
    if output is Format.JSON:
        show_json(items)
    else:
        show_rows([_worded(item, output) for item in items], columns, output)


def _worded(item: Mapping[str, Any], output: Format) -> dict[str, Any]:
    told = dict(item)
    if output is Format.TABLE:
        told |= {name: _time(item[name]) for name in TIMES if item.get(name)}
    if "state" in item:
        told["state_text"] = STATES.get(item["state"], item["state"])
    if isinstance(item.get("name"), Mapping):
        told["name_text"] = item["name"].get(LANGUAGE)
    if "when" in item:
        told["condition"] = "; ".join(f"{kind}: {_short(what)}" for kind, what in item["when"].items())
        told["owner_text"] = item["owner"]["unit"]
        told["channels_text"] = ", ".join(item["channels"])
    return told


def _short(what: Mapping[str, Any]) -> str:
    return " ".join(f"{name}={','.join(value) if isinstance(value, list) else value}" for name, value in what.items())


def _time(text: str) -> str:
    return datetime.fromisoformat(text).astimezone().strftime("%d/%m/%Y %H:%M:%S")
