"""The roles: what each process does between its start and its signal to end."""

from __future__ import annotations

from collections.abc import Callable

from hub import logs
from hub.config import Settings
from hub.serving import Listener, serve


def run_role(name: str, settings: Settings) -> None:
    """Run the role until SIGTERM; blocks. Raises KeyError for an unknown name."""
    role = ROLES[name]
    logs.configure(name)
    role(settings)


def warehouse(settings: Settings) -> None:
    """The embedded warehouse: the one process that owns the chDB directory."""
    from hub.wiring import warehouse_app

    serve([Listener(warehouse_app(settings), settings.warehouse.host, settings.warehouse.port)])


ROLES: dict[str, Callable[[Settings], None]] = {"warehouse": warehouse}
