"""A contract gets a new version while records of the old one are still on their way."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import io
import json
import subprocess
import sys
import uuid
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import fastavro
import pytest

from schemas.contract import load_contracts
from schemas.wire import frame
from streams.warehouse.client import Warehouse
from streams.warehouse.evolution import EvolutionError, alterations, evolve
from streams.warehouse.schema import migrate
from tests.contract_worker import contract_of
from tests.core_figures import assert_every_offset_once, kinds, measured
from tests.dossiers import dossier, figures, life_cycles
from tests.stream_worker import ROOT, Bench, private_plan

DECIMAL = {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2}
FIRST = load_contracts()["dossier"].schema


def changed(schema: dict[str, Any], **types: Any) -> dict[str, Any]:
    """The schema with other types of some fields."""
    schema = copy.deepcopy(schema)
    for field in schema["fields"]:
        field["type"] = types.get(field["name"], field["type"])
    return schema


def channel(*symbols: str) -> dict[str, Any]:
    return {"type": "enum", "name": "Channel", "symbols": list(symbols), "default": "UNKNOWN"}


SECOND = changed(FIRST, status="long", fee=["null", "double"])
SECOND["fields"] += [
    {"name": "amount", "type": DECIMAL, "default": "\u0032"},
    {"name": "note", "type": ["null", "string"], "default": None},
]
SECOND["fields"] = [field for field in SECOND["fields"] if field["name"] != "applicant_phone"]
THIRD = changed(SECOND, channel=channel("KIOSK", "POST", "ONLINE", "UNKNOWN", "COUNTER"))
SCHEMAS = {1: FIRST, 2: SECOND, 3: THIRD}
PARSED = {number: fastavro.parse_schema(copy.deepcopy(schema)) for number, schema in SCHEMAS.items()}
NEW_FIELDS = {"amount": Decimal("0.50"), "note": None}


def message(event: dict[str, Any], schema_id: int) -> tuple[bytes, bytes | None]:
    sink = io.BytesIO()
    fastavro.schemaless_writer(sink, PARSED[schema_id], {**NEW_FIELDS, **event})
    return event["entity_key"].encode(), frame(schema_id, sink.getvalue())


class EvolvingBench(Bench):
    """A bench whose worker runs the contract's version that was declared last."""

    __slots__ = ()

    def declare(self, schema: dict[str, Any]) -> None:
        """What `ioc stream` does with a contract when it starts."""
        contract = contract_of(self.name, schema)
        evolve(self.warehouse, [contract])
        migrate(self.warehouse, {self.name: contract}, {self.name: private_plan(contract)}, "Asia/Ho_Chi_Minh")
        (self.state / "contract.avsc").write_text(json.dumps(schema), encoding="utf-8")

    def start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tests.contract_worker", self.bootstrap, self.url, self.name, str(self.state)]
        with (self.state / "worker.log").open("ab") as log:
            return subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)


@contextlib.contextmanager
def running(table: Bench) -> Iterator[None]:
    worker = table.start()
    try:
        yield
        assert worker.poll() is None
    finally:
        worker.kill()
        worker.wait()


@pytest.fixture
def table(kafka: str, warehouse: str, tmp_path: Path) -> Iterator[EvolvingBench]:
    for number, schema in SCHEMAS.items():
        (tmp_path / f"schema-{number}.avsc").write_text(json.dumps(schema), encoding="utf-8")
    name = f"v{uuid.uuid4().hex[:8]}"
    client = Warehouse(warehouse)
    ready = EvolvingBench(kafka, warehouse, name, tmp_path, client, contract_of(name, FIRST))
    ready.create_topic(4)
    try:
        yield ready
    finally:
        client.close()


