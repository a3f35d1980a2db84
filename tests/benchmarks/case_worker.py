"""One stream worker over the benchmark's entity, until it is killed or asked to stop; it starts as the product's does:
`python -m tests.benchmarks.case_worker BOOTSTRAP WAREHOUSE_URL NAME GROUP STATE_DIR [CACHED_STATES [no-audit]]`.
"""

from __future__ import annotations

import asyncio
import sys

from streams.garbage import loading

if __name__ == "__main__":
    with loading():
        from tests.benchmarks.case_work import work
    asyncio.run(work(*sys.argv[1:]))
