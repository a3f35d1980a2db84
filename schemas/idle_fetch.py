"""How long a broker may hold a fetch that finds nothing: briefly while records flow, longer the longer none do."""

from __future__ import annotations

from typing import Any


def wait_longer_while_idle(fetcher: Any, shortest_ms: int, longest_ms: int) -> None:
    """Let each empty answer to aiokafka's `fetcher` double how long the next fetch may be held; one with records makes
    it short again.

    A record ends the wait of its partition at once. Only one that was just being read is not in the fetch in flight:
    what comes to it meanwhile waits for `shortest_ms` at most.
    """
    answer_of = fetcher._proc_fetch_request

    async def asked(assignment: Any, node: Any, request: Any) -> bool:
        found: bool = await answer_of(assignment, node, request)
        fetcher._fetch_max_wait_ms = shortest_ms if found else min(longest_ms, 2 * fetcher._fetch_max_wait_ms)
        return found

    fetcher._fetch_max_wait_ms = shortest_ms
    fetcher._proc_fetch_request = asked
