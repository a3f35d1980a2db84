"""A stream worker that reads its schemas from a registry, as the product's does.

`python -m tests.registry_worker BOOTSTRAP WAREHOUSE_URL NAME STATE_DIR REGISTRY_URL KEY WAIT_S`
"""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta

from schemas.registry_client import RegistryClient
from tests.stream_worker import private_contract, work

if __name__ == "__main__":
    bootstrap, url, name, state, registry, key, wait_s = sys.argv[1:]
    schema_text = RegistryClient(registry, key).schema_text
    limit = timedelta(seconds=float(wait_s))
    asyncio.run(work(bootstrap, url, name, state, private_contract(name), schema_text, limit))
