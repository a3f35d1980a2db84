"""`/v1/live`: KPIs and connectors as one stream of Server-Sent Events."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Hashable
from typing import Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import StreamingResponse

from hub.api.access import caller_of
from hub.api.language import language_of
from hub.api.live_feed import LiveFeed, Topic
from hub.api.questions import AskedPeriod, known_parameters
from hub.api.shapes import connector_json, kpi_json, time_text
from hub.api.v1 import KpiScope
from hub.kpi.reader import Outage

router = APIRouter(prefix="/v1", dependencies=[Depends(known_parameters)])

Render = Callable[[str, Any], "tuple[str, str] | None"]
"""From (key, item) to (event, data), or None to leave the item out."""


@router.get("/live", summary="KPIs and connectors as they change (Server-Sent Events)")
async def live(request: Request, period: AskedPeriod, scope: KpiScope) -> StreamingResponse:
    """Events `kpi`, `connector`, `outage` and `heartbeat`; `Last-Event-ID` resumes after the last one seen."""
    language = language_of(request)

    def render(key: str, item: Any) -> tuple[str, str] | None:
        kind, _, _ = key.partition(":")
        if kind == "kpi":
            return "kpi", json.dumps(kpi_json(item.answer, language), ensure_ascii=False)
        if kind == "connector":
            return "connector", json.dumps(connector_json(item, language), ensure_ascii=False)
        return "outage", json.dumps(outage_json(item))

    return stream(request, Topic(period, scope.org), render, ("v1", language))


def outage_json(outage: Outage | None) -> dict[str, Any] | None:
    return {"since": time_text(outage.since), "cause": outage.cause} if outage else None


def stream(request: Request, topic: Topic, render: Render, variant: Hashable) -> StreamingResponse:
    """A stream of `topic`, from the number in Last-Event-ID on.

    `variant`: all that `render` leans on beside the item, so that streams of one variant render a change once.
    """
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_events(request, topic, render, variant), media_type="text/event-stream", headers=headers)


async def _events(request: Request, topic: Topic, render: Render, variant: Hashable) -> AsyncIterator[str]:
    feed: LiveFeed = request.app.state.live
    streams = request.app.state.metrics.streams
    cursor = _cursor(request.headers.get("last-event-id", ""))

    def tell(number: int, key: str, item: Any) -> str:
        rendered = render(key, item)
        return "" if rendered is None else event_text(*rendered, number)

    feed.watch(topic)
    streams.inc()
    try:
        yield "retry: 1000\n\n"
        while not feed.closing:
            before = cursor
            cursor, text = await feed.told(topic, before, variant, tell)
            if text:
                yield text
            if caller_of(request, request.app.state.deps.access) is None:
                return  # the key was revoked or the session ended meanwhile
            if cursor == before:
                now = request.app.state.deps.kpis.around.clock()
                yield event_text("heartbeat", json.dumps({"at": time_text(now)}))
    finally:
        streams.dec()
        feed.leave(topic)


def event_text(event: str, data: str, number: int | None = None) -> str:
    """One event on the wire; data may hold line breaks."""
    lines = [f"event: {event}"] + ([f"id: {number}"] if number is not None else [])
    return "\n".join([*lines, *(f"data: {line}" for line in data.splitlines())]) + "\n\n"


def _cursor(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else 0
