"""`ioc demo` at the terminal: the address, the loading of the history, the first figures, then what is going on."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from hub.client import Client, ClientError, client
from hub.config import Settings
from hub.demo import DemoOptions
from hub.demo_figures import shown
from hub.demo_run import Memory, Oracle, load, periods, running
from hub.demo_run import Progress as Report
from hub.first_keys import sign_in_link
from hub.language import LANGUAGE, t
from hub.launch import Say, state_of
from hub.locale.catalogue import catalogue

REFRESH_S = 1.0
LINE_EVERY_S = 5.0
LOAD_TIMEOUT_S = 900.0


def run_live(settings: Settings, options: DemoOptions, flags: Mapping[str, str], say: Say) -> None:
    """Until Ctrl-C, then everything is stopped. Raises `LaunchError`."""
    console = Console(file=sys.stderr, highlight=False)
    say(t("Khởi động …", "Starting …"))
    try:
        with running(settings, options, flags, say):
            link = sign_in_link(settings)
            say(t("Màn hình điều hành (liên kết đăng nhập dùng một lần):", "Dashboard (sign-in link, works once):"))
            print(link, flush=True)
            # Only the reference period stands still while live events arrive.
            oracle = Oracle(settings, ("reference",))
            with _bar(console) as report:
                load(settings, oracle, Memory(state_of(settings)), time.monotonic() + LOAD_TIMEOUT_S, report)
            api = client(settings)
            for name, (start, end) in periods(settings).items():
                with contextlib.suppress(ClientError):
                    console.print(_kpi_table(_title(name), list(shown(api, start, end).values())))
            say(t("Ctrl-C để dừng; lần sau chạy tiếp từ chỗ này.", "Ctrl-C stops; the next start goes on from here."))
            _watch(console, api, ZoneInfo(settings.timezone))
    except KeyboardInterrupt:
        say(t("Đã dừng, không mất gì.", "Stopped; nothing is lost."))


def _title(period: str) -> str:
    return t("Chín tháng 2022", "Nine months of 2022") if period == "reference" else t("Năm nay", "This year")


@contextlib.contextmanager
def _bar(console: Console) -> Iterator[Report]:
    text = t("Nạp lịch sử", "Loading the history")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    said = 0.0
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(text, total=None)

        def report(done: int, total: int | None) -> None:
            nonlocal said
            progress.update(task, completed=done, total=total)
            if not console.is_terminal and time.monotonic() - said > LINE_EVERY_S:
                said = time.monotonic()
                console.print(f"{text}: {done}/{total or '?'}")

        yield report


def _kpi_table(title: str, kpis: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    table.add_column(t("chỉ số", "KPI"))
    for heading in (t("giá trị", "value"), t("tử/mẫu", "parts"), t("kế hoạch", "target")):
        table.add_column(heading, justify="right")
    for item in kpis:
        parts = "" if item["denominator"] is None else f"{item['numerator']}/{item['denominator']}"
        target = "" if item["target"] is None else str(item["target"])
        table.add_row(item["name"], f"{_number(item['value'])} {item['unit']}", parts, target)
    return table


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:g}" if value != int(value) else str(int(value))


def _watch(console: Console, api: Client, zone: ZoneInfo) -> None:
    """Status of the connectors for ever: a live table on a terminal, else a line every few seconds."""
    if console.is_terminal:
        with Live(console=console, refresh_per_second=4) as live:
            while True:
                live.update(_connector_table(_connectors(api), zone))
                time.sleep(REFRESH_S)
    while True:
        console.print(" · ".join(_line(item, zone) for item in _connectors(api)), soft_wrap=True)
        time.sleep(LINE_EVERY_S)


def _connectors(api: Client) -> list[dict[str, Any]]:
    try:
        items: list[dict[str, Any]] = api.get("/v1/connectors")["items"]
    except ClientError:
        return []
    return items


def _connector_table(items: Sequence[Mapping[str, Any]], zone: ZoneInfo) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in (t("đầu nối", "connector"), t("trạng thái", "state"), t("sự kiện cuối", "last event")):
        table.add_column(heading)
    for heading in (t("sự kiện/giây", "events/s"), t("tồn", "lag"), t("cách ly", "quarantine")):
        table.add_column(heading, justify="right")
    for item in items:
        table.add_row(item["name"], _state(item), _moment(item, zone), _rate(item), _or_dash(item["lag"]), _bad(item))
    return table


def _line(item: Mapping[str, Any], zone: ZoneInfo) -> str:
    figures = f"{_rate(item)}/s, {t('tồn', 'lag')} {_or_dash(item['lag'])}, {t('cách ly', 'quarantine')} {_bad(item)}"
    return f"{item['connector']}: {_state(item)}, {_moment(item, zone)}, {figures}"


def _state(item: Mapping[str, Any]) -> str:
    """The state in words, the same as on the pages."""
    return catalogue(LANGUAGE)(f"state.{item['state']}")


def _moment(item: Mapping[str, Any], zone: ZoneInfo) -> str:
    text = item["last_event_time"]
    return f"{datetime.fromisoformat(text).astimezone(zone):%d/%m %H:%M:%S}" if text else "–"


def _rate(item: Mapping[str, Any]) -> str:
    return "–" if item["events_per_second"] is None else f"{item['events_per_second']:.1f}"


def _bad(item: Mapping[str, Any]) -> str:
    return _or_dash(item["quarantined"])


def _or_dash(value: object) -> str:
    return "–" if value is None else str(value)
