"""`GET /schemas/ids/{id}`, answered on a short way: it is what every consumer asks, and a schema never changes its id.

The general way gives the same answer; what is special about a request (a query, a department's key, an id that is not
here) takes that.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from hub.registry.access import Guard
from hub.registry.etags import known_by
from hub.registry.exchange import answer_type
from hub.registry.metrics import RegistryMetrics
from hub.registry.store import Store
from hub.security.credentials import credential_of
from hub.short_answers import Headers, ShortAnswer

PATH = b"/schemas/ids/"
ROUTE = "schema"
LONGEST_ID = 9
"""Digits; longer ones are looked at closely elsewhere."""


@dataclass(frozen=True, slots=True)
class ShortWay:
    """Over one store. `serves` tells whether the log was read."""

    store: Store
    guard: Guard
    metrics: RegistryMetrics
    serves: Callable[[], bool]

    def __call__(self, target: bytes, headers: Headers) -> ShortAnswer | None:
        """The answer, None if the request has to take the general way."""
        if not target.startswith(PATH) or not self.serves():
            return None
        number = target[len(PATH) :]
        if len(number) > LONGEST_ID or not number.isdigit():
            return None
        begun = time.perf_counter()
        held = self.store.schema(int(number))
        kind = answer_type(headers.get(b"accept", b""))
        if held is None or kind is None or not self.guard.reads_all(credential_of(headers)):
            return None
        tag = held.tag
        if b"if-none-match" in headers and known_by(tag, headers):
            answer = ShortAnswer(304, b"etag: %b\r\n" % tag, b"")
        else:
            answer = ShortAnswer(200, b"etag: %b\r\ncontent-type: %b\r\n" % (tag, kind.encode()), held.answer())
        self.metrics.answered(ROUTE, answer.status, time.perf_counter() - begun)
        return answer
