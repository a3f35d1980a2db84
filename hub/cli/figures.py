"""`ioc kpi show|explain`, `ioc sql`, `ioc export`, `ioc report`: figures, reasons and files, through the API."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from hub.cli.context import settings
from hub.cli.output import Exit, Format, leave, say, show_json, show_rows
from hub.cli.reading import From, Key, Output, To, ask
from hub.language import t

Where = Annotated[
    list[str] | None,
    typer.Option(
        "--where", metavar="FIELD=VALUE", help=t("Chỉ những dòng này.", "These rows only."), show_default=False
    ),
]
Limit = Annotated[int, typer.Option("--limit", min=1, help=t("Số dòng nhiều nhất.", "Rows at most."))]
Kpi = Annotated[str, typer.Argument(metavar="ID")]
CHANGE_COLUMNS = (
    ("org_code", t("đơn vị", "unit")),
    ("org_name", t("tên", "name")),
    ("reason", t("lý do", "reason")),
    ("records", t("bản ghi", "records")),
    ("numerator", t("tử số", "numerator")),
    ("denominator", t("mẫu số", "denominator")),
    ("value", t("giá trị", "value")),
    ("less", t("giảm trừ", "less")),
)
SHOWN = (
    *("id", "name", "explanation", "value", "numerator", "denominator", "unit", "target", "gap", "level", "status"),
    *("as_of", "stale", "legal", "owner", "version"),
)


def register_kpi(kpi: typer.Typer) -> None:
    """Add to the noun `kpi`."""
    kpi.command(
        "show",
        help=t(
            "Một chỉ số đầy đủ, với bốn dấu chất lượng.\n\nVí dụ:  ioc kpi show dossier.on_time_share --compare year",
            "One KPI in full, with its four marks of quality.\n\n"
            "Example:  ioc kpi show dossier.on_time_share --compare year",
        ),
    )(show)
    kpi.command(
        "explain",
        help=t(
            "Vì sao có giá trị này: công thức, nguồn, thay đổi từ hôm qua.\n\n"
            "Ví dụ:  ioc kpi explain feedback.processed_share --from 2022-01-01 --to 2022-09-30",
            "Why a value is what it is: formula, sources, what changed since yesterday.\n\n"
            "Example:  ioc kpi explain feedback.processed_share --from 2022-01-01 --to 2022-09-30",
        ),
    )(explain)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(
        "sql",
        help=t(
            'Hỏi bằng SQL, chỉ đọc.\n\nVí dụ:  ioc sql "SELECT org_code, count() FROM dossier GROUP BY 1" -o csv',
            'Ask in SQL, read-only.\n\nExample:  ioc sql "SELECT org_code, count() FROM dossier GROUP BY 1" -o csv',
        ),
    )(sql)
    app.command(
        "export",
        help=t(
            "Xuất bản ghi của một thực thể, hoặc một chỉ số, thành tệp csv, xlsx, parquet, json.\n\n"
            "Ví dụ:  ioc export dossier --where org_code=H53.14 --out dossier.xlsx",
            "Records of an entity, or a KPI, as a file: csv, xlsx, parquet, json.\n\n"
            "Example:  ioc export dossier --where org_code=H53.14 --out dossier.xlsx",
        ),
    )(export)
    app.command(
        "report",
        help=t(
            "Báo cáo tháng: HTML để in ra PDF và XLSX.\n\nVí dụ:  ioc report 2022-09 --out ./bao-cao",
            "The month's report: HTML to print as PDF, and XLSX.\n\nExample:  ioc report 2022-09 --out ./reports",
        ),
    )(report)


def where_of(given: Sequence[str] | None) -> dict[str, str | None]:
    """`--where` as the API's parameters; ends the process for one without `=`."""
    found: dict[str, str | None] = {}
    for item in given or ():
        name, equals, value = item.partition("=")
        if not equals or not name:
            leave(Exit.USAGE, t(f"--where {item}: hãy viết FIELD=VALUE", f"--where {item}: write FIELD=VALUE"))
        found[f"where[{name}]"] = value
    return found


def show(
    kpi_id: Kpi,
    start: From = None,
    end: To = None,
    where: Where = None,
    compare: Annotated[
        str | None, typer.Option("--compare", metavar="previous|plan|year", show_default=False, help="")
    ] = None,
    known_at: Annotated[
        str | None,
        typer.Option("--as-known-at", metavar="TIME", show_default=False, help=t("Như đã biết lúc.", "As known then.")),
    ] = None,
    output: Output = Format.TABLE,
    key: Key = None,
) -> None:
    asked = {"from": start, "to": end, "compare": compare, "as_known_at": known_at, **where_of(where)}
    answer = ask(f"/v1/kpis/{quote(kpi_id)}", key, asked)
    if output is not Format.TABLE:
        show_json(answer)
        return
    lines = [{"key": name, "value": answer[name]} for name in SHOWN if answer[name] is not None]
    lines += [{"key": badge["name"], "value": f"{badge['state']}: {badge['reason']}"} for badge in answer["badges"]]
    for name in ("compare", "reported"):
        if answer[name] is not None:
            told = ", ".join(f"{key} {value}" for key, value in answer[name].items() if value is not None)
            lines.append({"key": name, "value": told})
    show_rows(lines, (("key", ""), ("value", "")), output)


