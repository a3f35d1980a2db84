"""`GET /schemas/ids/{id}`, answered on a short way: it is what every consumer asks, and a schema never changes its id.

The general way gives the same answer; what is special about a request (a query, a department's key, an id that is not
here) takes that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import orjson
from starlette.types import Scope

from hub.registry.exchange import answer_type
from hub.registry.reading import content
from hub.registry.replica import Reply, known_by, tag_of, unchanged, with_tag
from hub.registry.store import Store

PATH = "/schemas/ids/"
ROUTE = "schema"
LONGEST_ID = 9
"""Digits; longer ones are looked at closely elsewhere."""


@dataclass(frozen=True, slots=True)
class ShortWay:
    """Over one store."""

    store: Store

    def reply(self, path: str, scope: Scope, headers: Mapping[bytes, bytes]) -> Reply | None:
        """The reply, None if the request has to take the general way."""
        given = path[len(PATH) :]
        if scope["query_string"] or len(given) > LONGEST_ID or not (given.isascii() and given.isdigit()):
            return None
        held = self.store.schema(int(given))
        kind = answer_type(headers.get(b"accept", b""))
        if held is None or kind is None:
            return None
        if held.tag is not None and known_by(held.tag, headers):
            return unchanged(held.tag)
        body = orjson.dumps(content(held))
        if held.tag is None:
            held.tag = tag_of(body)
        return with_tag(Reply(200, body, kind), held.tag, headers)
