"""One process owns the embedded warehouse's directory: a second one says so and ends, and the first goes on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from streams.faultpoints import VARIABLE
from streams.warehouse.client import Warehouse
from tests.conftest import ROOT, free_port
from tests.kills import private_warehouse


def test_a_second_warehouse_over_one_directory_ends_with_its_reason_and_the_first_goes_on(tmp_path: Path) -> None:
    with private_warehouse(tmp_path / "state") as owned:
        variables = {name: value for name, value in os.environ.items() if name != VARIABLE}
        variables |= {"IOC_STATE_DIR": str(owned.state), "IOC_WAREHOUSE__PORT": str(free_port())}
        second = subprocess.run(
            [sys.executable, "-m", "hub.cli", "warehouse"],
            cwd=ROOT,
            env=variables,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert second.returncode != 0
        assert "is open in another process: stop that warehouse first" in second.stdout + second.stderr
        warehouse = Warehouse(owned.url)
        assert [tuple(row) for row in warehouse.rows("SELECT 1")] == [(1,)]
        warehouse.close()
        assert owned.spool.is_dir()
