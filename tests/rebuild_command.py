"""`ioc kpi backfill` and `ioc rebuild` over a private contract, as a process that tests can kill.

`python -m tests.rebuild_command BOOTSTRAP WAREHOUSE_URL NAME backfill|rebuild|DATE CHUNK_ROWS [PLAN_CHANGES_JSON]`.
"""

from __future__ import annotations

import json
import sys
from datetime import date
from functools import partial
from typing import Any

import yaml

from streams.cutover import Step
from streams.plan import EntityPlan, plan_entity
from streams.positions import Positions
from streams.rebuild import backfill, rebuild, targets_of
from streams.warehouse.client import Warehouse
from tests.stream_worker import ROOT, private_contract

ZONE = "Asia/Ho_Chi_Minh"


def changed_plan(name: str, changes: dict[str, str]) -> EntityPlan:
    """The private plan with other SQL for some measures; a new measure becomes a KPI of its own by `received_at`."""
    raw: dict[str, Any] = yaml.safe_load((ROOT / "streams" / "kpis" / "dossier.yaml").read_text(encoding="utf-8"))
    contract = private_contract(name)
    for measure, sql in changes.items():
        if measure not in raw["measures"]:
            text = {"vi": measure, "en": measure}
            raw["measures"][measure] = {"name": text}
            raw["kpis"].append(
                {**raw["kpis"][0], "id": f"{name}.{measure}", "value": {"measure": measure, "time": "received_at"}}
            )
        raw["measures"][measure]["sql"] = sql
    return plan_entity({**raw, "entity": name}, {name: contract}, "test")


def _show(step: Step) -> None:
    print(f"{step.table} {step.what} {step.done}/{step.total}", *step.left, flush=True)


def main(bootstrap: str, url: str, name: str, what: str, chunk_rows: str, changes: str = "{}") -> None:
    contract, plan = private_contract(name), changed_plan(name, json.loads(changes))
    warehouse, positions = Warehouse(url), Positions(bootstrap, name, contract.topic)
    names = [rollup.table for rollup in plan.rollups] if what == "backfill" else None
    work = backfill if what == "backfill" else rebuild
    if what not in ("backfill", "rebuild"):
        work = partial(rebuild, since=date.fromisoformat(what))
    made = work(warehouse, contract, targets_of(contract, plan, ZONE, names), positions.read, _show, int(chunk_rows))
    print("made", *made, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
