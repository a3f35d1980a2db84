"""Roles: each process of the hub alone, as the supervisor or an orchestrator starts it."""

from __future__ import annotations

from collections.abc import Callable

import typer

from hub.cli.context import settings
from hub.cli.output import Exit, leave
from hub.language import t


def register(app: typer.Typer) -> None:
    """Add one command per role."""
    panel = t("Vai trò", "Roles")
    for name, vi, en in (
        (
            "hub",
            "API, màn hình, giám sát và danh bạ lược đồ trong một tiến trình.",
            "API, dashboard, monitor and registry in one process.",
        ),
        ("api", "API và màn hình.", "API and dashboard."),
        ("registry", "Danh bạ lược đồ (giao diện Confluent).", "Schema registry (Confluent's interface)."),
        ("connect", "Các đầu nối kéo dữ liệu.", "The connectors that poll."),
        ("monitor", "Giám sát tích hợp: độ trễ, độ tươi, sự cố.", "Integration health: lag, freshness, incidents."),
        ("stream", "Bộ xử lý luồng Kafka → kho dữ liệu.", "The stream worker, Kafka → warehouse."),
        ("warehouse", "Kho dữ liệu nhúng, giao diện HTTP của ClickHouse.", "The embedded warehouse."),
    ):
        app.command(name, help=t(vi, en), rich_help_panel=panel)(_role(name))


def _role(name: str) -> Callable[[], None]:
    def run() -> None:
        from hub.roles import run_role
        from streams.faultpoints import FaultPointError

        try:
            run_role(name, settings())
        except FaultPointError as error:
            leave(Exit.USAGE, str(error))

    return run
