"""System 3, traffic cameras: violations and heartbeats by MQTT; plate readings without a violation stay at the edge."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable, Sequence
from typing import Any

from starlette.routing import BaseRoute

from deploy.demo.camera_messages import (
    HEARTBEATS,
    ID,
    VIOLATIONS,
    HeartbeatCase,
    bad_messages,
    expected,
    message_of,
    plates,
    render,
    samples,
    violation,
    write_history,
)
from deploy.demo.emitter import Emitter
from deploy.demo.ledger import Raw, replace_file
from deploy.demo.mqtt_broker import Broker
from deploy.demo.simulation import HOST, Simulator, Site, Stage, System
from deploy.demo.tales import TaleCase

USER = "ioc"


class Cameras:
    """See `Simulator`: the centre's broker."""

    def __init__(self, stage: Stage) -> None:
        self._site, seed = stage.site, stage.origin.seed
        self._file = stage.site.folder / "sessions.json"
        self._positions: dict[str, int] = json.loads(self._file.read_text()) if self._file.exists() else {}
        self._broker = Broker(USER, stage.site.secret("password"), dict(self._positions), self._moved)
        self._moves = asyncio.Event()

        def begin(number: int) -> Any:
            if number % 2:
                return HeartbeatCase(seed, number)
            return TaleCase(violation(random.Random(f"{seed}:{number}:{ID}"), number, "l"), render)

        self._emitter = Emitter(stage, write_history, begin, self._send)
        self._broker.publish(bad_messages())
        self._broker.publish([message_of(raw) for raw in self._emitter.history])
        self._broker.publish([message_of(event.raw) for event in self._emitter.past])

    def _send(self, raw: Raw) -> None:
        self._broker.publish([message_of(raw)])

    def _moved(self, session: str, upto: int) -> None:
        self._positions[session] = upto
        self._moves.set()

    async def _keep_positions(self) -> None:
        """Positions on disk once a while: what was acknowledged since comes again after a crash."""
        while True:
            await self._moves.wait()
            self._moves.clear()
            replace_file(self._file, json.dumps(self._positions).encode())
            await asyncio.sleep(0.5)

    def routes(self) -> Sequence[BaseRoute]:
        return ()

    async def run(self, ready: Callable[[], None]) -> None:
        server = await self._broker.serve(HOST, self._site.ports["mqtt"])
        ready()
        try:
            await asyncio.gather(self._emitter.run(), self._keep_positions())
        finally:
            server.close()
            replace_file(self._file, json.dumps(self._positions).encode())


def make(stage: Stage) -> Simulator:
    """The camera centre."""
    return Cameras(stage)


def environment(site: Site) -> dict[str, str]:
    return {
        "IOC_SECRET_CAMERAS_HOST": HOST,
        "IOC_SECRET_CAMERAS_PORT": str(site.ports["mqtt"]),
        "IOC_SECRET_CAMERAS_USER": USER,
        "IOC_SECRET_CAMERAS_PASSWORD": site.secret("password"),
    }


TRAFFIC = System(
    ID,
    {VIOLATIONS: "violation", HEARTBEATS: "camera_heartbeat"},
    environment,
    make,
    expected,
    ports=("mqtt",),
    samples=samples,
    personal=plates,
)
