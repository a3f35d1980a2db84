"""When the consumer fetches, and how long the broker may hold one that finds nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from schemas.idle_fetch import wait_longer_while_idle

SHORT_WAIT_MS = 50
"""How long the broker may hold a fetch that finds nothing, while records flow. A partition whose records are just being
read is not in the fetch in flight, and the driver's 1,500 ms would delay the next one by as much."""

LONG_WAIT_MS = 500
"""The same while none do: then every partition is in the fetch, and a record ends the wait at once. Twenty empty
answers a second kept an idle broker busy with a fifth of a core."""


def pace_fetches(fetcher: Any, put_off_s: Callable[[], float]) -> None:
    """Let aiokafka's `fetcher` ask `put_off_s` seconds later (`streams.turns`), and wait by how much it finds."""
    wait_longer_while_idle(fetcher, SHORT_WAIT_MS, LONG_WAIT_MS)
    answer_of = fetcher._proc_fetch_request

    async def asked(assignment: Any, node: Any, request: Any) -> bool:
        try:
            if (seconds := put_off_s()) > 0:
                await asyncio.sleep(seconds)  # and no longer: should another turn have begun, this is late for it
        except asyncio.CancelledError:
            return False  # as it answers when it is cancelled in flight: whoever closes it waits for an answer
        found: bool = await answer_of(assignment, node, request)
        return found

    fetcher._proc_fetch_request = asked
