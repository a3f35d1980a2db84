"""What one simulated department system is: a module that makes a `System`, and an entry in `systems.py`.

The small systems share one process (`province_systems.py`) with one event loop and one HTTP port. Each keeps its own
ledger under `<state>/<id>/`; the oracle asks it what the product has to show.
"""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Protocol

from starlette.routing import BaseRoute

from deploy.demo.ledger import Origin, Raw, directory

HOST = "127.0.0.1"

Answer = dict[str, Any]
"""value, numerator, denominator of a KPI, as `deploy.demo.tally` makes it."""


@dataclass(frozen=True, slots=True)
class Totals:
    """What a ledger says. `kpis` by id, of the period asked for; the rest counts everything emitted so far.

    `records`: good records by entity that must be in the warehouse at least (each once, whatever was sent twice).
    `bad`: records to be refused, by connector.
    """

    kpis: Mapping[str, Answer]
    records: Mapping[str, int]
    bad: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Site:
    """Where a system lives: its own folder, and addresses and secrets that stay the same for one state."""

    state: Path
    system: str
    ports: Mapping[str, int]
    target: str
    """Base address of the hub's API, for systems that push or upload."""

    @property
    def folder(self) -> Path:
        """Where the system keeps its ledger, and what else it serves; made when asked for."""
        found = directory(self.state, self.system)
        found.mkdir(parents=True, exist_ok=True)
        return found

    @property
    def http_url(self) -> str:
        """Under which the system's `routes` are served."""
        return f"http://{HOST}:{self.ports['http']}/{self.system}/"

    def secret(self, name: str) -> str:
        """A secret of this system, made at the first call and kept in the state."""
        path = self.folder / f"{name}.secret"
        if not path.exists():
            draft = path.with_suffix(".tmp")
            draft.touch(mode=0o600)
            draft.write_text(secrets.token_urlsafe(18), encoding="ascii")
            draft.replace(path)
        return path.read_text(encoding="ascii")


@dataclass(frozen=True, slots=True)
class Stage:
    """What a simulator gets at its start. `anchor` of the origin: the moment that divides history from live."""

    site: Site
    origin: Origin
    live_rate: float
    """Live events a second of this system; 0: none."""
    pulses: list[Any] = field(default_factory=list)
    """Pulses that SIGUSR1 pauses and SIGUSR2 resumes; a simulator appends its own."""


class Simulator(Protocol):
    """A running system."""

    def routes(self) -> Sequence[BaseRoute]:
        """What it serves by HTTP, below `Site.http_url`; empty for another protocol."""
        ...

    async def run(self, ready: Callable[[], None]) -> None:
        """Serve and emit until cancelled; call `ready` once connectors can be answered. Cancelling loses nothing."""
        ...


@dataclass(frozen=True, slots=True)
class Sample:
    """Records as a connector's source hands them out: good ones, and those that its mapping must refuse."""

    good: Sequence[Raw]
    bad: Sequence[Raw]


@dataclass(frozen=True, slots=True)
class System:
    """The registration of one system.

    `id`: name of its ledger's folder · `connectors`: its manifests by id, with their entity · `ports`: names of the
    ports it listens on beside the shared `http` · `environment`: the variables that its manifests ask for ·
    `make`: the simulator · `expected`: what the ledger in a state directory says of a period · `absent`: why it
    cannot run on this machine, None if it can.
    """

    id: str
    connectors: Mapping[str, str]
    environment: Callable[[Site], Mapping[str, str]]
    make: Callable[[Stage], Simulator]
    expected: Callable[[Path, date, date], Totals]
    ports: tuple[str, ...] = ()
    folders: Callable[[Site], Iterable[Path]] = lambda site: ()
    """Directories of this machine that its connectors may read."""
    absent: Callable[[], str | None] = lambda: None
    samples: Callable[[Origin], Mapping[str, Sample]] = lambda origin: {}
    """By connector what its mapping meets: the history of an origin. A test holds it against the manifest."""
    personal: Callable[[Path], set[str]] = lambda state: set()
    """Personal values of everybody who was ever named in a record: none may leave the connector."""


def free_port() -> int:
    """A port of the loopback interface that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
