"""The province's small systems in one process: REST, MQTT, SFTP, FTP and a database, each with its own ledger.

`python -m deploy.demo.province_systems --state DIR --prepare` prints as JSON what the hub has to know before it
starts: `environment` (variables of the manifests), `folders` (directories that connectors may read), `absent` (systems
that cannot run here, and why). The same without `--prepare` serves until SIGINT or SIGTERM. SIGUSR1 pauses the live
events, SIGUSR2 resumes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Mount, Route

from deploy.demo.ledger import DemoError, open_origin, replace_file
from deploy.demo.portal import DEFAULT_SEED, Server
from deploy.demo.simulation import HOST, Simulator, Site, Stage, System, free_port
from deploy.demo.systems import SYSTEMS, present
from deploy.demo.volumes import per_second

PORTS = "province-ports.json"
READY = "province-ready.json"
SHUTDOWN_S = 2


def sites(options: argparse.Namespace, ports: dict[str, dict[str, int]]) -> dict[str, Site]:
    """A site for each system that can run here."""
    return {
        system.id: Site(options.state, system.id, ports.get(system.id, {}) | ports["shared"], options.target)
        for system in present()
    }


def prepare(options: argparse.Namespace) -> dict[str, Any]:
    """Choose ports and make secrets; what the hub's process has to be told."""
    options.state.mkdir(parents=True, exist_ok=True)
    ports = {"shared": {"http": free_port()}}
    ports |= {system.id: {name: free_port() for name in system.ports} for system in present()}
    replace_file(options.state / PORTS, json.dumps(ports).encode())
    found = sites(options, ports)
    environment: dict[str, str] = {}
    folders: list[str] = []
    for system in present():
        environment |= system.environment(found[system.id])
        folders += [str(folder) for folder in system.folders(found[system.id])]
    absent = {system.id: reason for system in SYSTEMS if (reason := system.absent()) is not None}
    return {"environment": environment, "folders": folders, "absent": absent}


class ProvinceSystems:
    """All simulators on one event loop."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._ports = json.loads((options.state / PORTS).read_text(encoding="utf-8"))
        self._pulses: list[Any] = []
        self._waiting = {system.id for system in present()}
        now = int(time.time())
        found = sites(options, self._ports)
        self._simulators: dict[str, Simulator] = {
            system.id: system.make(self._stage(system, found[system.id], now)) for system in present()
        }

    def _stage(self, system: System, site: Site, now: int) -> Stage:
        options = self._options
        origin = open_origin(options.state, system.id, options.seed, options.scale, now)
        # Together they are as lively as the portal: each event is a batch of its own to the warehouse.
        rate = options.live_rate / len(present()) if options.speed is None else per_second(system.id, options.speed)
        return Stage(site, origin, rate, self._pulses)

    def _each_pulse(self, what: str) -> None:
        for pulse in self._pulses:
            getattr(pulse, what)()

    def _routes(self) -> Sequence[BaseRoute]:
        async def health(_request: Any) -> JSONResponse:
            return JSONResponse({"status": "ok", "systems": sorted(self._simulators)})

        mounts = [Mount(f"/{name}", routes=list(made.routes())) for name, made in self._simulators.items()]
        return [Route("/healthz", health), *mounts]

    def _is_ready(self, name: str) -> None:
        self._waiting.discard(name)
        if not self._waiting:
            replace_file(self._options.state / READY, json.dumps({"systems": sorted(self._simulators)}).encode())

    async def run(self) -> None:
        """Until SIGINT or SIGTERM, or until a simulator fails: then all end with its error."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGUSR1, self._each_pulse, "pause")
        loop.add_signal_handler(signal.SIGUSR2, self._each_pulse, "resume")
        config = uvicorn.Config(
            Starlette(routes=self._routes()),
            host=HOST,
            port=self._ports["shared"]["http"],
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=SHUTDOWN_S,
        )
        server = Server(config)
        web = asyncio.create_task(server.serve(), name="http")
        running = [
            asyncio.create_task(made.run(partial(self._is_ready, name)), name=name)
            for name, made in self._simulators.items()
        ]
        # The web server takes the signals: it ends without an error, a simulator never does.
        await asyncio.wait({web, *running}, return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        for task in running:
            task.cancel()
        results = await asyncio.gather(web, *running, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                raise result


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m deploy.demo.province_systems", description=__doc__)
    parser.add_argument("--state", type=Path, required=True, help="where the ledgers are kept")
    parser.add_argument("--prepare", action="store_true", help="print what the hub has to know, and end")
    parser.add_argument("--target", default="", help="base address of the hub's API, for systems that push to it")
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED)
    parser.add_argument("--scale", type=float, default=1.0, help="size of the history")
    parser.add_argument("--live-rate", type=float, default=1.0, help="live events a second of all together, 0 = none")
    parser.add_argument("--speed", type=float, help="instead: each so many times as fast as on a real day")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    if options.prepare:
        print(json.dumps(prepare(options), ensure_ascii=False))
        return 0
    (options.state / READY).unlink(missing_ok=True)
    try:
        systems = ProvinceSystems(options)
    except (DemoError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return 2
    asyncio.run(systems.run())
    return 0


if __name__ == "__main__":
    sys.exit(main())
