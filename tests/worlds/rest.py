"""A REST feed with an API key, paged by number."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.conformance import World, note
from tests.gate import Gate, gate
from tests.portal_server import serve

KEY = "chìa-khóa-rất-bí-mật".encode("ascii", "ignore").decode() + "-4711"


class RestWorld(World):
    kind = "rest"
    secrets = (KEY,)

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.feed: list[dict[str, Any]] = []
        self.asked = 0
        self.gate: Gate | None = None

    def source(self) -> str:
        return """
            base_url: ${env:IOC_WORLD_URL}
            path: /changes
            auth: {type: api_key, value: "${env:IOC_SECRET_WORLD_KEY}"}
            records: data.items
            paging: {type: page, param: page}
            page_size: {param: size, value: 10}
            cursor: {field: at, id: id, param: since, start: "2022-01-01T00:00:00+07:00", lookback_s: 5}
            poll_interval_s: 0.05
        """

    def add(self, first: int, count: int) -> None:
        self.feed += [note(number) for number in range(first, first + count)]

    def state(self) -> Any:
        return None  # asking changes nothing at a REST server

    def away(self) -> contextlib.AbstractContextManager[None]:
        assert self.gate is not None
        return self.gate.shut()

    def hung(self) -> contextlib.AbstractContextManager[None]:
        assert self.gate is not None
        return self.gate.hung()

    def wrong_login(self) -> Mapping[str, str]:
        return {**self.environ, "IOC_SECRET_WORLD_KEY": "a-wrong-key-0815"}

    async def changes(self, request: Request) -> Response:
        if request.headers.get("x-api-key") != KEY:
            return Response(b"{}", 401)
        since = datetime.fromisoformat(request.query_params["since"])
        page, size = int(request.query_params["page"]), int(request.query_params["size"])
        found = [item for item in self.feed if datetime.fromisoformat(item["at"]) >= since]
        body = {"data": {"items": found[(page - 1) * size : page * size]}}
        return Response(orjson.dumps(body), media_type="application/json")


@contextlib.contextmanager
def rest_world(request: pytest.FixtureRequest, folder: Path) -> Iterator[World]:
    world = RestWorld(folder)
    app = Starlette(routes=[Route("/changes", world.changes)])
    with serve(app) as url, gate(int(url.rpartition(":")[2])) as opened:
        world.gate = opened
        world.environ = {"IOC_WORLD_URL": f"http://127.0.0.1:{opened.port}", "IOC_SECRET_WORLD_KEY": KEY}
        yield world
