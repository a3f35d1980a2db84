"""One polled connector as a process of its own, to be killed: `python -m tests.connector_process MANIFEST BOOTSTRAP …`.

The point of death is exact: before a page is sent, after Kafka has it, or after the position is stored – in each case
before the source hears of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from connectors.compacted import CompactedTopic
from connectors.cursor import POSITIONS_TOPIC, Positions
from connectors.intake import IntakeFactory
from connectors.lease import Lease
from connectors.manifest import Manifest, load_manifest
from connectors.pseudonym import Pseudonymiser
from connectors.publish import Publisher
from connectors.runtime import Bench, ConnectorRunner
from connectors.secrets import SecretResolver
from connectors.source import Cursor, Surroundings
from connectors.status import Subject, Tally
from schemas.contract import Contract, load_contracts, parse_contract
from tests.conformance import NOTE
from tests.portal_server import LOOPBACK

SHARD = 0
POINTS = ("sent", "acknowledged", "stored")


class OneId:
    def register(self, subject: str, schema_text: str) -> int:
        return 7


class Death:
    """Kills this process when its point has been reached so often."""

    def __init__(self, point: str, times: int) -> None:
        self._point, self._left = point, times

    def at(self, point: str) -> None:
        if point == self._point:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


class MortalPublisher(Publisher):
    def __init__(self, bootstrap: str, death: Death) -> None:
        super().__init__(bootstrap)
        self._death = death

    async def publish(self, topic: str, messages: Any) -> None:
        self._death.at("sent")
        await super().publish(topic, messages)
        self._death.at("acknowledged")


class MortalPositions(Positions):
    def __init__(self, table: CompactedTopic, death: Death) -> None:
        super().__init__(table, f"alone/{os.getpid()}")
        self._death = death

    async def put(self, connector: str, shard: int, cursor: Cursor, line: int) -> bool:
        counts = await super().put(connector, shard, cursor, line)
        self._death.at("stored")
        return counts


@contextlib.asynccontextmanager
async def alone(
    manifest: Manifest, bootstrap: str, contracts: Mapping[str, Contract], around: Surroundings, death: Death
) -> AsyncIterator[ConnectorRunner]:
    """The manifest's connector, running, by a worker that shares with nobody."""
    publisher, table = MortalPublisher(bootstrap, death), CompactedTopic(bootstrap, POSITIONS_TOPIC)
    positions = MortalPositions(table, death)
    await publisher.start()
    await table.start()
    await positions.claim([SHARD])
    lease = Lease(float("inf"), time.monotonic)
    lease.confirm(0.0)
    lease.resume()
    intakes = IntakeFactory(contracts, OneId(), Pseudonymiser(b"k" * 32))
    tally = Tally(Subject.of(manifest), "alone")
    runner = ConnectorRunner(manifest, SHARD, Bench(intakes, publisher, positions, around, lease), tally)
    runner.start()
    try:
        yield runner
    finally:
        await runner.halt()
        await publisher.stop()
        await table.stop()


async def run(options: Mapping[str, Any]) -> None:
    death = Death(options["point"], options["times"])
    contracts: dict[str, Contract] = {**load_contracts(), NOTE.entity: NOTE}
    for file in options.get("contracts", ()):
        schema = orjson.loads(Path(file).read_bytes())
        made = parse_contract(schema, schema["namespace"].rpartition(".")[2], Path(file).stem, Path(file).name)
        contracts[made.entity] = made
    manifest = load_manifest(Path(options["manifest"]))
    folders = tuple(Path(folder) for folder in options["folders"])
    around = Surroundings(SecretResolver(options["environ"], folders), hosts=LOOPBACK, folders=folders)
    async with alone(manifest, options["bootstrap"], contracts, around, death):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(run(orjson.loads(sys.argv[1])))
