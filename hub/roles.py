"""The roles: what each process does between its start and its signal to end.

Each function imports and makes what its role needs, and gives what then runs until SIGTERM.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from hub import logs
from hub.config import Settings
from schemas import tracing
from streams import faultpoints
from streams.garbage import loading

Run = Callable[[], None]


def run_role(name: str, settings: Settings) -> None:
    """Run the role until SIGTERM; blocks. Raises KeyError for an unknown name, TracesMissingError,
    and `FaultPointError` for a fault point that there is not."""
    role = ROLES[name]
    logs.configure(name)
    tracing.configure(settings.traces.endpoint, name)
    faultpoints.arm()
    with loading():
        run = role(settings)
    run()


def warehouse(settings: Settings) -> Run:
    """The embedded warehouse: the one process that owns the chDB directory."""
    from hub.serving import Listener, serve
    from hub.wiring import warehouse_app

    return partial(serve, [Listener(warehouse_app(settings), settings.warehouse.host, settings.warehouse.port)])


def connect(settings: Settings) -> Run:
    """The polled connectors."""
    from hub.serving import Listener, serve
    from hub.wiring import connect_app

    return partial(serve, [Listener(connect_app(settings), settings.connect.host, settings.connect.port)])


def stream(settings: Settings) -> Run:
    """The stream worker."""
    from hub.stream_role import run_stream

    return partial(run_stream, settings)


def api(settings: Settings) -> Run:
    """The API and the dashboard."""
    from hub.api_role import api_parts
    from hub.serving import serve

    parts = api_parts(settings)
    return partial(serve, [parts.listener()], [parts.run])


def registry(settings: Settings) -> Run:
    """The schema registry."""
    from hub.serving import serve
    from hub.wiring import registry_listener

    return partial(serve, [registry_listener(settings)])


def monitor(settings: Settings) -> Run:
    """The monitor alone."""
    from hub.monitor_role import run_monitor

    return partial(run_monitor, settings)


def hub(settings: Settings) -> Run:
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
    return partial(serve, listeners, [parts.run, monitor.run])


ROLES: dict[str, Callable[[Settings], Run]] = {
    "api": api,
    "connect": connect,
    "hub": hub,
    "monitor": monitor,
    "registry": registry,
    "stream": stream,
    "warehouse": warehouse,
}
