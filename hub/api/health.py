"""`/livez`, `/readyz` and `/metrics`."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.concurrency import run_in_threadpool

from hub.api.deps import ApiDeps, Probe
from hub.api.metrics import exposition
from hub.api.questions import known_parameters
from hub.kpi.errors import WarehouseAwayError

router = APIRouter(dependencies=[Depends(known_parameters)])

PROBE_TIMEOUT_S = 3.0


@router.get("/livez", summary="The process answers")
async def livez() -> JSONResponse:
    """Leans on nothing."""
    return JSONResponse({"status": "ok"})


@router.get("/readyz", summary="Everything it leans on answers")
async def readyz(request: Request, verbose: Annotated[str | None, Query()] = None) -> JSONResponse:
    """503 if something is away; `verbose` names each with its cause."""
    deps: ApiDeps = request.app.state.deps
    causes = await causes_of(deps)
    request.app.state.metrics.warehouse_up.set(causes["warehouse"] is None)
    red = {name: cause for name, cause in causes.items() if cause is not None}
    body: dict[str, Any] = {"status": "ok" if not red else "unavailable"}
    if verbose is not None:
        body["checks"] = {name: {"ok": cause is None, "cause": cause} for name, cause in causes.items()}
    else:
        body["failing"] = sorted(red)
    return JSONResponse(body, 503 if red else 200)


@router.get("/metrics", summary="For Prometheus")
async def metrics(request: Request) -> Response:
    return Response(exposition(request.app.state.metrics), media_type=CONTENT_TYPE_LATEST)


async def causes_of(deps: ApiDeps) -> dict[str, str | None]:
    """Each dependency's trouble, or None; the answer takes at most `PROBE_TIMEOUT_S`."""

    async def warehouse() -> str | None:
        try:
            await run_in_threadpool(deps.reader.ping)
        except WarehouseAwayError as error:
            return error.cause
        return None

    probes: dict[str, Probe] = {"warehouse": warehouse, **deps.probes}
    found = await asyncio.gather(*(_bounded(probe) for probe in probes.values()))
    return dict(zip(probes, found, strict=True))


async def _bounded(probe: Probe) -> str | None:
    try:
        return await asyncio.wait_for(probe(), PROBE_TIMEOUT_S)
    except TimeoutError:
        return "timed_out"
    except Exception as error:  # noqa: BLE001 - whatever a probe runs into is the cause to show
        return type(error).__name__
