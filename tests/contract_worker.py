"""A stream worker whose contract and schemas are files: `STATE_DIR/contract.avsc` and `STATE_DIR/schema-<id>.avsc`.

`python -m tests.contract_worker BOOTSTRAP WAREHOUSE_URL NAME STATE_DIR`.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from schemas.contract import Contract, parse_contract
from schemas.errors import UnknownSchemaError
from tests.stream_worker import work


def contract_of(name: str, schema: dict[str, Any]) -> Contract:
    return parse_contract(schema, name, name, "contract.avsc")


def main(bootstrap: str, url: str, name: str, state: str) -> None:
    folder = Path(state)

    def schema_text(schema_id: int) -> str:
        path = folder / f"schema-{schema_id}.avsc"
        if not path.exists():
            raise UnknownSchemaError(str(schema_id))
        return path.read_text(encoding="utf-8")

    contract = contract_of(name, json.loads((folder / "contract.avsc").read_text(encoding="utf-8")))
    asyncio.run(work(bootstrap, url, name, state, contract, schema_text))


if __name__ == "__main__":
    main(*sys.argv[1:5])
