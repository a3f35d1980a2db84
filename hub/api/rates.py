"""How often one key may ask: a bucket of tokens for each. Pure but for the bucket's memory; on one event loop."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

REQUESTS_PER_S = 100.0
BURST = 2.0
"""Seconds' worth of requests that may come at once: a page asks for several things."""

KEPT = 10_000
"""Keys remembered; the one that has not asked for longest is forgotten, and its bucket is full by then."""


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


class Rates:
    """`now` is a monotonic clock's seconds."""

    def __init__(self, per_s: float = REQUESTS_PER_S) -> None:
        self.per_s = per_s
        self.most = max(1.0, per_s * BURST)
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def wait_s(self, key: str, now: float) -> float:
        """0 if the key may ask now, which is counted; else the seconds until it may."""
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = _Bucket(self.most, now)
            while len(self._buckets) > KEPT:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(key)
        bucket.tokens = min(self.most, bucket.tokens + (now - bucket.at) * self.per_s)
        bucket.at = now
        if bucket.tokens < 1:
            return (1 - bucket.tokens) / self.per_s
        bucket.tokens -= 1
        return 0.0
