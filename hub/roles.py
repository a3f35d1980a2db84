"""The roles: what each process does between its start and its signal to end."""

from __future__ import annotations

from collections.abc import Callable

from hub import logs
from hub.config import Settings
from schemas import tracing
from streams import faultpoints


def run_role(name: str, settings: Settings) -> None:
    """Run the role until SIGTERM; blocks. Raises KeyError for an unknown name, TracesMissingError,
    and `FaultPointError` for a fault point that there is not."""
    role = ROLES[name]
    logs.configure(name)
    tracing.configure(settings.traces.endpoint, name)
    faultpoints.arm()
    role(settings)


def warehouse(settings: Settings) -> None:
    """The embedded warehouse: the one process that owns the chDB directory."""
    from hub.serving import Listener, serve
    from hub.wiring import warehouse_app

    serve([Listener(warehouse_app(settings), settings.warehouse.host, settings.warehouse.port)])


def connect(settings: Settings) -> None:
    """The polled connectors."""
    from hub.serving import Listener, serve
    from hub.wiring import connect_app

    serve([Listener(connect_app(settings), settings.connect.host, settings.connect.port)])


def stream(settings: Settings) -> None:
    """The stream worker."""
    from hub.stream_role import run_stream

    run_stream(settings)


def api(settings: Settings) -> None:
    """The API and the dashboard."""
    from hub.api_role import api_parts
    from hub.serving import serve

    parts = api_parts(settings)
    serve([parts.listener()], [parts.run])


def registry(settings: Settings) -> None:
    """The schema registry."""
    from hub.serving import serve
    from hub.wiring import registry_listener

    serve([registry_listener(settings)])


def monitor(settings: Settings) -> None:
    """The monitor alone."""
    from hub.monitor_role import run_monitor

    run_monitor(settings)


def hub(settings: Settings) -> None:
    """API, dashboard, monitor and, unless another one is given, the registry in one process."""
    from hub.api_role import api_parts
    from hub.monitor_role import MonitorRole
    from hub.serving import serve
    from hub.wiring import registry_listener

    parts = api_parts(settings)
    monitor = MonitorRole(settings, parts.sight, parts.opened)
    listeners = [parts.listener(), monitor.listener()]
    if settings.registry.url is None:
        listeners.append(registry_listener(settings))
    serve(listeners, [parts.run, monitor.run])


ROLES: dict[str, Callable[[Settings], None]] = {
    "api": api,
    "connect": connect,
    "hub": hub,
    "monitor": monitor,
    "registry": registry,
    "stream": stream,
    "warehouse": warehouse,
}
