"""Commands that read: KPIs, connectors and the quarantine, through the API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from hub.cli.connector import register as register_trials
from hub.cli.connector_control import register as register_connector
from hub.cli.context import settings
from hub.cli.output import Exit, Format, leave, say, show_json, show_rows
from hub.cli.rebuild import register_kpi
from hub.language import t

Output = Annotated[Format, typer.Option("--output", "-o", help=t("Dạng kết quả.", "Form of the result."))]
Key = Annotated[
    str | None,
    typer.Option(
        "--key", help=t("Khóa API; mặc định IOC_API_KEY.", "API key; default IOC_API_KEY."), show_default=False
    ),
]
Day = "YYYY-MM-DD"
From = Annotated[str | None, typer.Option("--from", metavar=Day, help=t("Từ ngày.", "First day."), show_default=False)]
To = Annotated[str | None, typer.Option("--to", metavar=Day, help=t("Đến ngày.", "Last day."), show_default=False)]

KPI_COLUMNS = (
    ("id", "id"),
    ("name", t("tên", "name")),
    ("value", t("giá trị", "value")),
    ("unit", t("đơn vị", "unit")),
    ("numerator", t("tử số", "numerator")),
    ("denominator", t("mẫu số", "denominator")),
    ("target", t("kế hoạch", "target")),
    ("gap", t("chênh", "gap")),
    ("status", t("trạng thái", "status")),
    ("as_of", t("tính đến", "as of")),
)
ROW_COLUMNS = (
    ("key", t("nhóm", "group")),
    ("value", t("giá trị", "value")),
    ("numerator", t("tử số", "numerator")),
    ("denominator", t("mẫu số", "denominator")),
    ("status", t("trạng thái", "status")),
)
CONNECTOR_COLUMNS = (
    ("connector", t("đầu nối", "connector")),
    ("kind", t("kiểu", "kind")),
    ("department", t("đơn vị", "department")),
    ("state", t("trạng thái", "state")),
    ("last_event_time", t("sự kiện cuối", "last event")),
    ("events_per_second", t("sự kiện/giây", "events/s")),
    ("lag", t("tồn", "lag")),
    ("received", t("nhận", "received")),
    ("published", t("phát", "published")),
    ("quarantined", t("cách ly", "quarantined")),
    ("errors", t("lỗi", "errors")),
)
QUARANTINE_COLUMNS = (
    ("id", "id"),
    ("at", t("lúc", "at")),
    ("connector", t("đầu nối", "connector")),
    ("stage", t("khâu", "stage")),
    ("reason_code", t("mã", "code")),
    ("resolved", t("đã có bản mới", "resolved")),
    ("reason", t("lý do", "reason")),
)


def register(app: typer.Typer) -> None:
    """Add the nouns."""
    # These ask through `ask`, below.
    from hub.cli.figures import register_kpi as register_figures
    from hub.cli.kpi_check import register_check

    kpi = typer.Typer(no_args_is_help=True, help=t("Chỉ số.", "KPIs."))
    kpi.command("ls", help=t("Mọi chỉ số trong kỳ.", "All KPIs over a period."))(kpi_ls)
    kpi.command(
        "get",
        help=t(
            "Một chỉ số.\n\nVí dụ:  ioc kpi get dossier.on_time_share --from 2022-01-01 --to 2022-09-30 --by org_code",
            "One KPI.\n\nExample:  ioc kpi get dossier.on_time_share --from 2022-01-01 --to 2022-09-30 --by org_code",
        ),
    )(kpi_get)
    register_kpi(kpi)
    register_figures(kpi)
    register_check(kpi)
    app.add_typer(kpi, name="kpi")
    connector = typer.Typer(no_args_is_help=True, help=t("Đầu nối.", "Connectors."))
    register_trials(connector)
    connector.command("ls", help=t("Trạng thái các đầu nối.", "State of the connectors."))(connector_ls)
    register_connector(connector)
    app.add_typer(connector, name="connector")
    quarantine = typer.Typer(no_args_is_help=True, help=t("Bản ghi bị cách ly.", "Refused records."))
    quarantine.command("ls", help=t("Mới nhất trước.", "Newest first."))(quarantine_ls)
    quarantine.command("show", help=t("Một bản ghi.", "One record."))(quarantine_show)
    quarantine.command(
        "mend",
        help=t(
            "Phát bản ghi đã sửa thay cho bản ghi bị cách ly, có ghi nhật ký. Ví dụ: ioc quarantine mend"
            " khach:3f2a… ban-ghi.json",
            "Publish a mended record in the place of a refused one; the trail notes it. Example: ioc quarantine mend"
            " visits:3f2a… record.json",
        ),
    )(quarantine_mend)
    app.add_typer(quarantine, name="quarantine")


def ask(path: str, key: str | None, parameters: Mapping[str, str | None] | None = None, body: Any = None) -> Any:
    """GET from the API of this stack, or POST a body; ends the process with a message where that fails."""
    from hub.client import ApiAwayError, ClientError, client

    try:
        made = client(settings(), key)
        return made.get(path, parameters) if body is None else made.send("POST", path, body)
    except ApiAwayError as error:
        leave(
            Exit.FAILED,
            t(f"API không trả lời ({error}). Chạy: ioc up --wait", f"No answer ({error}). Run: ioc up --wait"),
        )
    except ClientError as error:
        leave(Exit.FAILED, str(error))


def kpi_ls(start: From = None, end: To = None, output: Output = Format.TABLE, key: Key = None) -> None:
    answer = ask("/v1/kpis", key, {"from": start, "to": end})
    _say_cures(answer["items"])
    if output is Format.JSON:
        show_json(answer["items"])
    else:
        show_rows(answer["items"], KPI_COLUMNS, output)


def _say_cures(items: Sequence[Mapping[str, Any]]) -> None:
    """What to run for KPIs that have no figures yet, on stderr."""
    for item in items:
        unserved = item["unserved"]
        if unserved is not None and unserved["percent"] is not None:
            say(t(f"{item['id']}: đã tính {unserved['percent']}%", f"{item['id']}: {unserved['percent']}% computed"))
        elif unserved is not None:
            say(f"{item['id']}: {unserved['state']} {unserved['reason']} → {unserved['cure']}")


def kpi_get(
    kpi_id: Annotated[str, typer.Argument(metavar="ID")],
    start: From = None,
    end: To = None,
    by: Annotated[str | None, typer.Option("--by", help=t("Theo chiều.", "By dimension."), show_default=False)] = None,
    output: Output = Format.TABLE,
    key: Key = None,
) -> None:
    answer = ask(f"/v1/kpis/{kpi_id}", key, {"from": start, "to": end, "by": by})
    _say_cures([answer])
    if output is Format.JSON:
        show_json(answer)
    elif by is not None:
        show_rows(answer["rows"], ROW_COLUMNS, output)
    else:
        show_rows([answer], KPI_COLUMNS, output)


def connector_ls(output: Output = Format.TABLE, key: Key = None) -> None:
    items = ask("/v1/connectors", key)["items"]
    if output is Format.JSON:
        show_json(items)
    else:
        show_rows(items, CONNECTOR_COLUMNS, output)


def quarantine_ls(
    limit: Annotated[int, typer.Option("--limit", min=1, help=t("Số dòng.", "Number of rows."))] = 50,
    connector: Annotated[
        str | None, typer.Option("--connector", help=t("Chỉ đầu nối này.", "This connector only."), show_default=False)
    ] = None,
    output: Output = Format.TABLE,
    key: Key = None,
) -> None:
    entries: list[dict[str, Any]] = []
    cursor: str | None = None
    while len(entries) < limit:
        page = min(limit - len(entries), 500)
        answer = ask("/v1/quarantine", key, {"limit": str(page), "cursor": cursor, "connector": connector})
        entries += answer["items"]
        cursor = answer["next"]
        if cursor is None:
            break
    if output is Format.JSON:
        show_json(entries)
    else:
        show_rows(entries, QUARANTINE_COLUMNS, output)


def quarantine_show(entry_id: Annotated[str, typer.Argument(metavar="ID")], key: Key = None) -> None:
    from urllib.parse import quote

    show_json(ask(f"/v1/quarantine/{quote(entry_id, safe='')}", key))


def quarantine_mend(
    entry_id: Annotated[str, typer.Argument(metavar="ID")],
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", exists=True, dir_okay=False,
            help=t("Bản ghi đã sửa: một đối tượng JSON.", "The mended record: one JSON object."),
        ),
    ],
    key: Key = None,
) -> None:  # fmt: skip
    from urllib.parse import quote

    entry = ask(f"/v1/quarantine/{quote(entry_id, safe='')}", key)
    body = {"entry": entry_id, "record": file.read_text(encoding="utf-8")}
    answer = ask(f"/connectors/{quote(entry['connector'], safe='')}/mend", key, body=body)
    names = ", ".join(answer["mended"]) or "–"
    say(t(f"Đã phát bản ghi; trường đã sửa: {names}", f"Published; mended fields: {names}"))
