"""`/livez`, `/readyz[?verbose]` and `/metrics` of a role that has no other HTTP face."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

Probe = Callable[[], Awaitable[str | None]]
"""None if well, else the cause in a few words."""

PROBE_TIMEOUT_S = 3.0

Lifespan = Callable[[], contextlib.AbstractAsyncContextManager[None]]


def create_face(
    probes: Mapping[str, Probe], lifespan: Lifespan | None = None, exposition: Callable[[], bytes] = generate_latest
) -> Starlette:
    """The application; `lifespan` is the role's work, entered before the first answer."""

    async def livez(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def readyz(request: Request) -> Response:
        causes = await causes_of(probes)
        red = {name: cause for name, cause in causes.items() if cause is not None}
        body: dict[str, Any] = {"status": "unavailable" if red else "ok"}
        if "verbose" in request.query_params:
            body["checks"] = {name: {"ok": cause is None, "cause": cause} for name, cause in causes.items()}
        else:
            body["failing"] = sorted(red)
        return JSONResponse(body, 503 if red else 200)

    async def metrics(_: Request) -> Response:
        return Response(exposition(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    @contextlib.asynccontextmanager
    async def entered(_: Starlette) -> AsyncIterator[None]:
        if lifespan is None:
            yield
            return
        async with lifespan():
            yield

    routes = [Route("/livez", livez), Route("/readyz", readyz), Route("/metrics", metrics)]
    return Starlette(routes=routes, lifespan=entered)


async def causes_of(probes: Mapping[str, Probe]) -> dict[str, str | None]:
    """All probes at once, each bounded in time."""
    found = await asyncio.gather(*(_bounded(probe) for probe in probes.values()))
    return dict(zip(probes, found, strict=True))


async def _bounded(probe: Probe) -> str | None:
    try:
        return await asyncio.wait_for(probe(), PROBE_TIMEOUT_S)
    except TimeoutError:
        return "timed out"
    except Exception as error:  # noqa: BLE001 – whatever a probe runs into is the cause to show
        return type(error).__name__
