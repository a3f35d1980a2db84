"""The API over a benchmark's tables, in its own process: `python -m tests.benchmarks.operators_server URL PORT`."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import uvicorn

from hub.api.app import create_api
from hub.api.deps import ApiDeps
from hub.clock import utc_now
from hub.kpi.feed import Feed
from hub.kpi.reader import Reader
from hub.kpi.service import KpiService, Surroundings
from hub.security.access import Principal
from streams.warehouse.client import Warehouse
from tests.benchmarks import events
from tests.benchmarks.stand import TIMEZONE

KEY = "key-of-the-benchmark"


class OneKey:
    """An operator's key, and nothing else."""

    def by_key(self, key: str) -> Principal | None:
        return Principal("operator", None, "benchmark") if key == KEY else None

    def by_session(self, cookie: str) -> Principal | None:
        return None

    def redeem_link(self, token: str) -> str | None:
        return None

    def open_session(self, key: str) -> str | None:
        return None

    def close_session(self, cookie: str) -> None:
        """There are none."""


def main(url: str, port: int) -> None:
    contract = events.contract()
    plan = events.plan(contract)
    around = Surroundings(
        feeds=(Feed("case", "rest", "benchmark", "", contract.entity, events.SOURCE),),
        statuses=dict,
        topic_records=dict,
        clock=utc_now,
        timezone=TIMEZONE,
        one_server=True,
    )
    reader = Reader(Warehouse(url, 60.0), utc_now)
    service = KpiService(reader, {contract.entity: plan}, {}, around)
    catalogue: Any = SimpleNamespace(declared=SimpleNamespace(in_use={contract.entity: contract}, codes={}))
    app = create_api(ApiDeps(service, reader, OneKey(), catalogue=catalogue, requests_per_s=1e9))
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error", access_log=False, lifespan="off")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
