"""The roles: what each process does between its start and its signal to end."""

from __future__ import annotations

from collections.abc import Callable

from hub import logs
from hub.config import Settings


def run_role(name: str, settings: Settings) -> None:
    """Run the role until SIGTERM; blocks. Raises KeyError for an unknown name."""
    role = ROLES[name]
    logs.configure(name)
    role(settings)


def warehouse(settings: Settings) -> None:
    """The embedded warehouse: the one process that owns the chDB directory."""
    from hub.serving import Listener, serve
    from hub.wiring import warehouse_app

    serve([Listener(warehouse_app(settings), settings.warehouse.host, settings.warehouse.port)])


def connect(settings: Settings) -> None:
    """The polled connectors."""
    from connectors.app import create_app
    from hub.serving import Listener, serve
    from hub.wiring import connect_worker

    serve([Listener(create_app(connect_worker(settings)), settings.connect.host, settings.connect.port)])


def stream(settings: Settings) -> None:
    """The stream worker."""
    from hub.stream_role import run_stream

    run_stream(settings)


ROLES: dict[str, Callable[[Settings], None]] = {"warehouse": warehouse, "connect": connect, "stream": stream}
