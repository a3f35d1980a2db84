"""`ioc freshness`, `ioc why`, `ioc incidents`: who is late, why, and what goes stale; through the API."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import quote

import typer

from hub.cli.output import Exit, Format, say, show_json, show_rows
from hub.cli.reading import Key, Output, ask
from hub.language import LANGUAGE, t

Department = Annotated[
    str | None,
    typer.Option(
        "--department",
        help=t("Mã hoặc tên đơn vị, ví dụ H53.14.", "A unit's code or name, such as H53.14."),
        show_default=False,
    ),
]
FRESHNESS_COLUMNS = (
    ("dataset", t("bộ dữ liệu", "data set")),
    ("department", t("đơn vị", "department")),
    ("state_text", t("trạng thái", "state")),
    ("last_event", t("sự kiện cuối", "last event")),
    ("age_s", t("tuổi (giây)", "age (s)")),
    ("late_at", t("trễ từ", "late from")),
    ("contact", t("đầu mối", "contact")),
)
INCIDENT_COLUMNS = (
    ("dataset", t("bộ dữ liệu", "data set")),
    ("department", t("đơn vị", "department")),
    ("state_text", t("trạng thái", "state")),
    ("began", t("bắt đầu", "began")),
    ("ended", t("kết thúc", "ended")),
    ("lasted_s", t("kéo dài (giây)", "lasted (s)")),
)
SUM_COLUMNS = (
    ("department", t("đơn vị", "department")),
    ("name", t("tên", "name")),
    ("state_text", t("trạng thái", "state")),
    ("incidents", t("số sự cố", "incidents")),
    ("lasted_s", t("tổng (giây)", "together (s)")),
)
STAGE_COLUMNS = (
    ("mark", ""),
    ("stage_text", t("khâu", "stage")),
    ("told", t("bằng chứng", "evidence")),
)
STALE_COLUMNS = (("kpi", t("chỉ số", "KPI")), ("name", t("tên", "name")), ("tile", t("trên màn hình", "tile")))
REFUSED_COLUMNS = (
    ("code", t("mã", "code")),
    ("reason", t("lý do", "reason")),
    ("records", t("bản ghi", "records")),
    ("newest", t("mới nhất", "newest")),
)
STAGES = {
    "source": t("nguồn", "source"),
    "connector": t("đầu nối", "connector"),
    "contract": t("hợp đồng", "contract"),
    "kafka": "Kafka",
    "stream": t("luồng", "stream"),
    "warehouse": t("kho dữ liệu", "warehouse"),
    "api": "API",
}
TIMES = ("last_event", "late_at", "began", "ended")
MARKS = {True: "✓", False: "✗", None: "?"}


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(
        "freshness",
        help=t(
            "Độ tươi của mọi bộ dữ liệu. Mã thoát 3 nếu có bộ bất thường.\n\nVí dụ:  ioc freshness --department H53.14",
            "How fresh every data set is. Exit code 3 if one is abnormal.\n\n"
            "Example:  ioc freshness --department H53.14",
        ),
    )(freshness)
    app.command(
        "why",
        help=t(
            "Vì sao một bộ dữ liệu trễ, ở khâu nào, và chỉ số nào cũ theo. Mã thoát 3 nếu bất thường.\n\n"
            "Ví dụ:  ioc why portal",
            "Why a data set is late, at which stage, and which KPIs go stale. Exit code 3 if it is abnormal.\n\n"
            "Example:  ioc why portal",
        ),
    )(why)
    app.command(
        "incidents",
        help=t(
            "Sự cố và thời gian kéo dài.\n\nVí dụ:  ioc incidents --month 2026-10 --by-department -o csv",
            "Incidents and how long they lasted.\n\nExample:  ioc incidents --month 2026-10 --by-department -o csv",
        ),
    )(incidents)


def freshness(department: Department = None, output: Output = Format.TABLE, key: Key = None) -> None:
    items = [_worded(item) for item in ask("/v1/health/datasets", key, {"department": department})["items"]]
    if output is Format.JSON:
        show_json(items)
    else:
        show_rows([_local(item, output) for item in items], FRESHNESS_COLUMNS, output)
    if not items:
        say(t("Chưa có đầu nối nào; khai báo: ioc connector new", "No connector yet; describe one: ioc connector new"))
    _leave_if_abnormal(items)


def why(
    dataset: Annotated[
        str, typer.Argument(metavar="DATASET", help=t("Đầu nối hoặc thực thể.", "Connector or entity."))
    ],
    output: Output = Format.TABLE,
    key: Key = None,
) -> None:
    items = [_worded(item) for item in ask(f"/v1/health/datasets/{quote(dataset, safe='')}", key)["items"]]
    if output is Format.JSON:
        show_json(items)
    elif output is Format.CSV:
        stages = [{"dataset": item["dataset"], **stage} for item in items for stage in _stages(item)]
        show_rows(stages, (("dataset", ""), ("stage", ""), ("ok", ""), ("told", "")), output)
    else:
        for item in items:
            _show(item)
    _leave_if_abnormal(items)


def incidents(
    days: Annotated[int, typer.Option("--days", min=1, max=400, help=t("Số ngày trở lại.", "Days back."))] = 30,
    department: Department = None,
    month: Annotated[
        str | None,
        typer.Option(
            "--month", metavar="YYYY-MM", help=t("Một tháng, thay cho --days.", "A month, instead of --days.")
        ),
    ] = None,
    by_department: Annotated[
        bool, typer.Option("--by-department", help=t("Cộng theo đơn vị.", "Summed by department."))
    ] = False,
    output: Output = Format.TABLE,
    key: Key = None,
) -> None:
    answer = ask("/v1/health/incidents", key, {"days": str(days), "month": month, "department": department})
    rows = [_worded(item) for item in answer["by_department" if by_department else "items"]]
    if output is Format.JSON:
        show_json(rows)
    else:
        columns = SUM_COLUMNS if by_department else INCIDENT_COLUMNS
        show_rows([_local(row, output) for row in rows], columns, output)
    if not rows:
        told = (f"tháng {month}", month) if month else (f"{days} ngày", f"{days} days")
        say(t(f"Không có sự cố nào trong {told[0]}", f"No incident in {told[1]}"))


def _show(item: Mapping[str, Any]) -> None:
    head = f"{item['dataset']} · {item['department']} · {item['state_text']}"
    say(head + (f" → {STAGES[item['failing']]}" if item["failing"] else ""))
    show_rows(_stages(item), STAGE_COLUMNS, Format.TABLE)
    if item["refused"]:
        show_rows(item["refused"], REFUSED_COLUMNS, Format.TABLE)
    if item["abnormal"] and item["stale"]:
        say(t("Chỉ số cũ theo:", "KPIs that go stale:"))
        show_rows(item["stale"], STALE_COLUMNS, Format.TABLE)


def _stages(item: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "stage": stage["stage"],
            "ok": stage["ok"],
            "mark": MARKS[stage["ok"]],
            "stage_text": STAGES[stage["stage"]],
            "told": "; ".join(f"{name}={_text(value)}" for name, value in stage.items() if _says(name, value)),
        }
        for stage in item["stages"]
    ]


def _says(name: str, value: Any) -> bool:
    return name not in ("stage", "ok") and value not in (None, {}, "")


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ",".join(f"{key}:{item}" for key, item in value.items())
    return str(value)


def _worded(item: Mapping[str, Any]) -> dict[str, Any]:
    from hub.locale.catalogue import catalogue

    return {**item, "state_text": catalogue(LANGUAGE)(f"state.{item['state']}")}


def _local(item: Mapping[str, Any], output: Format) -> dict[str, Any]:
    """Times of a table in the zone of this machine, to the second."""
    if output is not Format.TABLE:
        return dict(item)
    return {name: _time(value) if name in TIMES and value else value for name, value in item.items()}


def _time(text: str) -> str:
    return datetime.fromisoformat(text).astimezone().strftime("%d/%m/%Y %H:%M:%S")


def _leave_if_abnormal(items: list[dict[str, Any]]) -> None:
    if any(item["abnormal"] for item in items):
        raise SystemExit(int(Exit.CHECK_FAILED))
