"""The canary at work: it pushes a probe as a department's system does and asks the API for it as a person does."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

import structlog
from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from connectors.signature import sign
from hub.canary.probes import Probes, accepted, given_up, refused, seen

ASK_EVERY_S = 0.5
"""While a probe is on its way; the round trip is known as exactly."""
TIMEOUT_S = 10.0
BUCKETS = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0, 60.0)

log = structlog.get_logger("ioc.monitor")


@dataclass(frozen=True, slots=True)
class Way:
    """Where probes go in and come out. `signing_key` and `api_key` are shown to nobody."""

    api_url: str
    signing_key: Callable[[], str]
    api_key: Callable[[], str]

    def push(self, run: str, number: int, at: datetime) -> None:
        """Blocks; raises OSError where it is not accepted."""
        sent = at.isoformat(timespec="milliseconds")
        body = json.dumps([{"id": f"{run}:{number}", "run": run, "number": number, "at": sent}]).encode()
        stamp, nonce = int(at.timestamp()), secrets.token_hex(12)
        headers = {
            "Content-Type": "application/json",
            "X-IOC-Timestamp": str(stamp),
            "X-IOC-Nonce": nonce,
            "X-IOC-Signature": sign(self.signing_key().encode(), stamp, nonce, body),
        }
        request = urllib.request.Request(f"{self.api_url}/v1/ingest/canary", body, headers, method="POST")
        with urllib.request.urlopen(request, timeout=TIMEOUT_S):
            pass

    def seen(self, run: str, least: int) -> list[int]:
        """The numbers from `least` on that have come out. Blocks; raises OSError."""
        query = urllib.parse.urlencode({"run": run, "least": least})
        headers = {"Authorization": f"Bearer {self.api_key()}"}
        request = urllib.request.Request(f"{self.api_url}/v1/health/canary?{query}", headers=headers)
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:
            return [int(one) for one in json.load(response)["seen"]]


class Canary(Collector):
    """A probe every `every_s`; a collector of what became of them. For one event loop."""

    def __init__(self, way: Way, every_s: float, clock: Callable[[], datetime], registry: CollectorRegistry) -> None:
        self._way = way
        self._every_s = every_s
        self._clock = clock
        self._run = secrets.token_hex(6)
        self._number = 0
        self.probes = Probes()
        self._took = Histogram(
            "ioc_probe_roundtrip_seconds", "From push to answer of the API.", buckets=BUCKETS, registry=registry
        )

    async def run(self, stopping: asyncio.Event) -> None:
        """Probe until `stopping`."""
        while not stopping.is_set():
            due = self._clock()
            await self._push(due)
            while not stopping.is_set() and (self._clock() - due).total_seconds() < self._every_s:
                await self._ask()
                left = self._every_s - (self._clock() - due).total_seconds()
                pause = min(ASK_EVERY_S, left) if self.probes.waiting else left
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stopping.wait(), max(0.05, pause))

    async def _push(self, now: datetime) -> None:
        self._number += 1
        try:
            await asyncio.to_thread(self._way.push, self._run, self._number, now)
        except (OSError, ValueError) as error:
            self.probes = refused(self.probes)
            log.info("canary_not_taken", reason=_reason(error))
        else:
            self.probes = accepted(self.probes, self._number, now)

    async def _ask(self) -> None:
        least = self.probes.oldest
        if least is not None:
            with contextlib.suppress(OSError, ValueError, KeyError):
                numbers = await asyncio.to_thread(self._way.seen, self._run, least)
                self.probes, took = seen(self.probes, numbers, self._clock())
                for one in took:
                    self._took.observe(one.total_seconds())
        before = self.probes.lost
        self.probes = given_up(self.probes, self._clock())
        if self.probes.lost > before:
            log.warning("canary_lost", probes=self.probes.lost - before)

    def collect(self) -> Iterable[Metric]:
        """Counts since the start of the process."""
        for name, documentation, count in (
            ("produced", "Probes that a connector accepted.", self.probes.produced),
            ("received", "Probes that came out of the API.", self.probes.received),
            ("lost", "Probes that were accepted and did not come out within a minute.", self.probes.lost),
            ("failed", "Probes that were not accepted.", self.probes.failed),
        ):
            family = CounterMetricFamily(f"ioc_probe_messages_{name}", documentation)
            family.add_metric([], float(count))
            yield family


def _reason(error: Exception) -> str:
    return f"http_{error.code}" if isinstance(error, urllib.error.HTTPError) else type(error).__name__
