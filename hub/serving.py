"""Serve ASGI applications until a signal asks to end; several in one process share one loop."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Coroutine, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn

from hub.short_answers import AnswersAtOnce, protocol_with
from streams.garbage import collect_seldom

GRACE_S = 5
"""Requests in flight may take this long when the process ends; event streams are cut then."""

KEEP_ALIVE_S = 30

Work = Callable[[asyncio.Event], Coroutine[Any, Any, None]]
"""What a process does beside serving, until the event is set."""


@dataclass(frozen=True, slots=True)
class Listener:
    """An application and its address; with `certificate` and `key` (PEM files) it is served by HTTPS only.

    `at_once` is asked before the application.
    """

    app: Any
    host: str
    port: int
    certificate: Path | None = None
    key: Path | None = None
    at_once: AnswersAtOnce | None = None


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
            http="auto" if listener.at_once is None else protocol_with(listener.at_once),
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=GRACE_S,
            timeout_keep_alive=KEEP_ALIVE_S,
            server_header=False,
            # Pages listen to event streams.
            ws="none",
            ssl_certfile=listener.certificate,
            ssl_keyfile=listener.key,
        )
    )


async def serve_until_stopped(listeners: Sequence[Listener], work: Sequence[Work] = ()) -> None:
    """Serve all and do the work until SIGINT or SIGTERM, or until a part ends; raises what ended it.

    Work is told first and ends before the servers close, so that health can be asked while it does.
    """
    servers = [_server(listener) for listener in listeners]
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    parts = [asyncio.create_task(server.serve(), name=f"server {server.config.port}") for server in servers]
    jobs = [asyncio.create_task(job(stopping), name="work") for job in work]
    asked = asyncio.create_task(stopping.wait())
    await asyncio.wait({asked, *parts, *jobs}, return_when=asyncio.FIRST_COMPLETED)
    not_started = [] if asked.done() else [server for server in servers if server.lifespan.should_exit]
    stopping.set()
    results = await asyncio.gather(*jobs, return_exceptions=True)
    for server in servers:
        server.should_exit = True
    results += await asyncio.gather(*parts, return_exceptions=True)
    asked.cancel()
    for result in results:
        if isinstance(result, BaseException):
            raise result
    if not_started:
        raise RuntimeError("an application did not start; it has said why")


def serve(listeners: Sequence[Listener], work: Sequence[Work] = (), *, fast_loop: bool = True) -> None:
    """As `serve_until_stopped`, blocking; `fast_loop` takes uvloop where it is installed."""
    collect_seldom()
    with asyncio.Runner(loop_factory=_loop_factory() if fast_loop else None) as runner:
        runner.run(serve_until_stopped(listeners, work))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:  # not on every platform
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory
