"""A REST feed of a small system: an API key, changes since a time, pages by number or after the last record."""

from __future__ import annotations

import secrets
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from deploy.demo.emitter import Emitter
from deploy.demo.ledger import Origin, Raw
from deploy.demo.live import Case
from deploy.demo.simulation import Stage
from deploy.demo.tally import utc

KEY_HEADER = "X-API-Key"
DEFAULT_PAGE = 500
MAX_PAGE = 5_000


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a vendor's feed is asked and answers: names of the parameters, the record's change time (ISO text), and how
    the list is wrapped. `after`: the key of the record that pages go by; None: pages have numbers."""

    since: str
    page: str
    size: str
    changed: str
    wrap: Callable[[list[Raw]], Any]
    after: str | None = None


class RestFeed:
    """Serves a list that only grows, in the order of change."""

    def __init__(self, key: str, dialect: Dialect) -> None:
        self._key = key
        self._dialect = dialect
        self._records: list[Raw] = []
        self._moments: list[float] = []
        self._places: dict[str, int] = {}

    def extend(self, records: Sequence[Raw]) -> None:
        """Publish records; their change times do not go back."""
        for record in records:
            if self._dialect.after is not None:
                self._places[str(record[self._dialect.after])] = len(self._records)
            self._records.append(record)
            self._moments.append(_moment(record, self._dialect))

    def route(self, path: str) -> Route:
        """`GET path`: one page; 401 without the key, 400 for a parameter that cannot be read."""

        async def answer(request: Request) -> Response:
            if not secrets.compare_digest(request.headers.get(KEY_HEADER, ""), self._key):
                return JSONResponse({"loi": "khóa API không đúng"}, 401)
            try:
                found = self._page(request)
            except ValueError as error:
                return JSONResponse({"loi": str(error)}, 400)
            return Response(orjson.dumps(self._dialect.wrap(found)), media_type="application/json")

        return Route(path, answer)

    def _page(self, request: Request) -> list[Raw]:
        query, dialect = request.query_params, self._dialect
        size = min(MAX_PAGE, int(query.get(dialect.size, DEFAULT_PAGE)))
        since = utc(query.get(dialect.since))
        start = bisect_left(self._moments, since.timestamp()) if since is not None else 0
        mark = query.get(dialect.page)
        if dialect.after is None:
            start += (int(mark or 1) - 1) * size
        elif mark is not None:
            if mark not in self._places:
                raise ValueError(f"{dialect.page}: không có bản ghi này")
            start = max(start, self._places[mark] + 1)
        return self._records[start : start + size]


class RestSimulator:
    """A whole small system over one feed: history, records to be refused, live events. See `Simulator`."""

    def __init__(
        self,
        stage: Stage,
        path: str,
        dialect: Dialect,
        write_history: Callable[[Origin], Iterable[Raw]],
        begin: Callable[[int], Case],
        bad: Sequence[Raw] = (),
        served: Callable[[Raw], bool] = lambda raw: True,
    ) -> None:
        """`served`: which of the ledger's records go by this feed."""
        self._feed = RestFeed(stage.site.secret("api-key"), dialect)
        self._path = path
        self._emitter = Emitter(stage, write_history, begin, lambda raw: self._feed.extend([raw]))
        old = [*filter(served, self._emitter.history), *bad]
        self._feed.extend(sorted(old, key=lambda raw: _moment(raw, dialect)))
        self._feed.extend([event.raw for event in self._emitter.past])

    def routes(self) -> Sequence[BaseRoute]:
        return [self._feed.route(self._path)]

    async def run(self, ready: Callable[[], None]) -> None:
        ready()
        await self._emitter.run()


def _moment(raw: Raw, dialect: Dialect) -> float:
    moment = utc(raw[dialect.changed])
    assert moment is not None
    return moment.timestamp()
