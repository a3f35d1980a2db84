"""What a process does not work with, it does not import: memory of each, and time at its start."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from connectors.manifest import config_model, source_kinds

FOREIGN = {
    "pandas",
    "sqlalchemy",
    "psycopg",
    "pymssql",
    "oracledb",
    "httpx2",
    "aiomqtt",
    "paho",
    "asyncssh",
    "aioftp",
    "openpyxl",
}
"""Clients of departments' systems, and what pyarrow would import with its first array if it were there."""

DEPARTMENTS = Path(__file__).parents[2] / "deploy" / "departments"

WORKER = """
import json, sys
from streams.garbage import loading
with loading():
    import hub.stream_role
    from hub.config import Settings
    from hub.declarations import load_declarations
    import pyarrow
declared = load_declarations(Settings(connectors_dir=sys.argv[1]))
pyarrow.array([1])
kinds = {seed.manifest.kind for seed in declared.seeds.values()}
print(json.dumps([sorted(kinds), sorted({name.split(".")[0] for name in sys.modules})]))
"""


def test_a_stream_worker_imports_no_department_s_client_though_it_reads_the_manifests() -> None:
    found = subprocess.run(
        [sys.executable, "-c", WORKER, str(DEPARTMENTS)], capture_output=True, text=True, check=True, timeout=60
    )
    kinds, modules = json.loads(found.stdout)
    assert {"rest", "sql", "mqtt", "files"} <= set(kinds)
    assert {"polars", "faust"} <= set(modules)
    assert FOREIGN.isdisjoint(modules)


@pytest.mark.parametrize("kind", source_kinds())
def test_the_model_of_a_kind_is_what_its_source_is_made_with(kind: str) -> None:
    assert import_module(f"connectors.sources.{kind}").Config is config_model(kind)