async def test_records_of_three_versions_in_one_batch_are_the_same_states_as_before(table: EvolvingBench) -> None:
    events = life_cycles(300, seed=3)
    table.declare(FIRST)
    # As the table of an older version, whose blocks were of one partition.
    table.warehouse.command(f"ALTER TABLE {table.contract.changes_table} DROP COLUMN joint")
    table.declare(FIRST)
    await table.produce([message(event, 1) for event in events])
    with running(table):
        table.wait(lambda: table.primary_rows() == len(events))
        table.wait(lambda: measured(table) == figures(events), 10)
    before = kinds(table)

    table.declare(SECOND)
    table.declare(SECOND)
    later = [dossier(number, 100, 9, channel="ONLINE") for number in range(0, 300, 3)]
    unknown = [dossier(number, 101, 9, channel="UNKNOWN") for number in range(0, 300, 3)]
    again = [message(event, 1 + number % 2) for number, event in enumerate(events)]
    new = [message({**event, "amount": Decimal("7.25")}, 3) for event in later]
    new += [message({**event, "channel": "KIOSK"}, 3) for event in unknown]
    await table.produce([*again, *new])
    with running(table):
        table.wait(lambda: table.primary_rows() == 2 * len(events) + len(new))
        everything = [*events, *later, *unknown]
        table.wait(lambda: measured(table) == figures(everything), 10)
        assert_every_offset_once(table, 2 * len(events) + len(new))
        after = kinds(table)
        assert "quarantined" not in after
        # Whatever the version it came in: what is known already is a repeat or superseded, and counts nothing.
        assert after["applied"] == before["applied"] + len(new)
        shown = table.warehouse.rows(
            "SELECT channel = 'UNKNOWN', amount, note, count() FROM "
            f"{table.name}_current FINAL WHERE NOT deleted GROUP BY ALL ORDER BY ALL"
        )
        states = figures(everything)["states"]
        assert [tuple(row) for row in shown] == [
            (0, Decimal("0.50"), None, states - 100),
            (1, Decimal("0.50"), None, 100),
        ]


def test_a_version_that_does_not_follow_is_refused_before_anything_changes(table: EvolvingBench) -> None:
    table.declare(FIRST)
    broken = changed(SECOND, procedure_code="long")
    with pytest.raises(EvolutionError, match=rf"{table.name}_changes.procedure_code: the column is .*String.*Int64"):
        table.declare(broken)
    columns = table.warehouse.rows(f"SELECT name FROM system.columns WHERE table = '{table.name}_changes'")
    assert "amount" not in {name for (name,) in columns}


@pytest.mark.parametrize(
    ("existing", "field", "wanted"),
    [
        ("Int32", {"type": "long"}, "MODIFY COLUMN `x` Int64"),
        ("Int32", {"type": ["null", "double"]}, "MODIFY COLUMN `x` Nullable(Float64)"),
        ("LowCardinality(String)", {"type": "string"}, None),
        ("Nullable(Int64)", {"type": "long"}, EvolutionError),
        ("Int64", {"type": "int"}, EvolutionError),
        ("Decimal(12, 2)", {"type": DECIMAL}, None),
        ("Decimal(10, 2)", {"type": DECIMAL}, EvolutionError),
        (None, {"type": "long"}, EvolutionError),
        (None, {"type": "string", "default": "it's"}, "DEFAULT CAST('it\\'s', 'String')"),
        (None, {"type": ["null", "int"]}, "ADD COLUMN IF NOT EXISTS `x` Nullable(Int32) DEFAULT NULL"),
        (None, {"type": "boolean", "default": False}, "DEFAULT false"),
        (None, {"type": {"type": "long", "logicalType": "timestamp-millis"}, "default": 1}, "00:00:00.001"),
    ],
)
def test_a_column_follows_its_field(existing: str | None, field: dict[str, Any], wanted: Any) -> None:
    schema = copy.deepcopy(FIRST)
    schema["fields"].append({"name": "x", **field})
    contract = contract_of("t", schema)
    fields = [dataclasses.replace(contract.by_name["x"])]
    columns = {"x": existing} if existing else {}
    if wanted is EvolutionError:
        with pytest.raises(EvolutionError, match=r"t_changes\.x: "):
            alterations(fields, columns, "t_changes")
    else:
        actions = alterations(fields, columns, "t_changes")
        assert (actions == []) if wanted is None else (wanted in actions[0])
