"""Serve ASGI applications until a signal asks to end; several in one process share one loop."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any

import uvicorn

GRACE_S = 5
"""Requests in flight may take this long when the process ends; event streams are cut then."""

KEEP_ALIVE_S = 30


@dataclass(frozen=True, slots=True)
class Listener:
    """An application and its address. `on_stop` runs first of all when the process is asked to end."""

    app: Any
    host: str
    port: int
    on_stop: Callable[[], None] | None = None


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """None of its own: one handler ends all servers of the process."""
        yield


def _server(listener: Listener) -> _Server:
    return _Server(
        uvicorn.Config(
            listener.app,
            host=listener.host,
            port=listener.port,
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=GRACE_S,
            timeout_keep_alive=KEEP_ALIVE_S,
            server_header=False,
        )
    )


async def serve_until_stopped(listeners: Sequence[Listener]) -> None:
    """Serve all until SIGINT or SIGTERM, or until one of them ends; raises if an address is taken."""
    servers = [_server(listener) for listener in listeners]
    loop = asyncio.get_running_loop()

    def stop() -> None:
        for listener, server in zip(listeners, servers, strict=True):
            if listener.on_stop is not None:
                listener.on_stop()
            server.should_exit = True

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    tasks = [asyncio.create_task(server.serve(), name=f"server {server.config.port}") for server in servers]
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    stop()
    await asyncio.gather(*tasks)
    for task in done:
        task.result()


def serve(listeners: Sequence[Listener]) -> None:
    """As `serve_until_stopped`, blocking."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(serve_until_stopped(listeners))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:  # not on every platform
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory
