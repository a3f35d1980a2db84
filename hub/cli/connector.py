"""`ioc connector`: describe, check, preview and dry-run a connector, without a running worker; list what runs."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli import connector_document, connector_new
from hub.cli.context import settings
from hub.cli.declared import read_declared
from hub.cli.output import Exit, Format, complain, leave, say, show_json, show_rows
from hub.language import LANGUAGE, t

if TYPE_CHECKING:
    from connectors.source import Step
    from connectors.trial import Pair, Report
    from hub.connector_trial import Trial

Output = Annotated[Format, typer.Option("--output", "-o", help=t("Dạng kết quả.", "Form of the result."))]
Name = Annotated[
    str, typer.Argument(metavar="MANIFEST", help=t("Tệp YAML, hoặc mã đầu nối.", "YAML file, or a connector's id."))
]
Sample = Annotated[
    Path | None,
    typer.Option(
        "--sample",
        help=t("Bản ghi từ tệp JSON thay cho nguồn.", "Records of a JSON file instead of the source's."),
        show_default=False,
    ),
]

STEP_COLUMNS = (
    ("step", t("bước", "step")),
    ("ok", t("đạt", "ok")),
    ("took_ms", "ms"),
    ("found", t("kết quả", "result")),
)
PAIR_COLUMNS = (("field", t("trường", "field")), ("before", t("trước", "before")), ("after", t("sau", "after")))
INFERRED_COLUMNS = (
    ("path", t("trường nguồn", "source field")),
    ("types", t("kiểu", "types")),
    ("present", t("có mặt", "present")),
    ("filled", t("có giá trị", "filled")),
    ("personal", t("dữ liệu cá nhân", "personal")),
)
FIT_COLUMNS = (
    ("field", t("trường hợp đồng", "contract field")),
    ("kind", t("kiểu", "type")),
    ("sources", t("lấy từ", "from")),
    ("filled", t("có giá trị", "filled")),
    ("refused", t("bị từ chối", "refused")),
)


def register(connector: typer.Typer) -> None:
    """Add the verbs to the noun."""
    connector.command(
        "spec",
        help=t(
            "In JSON Schema của khai báo, cho trình soạn thảo.\n\nVí dụ:  ioc connector spec rest > schema.json",
            "Print the JSON Schema of manifests, for editors.\n\nExample:  ioc connector spec rest > schema.json",
        ),
    )(spec)
    connector_new.register(connector)
    connector_document.register(connector)
    connector.command(
        "check",
        help=t(
            "Thử kết nối thật, chỉ đọc, từng bước kèm thời gian. Mã thoát 3 nếu một bước hỏng.\n\n"
            "Ví dụ:  ioc connector check portal.yaml",
            "Try the connection live, only reading, each step with its time. Exit code 3 if one fails.\n\n"
            "Example:  ioc connector check portal.yaml",
        ),
    )(check)
    connector.command(
        "preview",
        help=t(
            "Mười bản ghi, trước và sau ánh xạ; bản ghi bị từ chối kèm lý do. Không lấy mất dữ liệu của nguồn.\n\n"
            "Ví dụ:  ioc connector preview portal.yaml -n 3",
            "Ten records before and after the mapping, refused ones with the reason. Consumes nothing.\n\n"
            "Example:  ioc connector preview portal.yaml -n 3",
        ),
    )(preview)
    connector.command(
        "dry-run",
        help=t(
            "Báo cáo trước khi đưa vào chạy: lược đồ suy ra, độ khớp với hợp đồng, dữ liệu cá nhân, khối lượng, chỉ "
            "số, cam kết độ tươi. Mã thoát 3 nếu chưa được phép chạy.\n\n"
            "Ví dụ:  ioc connector dry-run portal.yaml -o json",
            "Report before going live: inferred schema, fit with the contract, personal data, volume, KPIs, freshness "
            "promise. Exit code 3 if it may not go live.\n\nExample:  ioc connector dry-run portal.yaml -o json",
        ),
    )(dry_run)


def spec(
    kind: Annotated[str | None, typer.Argument(help=t("Kiểu nguồn.", "Kind of source."), show_default=False)] = None,
) -> None:
    from connectors.manifest import source_kinds
    from connectors.manifest_schema import manifest_schema
    from schemas.declaration import unknown_key

    if kind is not None and kind not in source_kinds():
        leave(Exit.USAGE, f"{kind}: " + t(*unknown_key(kind, source_kinds(), "kiểu", "kind")))
    show_json(manifest_schema(*([kind] if kind else [])))


def opened(name: str) -> Trial:
    """The manifest on trial; ends the process where the file is wrong."""
    from connectors.errors import ConnectorError
    from hub.connector_trial import open_trial
    from hub.wiring import connector_folders

    config = settings()
    try:
        return open_trial(name, config, read_declared(config), connector_folders(config))
    except ConnectorError as error:
        leave(Exit.USAGE, error.text.to(LANGUAGE))


def check(name: Name, output: Output = Format.TABLE) -> None:
    from hub.connector_trial import check_steps

    found = opened(name)

    async def run() -> list[Step]:
        steps = []
        async for step in check_steps(found):
            steps.append(step)
            say(f"{'✗' if step.error else '✓'} {step.label.to(LANGUAGE)} ({step.took_s * 1000:.0f} ms)")
        return steps

    steps = asyncio.run(run())
    rows = [
        {
            "name": step.name,
            "step": step.label.to(LANGUAGE),
            "ok": step.error is None,
            "took_ms": round(step.took_s * 1000, 1),
            "found": (step.error.text if step.error else step.found or step.label).to(LANGUAGE),
        }
        for step in steps
    ]
    show_json(rows) if output is Format.JSON else show_rows(rows, STEP_COLUMNS, output)
    if any(step.error for step in steps):
        raise typer.Exit(Exit.CHECK_FAILED)


def preview(
    name: Name,
    count: Annotated[int, typer.Option("-n", min=1, max=1000, help=t("Số bản ghi.", "Number of records."))] = 10,
    sample: Sample = None,
    output: Output = Format.TABLE,
) -> None:
    from connectors.clock import now_ms
    from connectors.errors import ConnectorError
    from connectors.trial import pairs
    from hub import connector_trial

    found = opened(name)
    if found.mapper is None:
        leave(Exit.CHECK_FAILED, found.misfit.text.to(LANGUAGE) if found.misfit else "")
    try:
        taken = asyncio.run(connector_trial.sample(found, count, sample))
    except ConnectorError as error:
        leave(Exit.FAILED, error.text.to(LANGUAGE))
    shown = pairs(found.manifest, found.mapper, taken, now_ms())
    if output is Format.TABLE:
        _show_pairs(found, shown)
    else:
        rows = [
            {
                "before": pair.before,
                "after": pair.after,
                "refused": pair.refusal.to(LANGUAGE) if pair.refusal else None,
                "path": pair.path,
            }
            for pair in shown
        ]
        columns = tuple((key, key) for key in ("before", "after", "refused", "path"))
        show_json(rows) if output is Format.JSON else show_rows(rows, columns, output)
    refused = sum(pair.after is None for pair in shown)
    say(t(f"{len(shown)} bản ghi, {refused} bị từ chối", f"{len(shown)} records, {refused} refused"))
    if not shown:
        say(t("Nguồn chưa có bản ghi nào.", "The source has no records yet."))


def _show_pairs(found: Trial, shown: list[Pair]) -> None:
    from connectors.paths import value_at
    from connectors.personal import paths_of

    for number, pair in enumerate(shown, start=1):
        print(f"── {number}/{len(shown)}")
        if pair.after is None:
            where = f"{pair.path}: " if pair.path else ""
            value = f" = {value_at(pair.before, pair.path)!r}" if pair.path and isinstance(pair.before, dict) else ""
            print(f"✗ {_line_of(pair.before)}{where}{pair.refusal.to(LANGUAGE) if pair.refusal else ''}{value}")
            continue
        rows = []
        for field, after in pair.after.items():
            rule = found.manifest.mapping.get(field)
            paths = paths_of(rule) if rule is not None else []
            before = ", ".join(f"{path} = {value_at(pair.before, path)!r}" for path in paths)
            rows.append({"field": field, "before": before or None, "after": _readable(found, field, after)})
        show_rows(rows, PAIR_COLUMNS, Format.TABLE)


def _readable(found: Trial, field: str, value: Any) -> Any:
    """Times as local time; in JSON they stay epoch milliseconds, as they are published."""
    if found.contract.by_name[field].base != "timestamp" or value is None:
        return value
    from datetime import UTC, datetime

    return datetime.fromtimestamp(value / 1000, UTC).astimezone(found.manifest.zone).isoformat()


def _line_of(record: Any) -> str:
    """Where a record stands in its file, if it comes from one."""
    from connectors.source import FILE, ROW

    if not isinstance(record, dict) or ROW not in record:
        return ""
    return t(f"{record.get(FILE)}, dòng {record[ROW]}: ", f"{record.get(FILE)}, row {record[ROW]}: ")


def dry_run(
    name: Name,
    count: Annotated[int, typer.Option("-n", min=1, max=10_000, help=t("Số bản ghi mẫu.", "Records sampled."))] = 200,
    sample: Sample = None,
    output: Output = Format.TABLE,
) -> None:
    from connectors.errors import ConnectorError
    from hub import connector_trial
    from hub.promise_words import in_words

    found = opened(name)
    try:
        report = asyncio.run(connector_trial.dry_run(found, count, sample))
    except ConnectorError as error:
        leave(Exit.FAILED, error.text.to(LANGUAGE))
    promise = in_words(found.manifest.promise).to(LANGUAGE)
    kpis = list(found.kpis)
    if output is Format.JSON:
        show_json(_as_json(found, report, promise, kpis))
    else:
        _show_report(found, report, promise, kpis, output)
    for objection in report.objections:
        complain(f"✗ {objection.path}: {objection.text.to(LANGUAGE)}")
    if report.objections:
        raise typer.Exit(Exit.CHECK_FAILED)
    say(t("✓ Có thể đưa vào chạy.", "✓ May go live."))


def _as_json(found: Trial, report: Report, promise: str, kpis: list[str]) -> dict[str, Any]:
    tree = asdict(report)
    tree["objections"] = [
        {"code": one.code, "path": one.path, "text": one.text.to(LANGUAGE)} for one in report.objections
    ]
    return {"connector": found.manifest.id, "topic": found.contract.topic, "promise": promise, "kpis": kpis, **tree}


def _show_report(found: Trial, report: Report, promise: str, kpis: list[str], form: Format) -> None:
    personal = {finding.path: finding.kind for finding in report.personal}
    open_paths = {finding.path for finding in report.untagged}
    tagged, lacking = t("đã gắn nhãn", "tagged"), t("CHƯA gắn nhãn", "NOT tagged")
    show_rows(
        [
            {
                "path": each.path,
                "types": ", ".join(each.types),
                "present": each.present,
                "filled": each.filled,
                "personal": f"{personal[each.path]} ({lacking if each.path in open_paths else tagged})"
                if each.path in personal
                else None,
            }
            for each in report.inferred
        ],
        INFERRED_COLUMNS,
        form,
    )
    print()
    show_rows([{**asdict(fit), "sources": ", ".join(fit.sources)} for fit in report.fits], FIT_COLUMNS, form)
    volume = "?" if report.per_day is None else str(report.per_day)
    lines = (
        (t("Bản ghi mẫu", "Sampled records"), f"{report.records}, {t('khớp', 'fit')}: {report.accepted}"),
        (t("Khối lượng dự kiến", "Expected volume"), f"{volume} {t('bản ghi/ngày', 'records/day')}"),
        (t("Trường mới", "New fields"), ", ".join(report.new_fields) or "–"),
        (t("Cam kết độ tươi", "Freshness promise"), promise),
        (t("Chỉ số liên quan", "KPIs touched"), ", ".join(kpis) or "–"),
        (t("Chủ đề", "Topic"), found.contract.topic),
    )
    print()
    for label, value in lines:
        print(f"{label}: {value}")
