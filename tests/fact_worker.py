"""A worker over facts: `python -m tests.fact_worker BOOTSTRAP WAREHOUSE_URL NAME STATE_DIR`; and its bench."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from dataclasses import fields, replace

from schemas.contract import Contract
from streams.plan import EntityPlan
from tests.stream_worker import ROOT, Bench, _schema_text, private_contract, private_plan, work

REMEMBERED_DAYS = 3


def fact_contract(name: str, remember_days: int = REMEMBERED_DAYS) -> Contract:
    """The dossier's fields as those of a fact."""
    contract = private_contract(name)
    return replace(contract, kind="fact", schema={**contract.schema, "kind": "fact", "remember_days": remember_days})


class FactBench(Bench):
    """A bench whose workers take its records for facts."""

    @classmethod
    def of(cls, bench: Bench) -> FactBench:
        known = {field.name: getattr(bench, field.name) for field in fields(Bench)}
        return cls(**{**known, "contract": fact_contract(bench.name)})

    @property
    def plan(self) -> EntityPlan:
        return private_plan(self.contract)

    def start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tests.fact_worker", self.bootstrap, self.url, self.name, str(self.state)]
        with (self.state / "worker.log").open("ab") as log:
            return subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)


if __name__ == "__main__":
    asyncio.run(work(*sys.argv[1:5], fact_contract(sys.argv[3]), _schema_text))