def explain(
    kpi_id: Kpi,
    start: From = None,
    end: To = None,
    where: Where = None,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="TIME", show_default=False, help=t("Thay đổi từ lúc.", "What changed since.")),
    ] = None,
    output: Output = Format.TABLE,
    key: Key = None,
) -> None:
    asked = {"from": start, "to": end, "since": since, **where_of(where)}
    found = ask(f"/v1/kpis/{quote(kpi_id)}/explain", key, asked)
    if output is Format.JSON:
        show_json(found)
        return
    answer, changes = found["answer"], found["changes"]
    say(f"{answer['name']}: {answer['value']} {answer['unit']} = {found['formula']['text']}")
    for origin in found["lineage"]:
        say(f"  {origin['source_system']} → {origin['connector']} → {origin['topic']} → {', '.join(origin['tables'])}")
    before = changes["before"]["value"]
    say(
        t(
            f"Từ {changes['since']}: {before} → {answer['value']}",
            f"Since {changes['since']}: {before} → {answer['value']}",
        )
    )
    rows = changes["contributions"] or []
    columns = [
        column for column in CHANGE_COLUMNS if column[0] in ("org_code", "reason") or any(column[0] in r for r in rows)
    ]
    show_rows(rows, columns, output)


def sql(
    query: Annotated[str, typer.Argument(metavar="SELECT")],
    param: Annotated[
        list[str] | None,
        typer.Option("--param", metavar="NAME=VALUE", help=t("Giá trị của {tên:Kiểu}.", "Value of {name:Type}.")),
    ] = None,
    limit: Limit = 1000,
    output: Output = Format.TABLE,
    key: Key = None,
) -> None:
    values = {f"param_{name}": value for name, _, value in (item.partition("=") for item in param or ())}
    answer = ask("/v1/sql", key, {"query": query, "limit": str(limit), **values})
    if output is Format.JSON:
        show_json(answer)
    else:
        names = [column["name"] for column in answer["columns"]]
        rows: list[dict[str, Any]] = [dict(zip(names, row, strict=True)) for row in answer["rows"]]
        show_rows(rows, [(name, name) for name in names], output)
    if answer["truncated"]:
        say(t(f"Chỉ {limit} dòng đầu; còn nữa.", f"The first {limit} rows only; there are more."))


def export(
    what: Annotated[str, typer.Argument(metavar="ENTITY|KPI")],
    out: Annotated[
        Path, typer.Option("--out", help=t("Tệp .csv, .xlsx, .parquet, .json.", "File: its end is the form."))
    ],
    where: Where = None,
    start: From = None,
    end: To = None,
    by: Annotated[str | None, typer.Option("--by", help=t("Theo chiều.", "By dimension."), show_default=False)] = None,
    excel: Annotated[bool, typer.Option("--excel", help=t("CSV cho Excel tiếng Việt.", "CSV for Excel."))] = False,
    key: Key = None,
) -> None:
    from hub.client import ClientError, client

    form = out.suffix.removeprefix(".")
    is_kpi = "." in what
    path = f"/v1/{'kpis' if is_kpi else 'entities'}/{quote(what)}.{form}"
    asked = {**where_of(where), "excel": "true" if excel else None}
    asked |= {"from": start, "to": end, "by": by} if is_kpi else {}
    try:
        size = client(settings(), key).download(path, out, asked)
    except ClientError as error:
        leave(Exit.FAILED, str(error))
    say(t(f"{out}: {size} byte", f"{out}: {size} bytes"))


def report(
    month: Annotated[str, typer.Argument(metavar="YYYY-MM")],
    out: Annotated[Path, typer.Option("--out", help=t("Thư mục.", "Directory."))] = Path(),
    key: Key = None,
) -> None:
    from hub.client import ClientError, client
    from hub.clock import utc_now
    from hub.exports.files import xlsx_chunks
    from hub.locale.catalogue import catalogue
    from hub.report import Unpunctual, html_report, month_of, report_table

    try:
        first, last = month_of(month)
    except ValueError:
        leave(Exit.USAGE, t(f"{month}: hãy viết YYYY-MM", f"{month}: write YYYY-MM"))
    hub, language = client(settings(), key), settings().lang
    try:
        listed = hub.kpis(first, last)
        kpis = [hub.kpi(item.id, first, last, compare="previous") for item in listed]
    except ClientError as error:
        leave(Exit.FAILED, str(error))
    told = ask("/v1/health/incidents", key, {"month": month})["by_department"]
    word = catalogue(language)
    late = [Unpunctual(one["name"], word(f"state.{one['state']}"), one["incidents"], one["lasted_s"]) for one in told]
    out.mkdir(parents=True, exist_ok=True)
    html, book = out / f"{month}.html", out / f"{month}.xlsx"
    html.write_text(html_report(kpis, language, utc_now(), late), encoding="utf-8")
    book.write_bytes(b"".join(xlsx_chunks(report_table(kpis, language))))
    say(f"{html}\n{book}")
