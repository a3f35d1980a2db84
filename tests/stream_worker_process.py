"""One worker of `tests.stream_worker`, until it is killed or asked to stop; it starts as the product's does:
`python -m tests.stream_worker_process BOOTSTRAP WAREHOUSE_URL NAME STATE_DIR [BOOTSTRAP_OF_THE_QUARANTINE]`.
"""

from __future__ import annotations

import sys

from streams.garbage import loading

if __name__ == "__main__":
    with loading():
        from tests.stream_worker import run_worker
    run_worker(*sys.argv[1:])
