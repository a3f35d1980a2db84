"""`ioc connector apply|approve|pause|resume|stop|restart|describe|history|rm`, through the workers' interface."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from hub.cli.connector_exchange import (
    STATUS_COLUMNS,
    DryRun,
    Key,
    Name,
    Names,
    Output,
    Yes,
    ask,
    at,
    confirm,
    row,
    show_acts,
    show_status,
)
from hub.cli.connector_offsets import register as register_offsets
from hub.cli.output import Exit, Format, leave, say, show_json, show_rows
from hub.language import LANGUAGE, t

WAIT_S = 10.0
"""How long a command waits for the worker to follow; it follows by itself afterwards, too."""
POLL_S = 0.1


def register(group: typer.Typer) -> None:
    """Add the commands to `ioc connector`."""
    for name, vi, en, example, run in (
        ("apply", "Đăng ký bản khai; chạy ngay nếu được phép, nếu không thì chờ IOC duyệt.",
         "Register manifests; they run at once if you may approve, else once the IOC has.",
         "ioc connector apply connectors/departments/portal.yaml --dry-run", apply),
        ("approve", "IOC duyệt phiên bản mới nhất.", "The IOC approves the newest version.",
         "ioc connector approve portal --version 3", approve),
        ("pause", "Tạm dừng sau trang đang đọc.", "Pause after the page under way.",
         "ioc connector pause portal", _aim("pause", "paused")),
        ("resume", "Chạy tiếp từ chỗ đã dừng.", "Go on where it was.",
         "ioc connector resume portal", _aim("resume", "running")),
        ("stop", "Dừng hẳn, đóng kết nối tới nguồn.", "Stop, close the source.",
         "ioc connector stop portal", _aim("stop", "stopped")),
        ("restart", "Mở lại nguồn, thử ngay không chờ.", "Open the source anew, without any waiting.",
         "ioc connector restart portal", restart),
        ("describe", "Cấu hình, trạng thái, lỗi cuối và lịch sử.", "Config, state, last error and history.",
         "ioc connector describe portal", describe),
        ("history", "Ai đã làm gì, khi nào.", "Who did what, when.", "ioc connector history portal", history),
        ("rm", "Gỡ đầu nối; vị trí đọc được giữ lại.", "Remove a connector; its position is kept.",
         "ioc connector rm portal --yes", rm),
    ):  # fmt: skip
        group.command(name, help=t(f"{vi}\n\nVí dụ:  {example}", f"{en}\n\nExample:  {example}"))(run)
    register_offsets(group)


def apply(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help=t("Các bản khai YAML.", "YAML manifests."))],
    dry_run: DryRun = False,
    output: Output = Format.TABLE,
    key: Key = None,
) -> None:
    texts = [(path, *_named(path)) for path in files]
    results = []
    # Everything is checked before anything is changed.
    for path, name, text in texts:
        say(f"{path}: {t('kiểm tra', 'checking')} {name}")
        told = ask("PUT", at(name, "/manifest"), key, text, {"dry_run": "true"})
        _say_tried(told)
        results.append(told)
    if not dry_run:
        results = [ask("PUT", at(name, "/manifest"), key, text) for _, name, text in texts]
        for result in results:
            _say_applied(result)
    if output is Format.JSON:
        show_json(results)
    elif dry_run:
        show_rows(results, (("name", t("đầu nối", "connector")), ("new", t("mới", "new")),
                            ("changed", t("thay đổi", "changed"))), output)  # fmt: skip
    else:
        show_rows([row(ask("GET", at(name, "/status"), key)) for _, name, _ in texts], STATUS_COLUMNS, output)


def _named(path: Path) -> tuple[str, str]:
    """The connector's id in a manifest, and its text; ends the process where the file cannot be used."""
    import yaml

    try:
        text = path.read_text(encoding="utf-8")
        raw = yaml.safe_load(text)
    except (OSError, UnicodeDecodeError) as error:
        leave(Exit.USAGE, t(f"Không đọc được {path}: {error}", f"{path} cannot be read: {error}"))
    except yaml.YAMLError as error:
        leave(Exit.CHECK_FAILED, t(f"{path}: không phải YAML hợp lệ: {error}", f"{path}: not valid YAML: {error}"))
    name = raw.get("id") if isinstance(raw, dict) else None
    if not isinstance(name, str) or not name.strip():
        leave(Exit.CHECK_FAILED, t(f"{path}: thiếu «id» của đầu nối", f"{path}: the connector's “id” is missing"))
    return name, text


def _say_tried(told: dict[str, Any]) -> None:
    name, why = told["name"], told.get("not_tried")
    if why:
        say(
            t(f"{name}: chưa thử được trên bản ghi nào ({why}); bản ghi đầu tiên sẽ được soát khi chạy",
              f"{name}: not tried on any record ({why}); the first ones are looked through when it runs")
        )  # fmt: skip
    elif told.get("tried_records"):
        count = told["tried_records"]
        say(t(f"{name}: đã thử trên {count} bản ghi", f"{name}: tried on {count} records"))


def _say_applied(info: dict[str, Any]) -> None:
    told, name = info["ioc"], info["name"]
    if told["waiting_for_approval"]:
        say(
            t(f"{name}: phiên bản {told['version']} đã đăng ký, chờ IOC duyệt (ioc connector approve {name})",
              f"{name}: version {told['version']} is registered; the IOC has to approve it "
              f"(ioc connector approve {name})")
        )  # fmt: skip
    else:
        say(t(f"{name}: phiên bản {told['version']} đang chạy", f"{name}: version {told['version']} runs"))


def approve(
    name: Name,
    version: Annotated[
        int | None,
        typer.Option("--version", help=t("Phiên bản đã xem.", "The version you looked at."), show_default=False),
    ] = None,
    output: Output = Format.TABLE,
    key: Key = None,
) -> None:
    told = ask("POST", at(name, "/approve"), key, {} if version is None else {"version": version})
    show_status([told], output)


def _aim(act: str, target: str) -> Callable[..., None]:
    def run(names: Names, output: Output = Format.TABLE, key: Key = None) -> None:
        for name in names:
            ask("PUT", at(name, f"/{act}"), key)
        show_status([_followed(name, target, key) for name in names], output)

    return run


def _followed(name: str, target: str, key: str | None) -> dict[str, Any]:
    """The status once the worker has followed, or what it is after WAIT_S."""
    deadline = time.monotonic() + WAIT_S
    while True:
        told: dict[str, Any] = ask("GET", at(name, "/status"), key)
        reported = told["ioc"].get("reported_state")
        if reported in (target, "failed", "waiting") or time.monotonic() > deadline:
            return told
        time.sleep(POLL_S)


def restart(names: Names, output: Output = Format.TABLE, key: Key = None) -> None:
    for name in names:
        ask("POST", at(name, "/restart"), key, parameters={"includeTasks": "true"})
    show_status([ask("GET", at(name, "/status"), key) for name in names], output)


def describe(name: Name, output: Output = Format.TABLE, key: Key = None) -> None:
    told = ask("GET", at(name, "/status"), key)
    info = ask("GET", at(name), key)
    acts = ask("GET", at(name, "/audit"), key)
    if output is Format.JSON:
        show_json({**told, "config": info["config"], "audit": acts})
        return
    show_rows([row(told)], STATUS_COLUMNS, output)
    error = told["ioc"].get("last_error")
    if error:
        say(f"{t('lỗi cuối', 'last error')}: {error['code']}: {error[f'message_{LANGUAGE}']}")
    show_rows(
        [{"key": key_, "value": value} for key_, value in info["config"].items()],
        (("key", t("khóa", "key")), ("value", t("giá trị", "value"))),
        output,
    )
    show_acts(acts, output)


def history(name: Name, output: Output = Format.TABLE, key: Key = None) -> None:
    acts = ask("GET", at(name, "/audit"), key)
    if output is Format.JSON:
        show_json(acts)
    else:
        show_acts(acts, output)


def rm(names: Names, dry_run: DryRun = False, yes: Yes = False, key: Key = None) -> None:
    for name in names:
        ask("GET", at(name), key)
    listed = ", ".join(names)
    if dry_run:
        say(t(f"Sẽ gỡ: {listed}", f"Would remove: {listed}"))
        return
    confirm(t(f"Gỡ {listed}?", f"Remove {listed}?"), yes)
    for name in names:
        ask("DELETE", at(name), key)
        say(t(f"Đã gỡ {name}; vị trí đọc được giữ lại", f"{name} is removed; its position is kept"))
